#include "aws_check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>
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
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) {
    out += digits[byte / 16];
    out += digits[byte % 16];
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

std::optional<Authorization> authorization_of(const net::Request& request) {
  static const std::regex form(
      "AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]{16,128})/([0-9]{8})/([a-z0-9-]+)/([a-z0-9-]+)/"
      "aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})");
  const std::string text(request.headers.find("Authorization").value_or(""));
  std::smatch found;
  if (request.headers.count("Authorization") != 1 || !std::regex_match(text, found, form))
    return std::nullopt;
  return Authorization{found[1], found[2], found[3], found[4], found[6], split(found[5], ';')};
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

std::optional<Instant> instant_of(const std::string& stamp) {
  static const std::regex form("([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z");
  if (!std::regex_match(stamp, form)) return std::nullopt;
  const auto at = parse_instant(std::regex_replace(stamp, form, "$1-$2-$3T$4:$5:$6Z"));
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

std::string signature_of(const net::Request& request, const Authorization& given,
                         const std::string& stamp, const AwsKey& key) {
  std::string headers;
  for (const std::string& name : given.signed_headers) {
    const std::string value(*request.headers.find(name));
    static const std::regex ends("^ +| +$"), inside(" +");
    const std::string trimmed = std::regex_replace(value, ends, "");
    headers += name + ":" + std::regex_replace(trimmed, inside, " ") + "\n";
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
