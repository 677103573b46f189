#include "core/aws_signature.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/hmac.h"
#include "base/percent.h"

namespace cronally::core {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

// Without blanks at its ends; each run of them inside becomes one.
std::string folded(std::string_view text) {
  std::string out;
  for (const auto word : std::views::split(text, ' ')) {
    if (word.empty()) continue;
    if (!out.empty()) out += ' ';
    out.append(word.begin(), word.end());
  }
  return out;
}

// RFC 3986 §5.2.4, and repeated slashes become one; each segment is encoded once more, so that a
// "%3A" of the request line is signed as "%253A".
std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> segments;
  for (const auto part : std::views::split(path, '/')) {
    const std::string_view segment(part.begin(), part.end());
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (!segment.empty() && segment != ".") {
      segments.push_back(segment);
    }
  }
  std::string out;
  for (const std::string_view segment : segments) out += "/" + percent_encode(segment);
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

std::string canonical_query(const AwsRequest& request) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, value] : request.query)
    pairs.emplace_back(percent_encode(name), percent_encode(value));
  std::ranges::sort(pairs);
  std::string out;
  for (const auto& [name, value] : pairs)
    fmt::format_to(std::back_inserter(out), "{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

// Name in lower case -> value; the values of one name joined by commas in their order.
std::map<std::string, std::string> canonical_headers(const AwsRequest& request) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    const auto [place, fresh] = headers.emplace(lower(name), folded(value));
    if (!fresh) place->second += "," + folded(value);
  }
  return headers;
}

std::string signed_headers(const AwsRequest& request) {
  return fmt::format("{}", fmt::join(std::views::keys(canonical_headers(request)), ";"));
}

std::string scope_text(std::string_view day, const AwsScope& scope) {
  return fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
}

std::string_view day_of(std::string_view timestamp) { return timestamp.substr(0, 8); }

}  // namespace

std::string aws_timestamp(Instant at) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", std::chrono::floor<std::chrono::seconds>(at));
}

std::string aws_canonical_request(const AwsRequest& request) {
  std::string headers;
  for (const auto& [name, value] : canonical_headers(request))
    fmt::format_to(std::back_inserter(headers), "{}:{}\n", name, value);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request.path),
                     canonical_query(request), headers, signed_headers(request),
                     hex(as_bytes(sha256(request.body))));
}

std::string aws_string_to_sign(std::string_view canonical_request, std::string_view timestamp,
                               const AwsScope& scope) {
  return fmt::format("{}\n{}\n{}\n{}", algorithm, timestamp, scope_text(day_of(timestamp), scope),
                     hex(as_bytes(sha256(canonical_request))));
}

std::string_view AwsKeyring::key_of(const AwsCredentials& credentials, std::string_view day,
                                    const AwsScope& scope) {
  const std::string& secret = credentials.secret_access_key.reveal();
  if (keys_.size() >= keys_max) keys_.clear();
  Key& known =
      keys_[fmt::format("{}/{}/{}", credentials.access_key_id, scope.region, scope.service)];
  if (known.day != day || known.secret_access_key.reveal() != secret) {
    Sha256 key = hmac_sha256("AWS4" + secret, day);
    key = hmac_sha256(as_bytes(key), scope.region);
    key = hmac_sha256(as_bytes(key), scope.service);
    key = hmac_sha256(as_bytes(key), "aws4_request");
    known = {credentials.secret_access_key, std::string(day),
             SecretText(std::string(as_bytes(key)))};
  }
  return known.key.reveal();
}

void sign_aws(AwsRequest& request, const AwsCredentials& credentials, const AwsScope& scope,
              Instant at, AwsKeyring& keyring) {
  const std::string timestamp = aws_timestamp(at);
  const std::string_view day = day_of(timestamp);
  request.headers.push_back({"X-Amz-Date", timestamp});
  if (const std::string& token = credentials.session_token.reveal(); !token.empty())
    request.headers.push_back({"X-Amz-Security-Token", token});
  const std::string to_sign = aws_string_to_sign(aws_canonical_request(request), timestamp, scope);
  const Sha256 signature = hmac_sha256(keyring.key_of(credentials, day, scope), to_sign);
  request.headers.push_back(
      {"Authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}",
                                    algorithm, credentials.access_key_id, scope_text(day, scope),
                                    signed_headers(request), hex(as_bytes(signature)))});
}

}  // namespace cronally::core
