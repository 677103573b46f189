#include "aws_check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "base/text.h"

namespace cronally::support {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr Duration skew_max = std::chrono::minutes{15};

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Bytes mac(const Bytes& key, std::string_view text) {
  Bytes out(32);
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
  return out;
}

std::string in_hex(const Bytes& bytes) {
  constexpr std::string_view marks = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) {
    out += marks[byte / 16];
    out += marks[byte % 16];
  }
  return out;
}

std::string digest(std::string_view text) {
  Bytes out(32);
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), nullptr);
  return in_hex(out);
}

std::vector<std::string> split(const std::string& text, char mark) {
  std::vector<std::string> parts;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, mark);) parts.push_back(part);
  return parts;
}

struct Authorization {
  std::string key, day, region, service, signature;
  std::vector<std::string> signed_headers;
};

// Takes `text` up to `mark`, which goes with it; what follows stays. False: there is no mark.
bool take(std::string_view& text, std::string_view mark, std::string& into) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return false;
  into = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return true;
}

bool consists_of(std::string_view text, std::string_view chars) {
  return !text.empty() && text.find_first_not_of(chars) == std::string_view::npos;
}

constexpr std::string_view digits = "0123456789";
constexpr std::string_view name_chars = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr std::string_view key_chars =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::optional<Authorization> authorization_of(const net::Request& request) {
  if (request.headers.count("Authorization") != 1) return std::nullopt;
  std::string_view text = *request.headers.find("Authorization");
  Authorization given;
  std::string before, names;
  const bool shaped = take(text, "AWS4-HMAC-SHA256 Credential=", before) && before.empty() &&
                      take(text, "/", given.key) && take(text, "/", given.day) &&
                      take(text, "/", given.region) && take(text, "/", given.service) &&
                      take(text, "aws4_request, SignedHeaders=", before) && before.empty() &&
                      take(text, ", Signature=", names);
  given.signature = text;
  given.signed_headers = split(names, ';');
  const bool sound =
      shaped && given.key.size() >= 16 && consists_of(given.key, key_chars) &&
      given.day.size() == 8 && consists_of(given.day, digits) &&
      consists_of(given.region, name_chars) && consists_of(given.service, name_chars) &&
      given.signature.size() == 64 && consists_of(given.signature, "0123456789abcdef") &&
      std::ranges::all_of(given.signed_headers,
                          [](const std::string& name) { return consists_of(name, name_chars); });
  return sound ? std::optional(given) : std::nullopt;
}

std::optional<AwsRefusal> judge_signed_headers(const net::Request& request,
                                               const Authorization& given) {
  if (!std::ranges::is_sorted(given.signed_headers) ||
      std::ranges::adjacent_find(given.signed_headers) != given.signed_headers.end())
    return AwsRefusal{400, "IncompleteSignature", "SignedHeaders are not sorted, each once"};
  for (const std::string& name : given.signed_headers)
    if (request.headers.count(name) == 0)
      return AwsRefusal{403, "SignatureDoesNotMatch", "a signed header is not there: " + name};
  for (const char* name : {"host", "x-amz-date", "content-type", "x-amz-security-token"})
    if (request.headers.count(name) > 0 &&
        std::ranges::find(given.signed_headers, name) == given.signed_headers.end())
      return AwsRefusal{403, "SignatureDoesNotMatch", std::string("is not signed: ") + name};
  return std::nullopt;
}

// "20260831T123600Z".
std::optional<Instant> instant_of(const std::string& stamp) {
  if (stamp.size() != 16 || stamp[8] != 'T' || stamp[15] != 'Z') return std::nullopt;
  const auto part = [&](std::size_t from, std::size_t count) { return stamp.substr(from, count); };
  const auto at = parse_instant(part(0, 4) + "-" + part(4, 2) + "-" + part(6, 2) + "T" +
                                part(9, 2) + ":" + part(11, 2) + ":" + part(13, 2) + "Z");
  return at ? std::optional(*at) : std::nullopt;
}

std::string stamp_of(Instant at) {
  std::string text = format_instant(std::chrono::floor<std::chrono::seconds>(at));
  std::erase(text, '-');
  std::erase(text, ':');
  return text;
}

// As AWS words it: its own time stands in the parentheses.
std::optional<AwsRefusal> judge_time(Instant signed_at, Instant now) {
  const std::string at = stamp_of(signed_at), ours = stamp_of(now);
  if (signed_at < now - skew_max)
    return AwsRefusal{403, "SignatureDoesNotMatch",
                      "Signature expired: " + at + " is now earlier than " +
                          stamp_of(now - skew_max) + " (" + ours + " - 15 min.)"};
  if (signed_at > now + skew_max)
    return AwsRefusal{403, "SignatureDoesNotMatch",
                      "Signature not yet current: " + at + " is still later than " +
                          stamp_of(now + skew_max) + " (" + ours + " + 15 min.)"};
  return std::nullopt;
}

// Words with one blank between them.
std::string folded(const std::string& text) {
  std::string out;
  for (const std::string& word : split(text, ' '))
    if (!word.empty()) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string signature_of(const net::Request& request, const Authorization& given,
                         const std::string& stamp, const AwsKey& key) {
  std::string headers;
  for (const std::string& name : given.signed_headers) {
    const std::string value(*request.headers.find(name));
    headers += name + ":" + folded(value) + "\n";
  }
  std::string names;
  for (const std::string& name : given.signed_headers) names += (names.empty() ? "" : ";") + name;
  // Requests of the query protocol have plain paths and no query.
  const std::string canonical = request.method + "\n" + request.path + "\n" + request.query + "\n" +
                                headers + "\n" + names + "\n" + digest(request.body);
  const std::string scope = given.day + "/" + given.region + "/" + given.service + "/aws4_request";
  Bytes signing = mac(bytes_of("AWS4" + key.secret), given.day);
  for (const std::string& part : {given.region, given.service, std::string("aws4_request")})
    signing = mac(signing, part);
  return in_hex(
      mac(signing, "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + digest(canonical)));
}

}  // namespace

std::string access_key_of(const net::Request& request) {
  const auto given = authorization_of(request);
  return given ? given->key : "";
}

std::optional<AwsRefusal> check_signature(const net::Request& request,
                                          const AwsExpected& expected) {
  const auto given = authorization_of(request);
  if (!given) return AwsRefusal{403, "MissingAuthenticationToken", "no whole Authorization"};
  const std::string stamp(request.headers.find("X-Amz-Date").value_or(""));
  const auto signed_at = instant_of(stamp);
  if (!signed_at || request.headers.count("X-Amz-Date") != 1)
    return AwsRefusal{400, "IncompleteSignature", "no whole X-Amz-Date"};
  if (auto refusal = judge_signed_headers(request, *given)) return refusal;
  const bool scoped = given->day == stamp.substr(0, 8) && given->service == expected.service &&
                      (expected.region.empty() || given->region == expected.region);
  if (!scoped)
    return AwsRefusal{403, "SignatureDoesNotMatch", "Credential should be scoped to another place"};
  const auto key = expected.key_of(given->key);
  const std::string token(request.headers.find("X-Amz-Security-Token").value_or(""));
  if (!key || key->token != token)
    return AwsRefusal{403, "InvalidClientTokenId",
                      "The security token included in the request is invalid."};
  if (auto refusal = judge_time(*signed_at, expected.now)) return refusal;
  if (signature_of(request, *given, stamp, *key) != given->signature)
    return AwsRefusal{403, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method."};
  if (key->expires_at && *key->expires_at <= expected.now)
    return AwsRefusal{403, "ExpiredToken", "The security token included in the request is expired"};
  return std::nullopt;
}

}  // namespace cronally::support
