#include "core/signature.h"

#include <fmt/format.h>

#include "base/hmac.h"

namespace cronally::core {
namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::size_t key_min = 24;  // Standard Webhooks: "between 24 bytes (192 bits) and 64"
constexpr std::size_t key_max = 64;

Result<SigningKey> invalid() {
  return fail("invalid_signing_secret",
              "a signing secret is whsec_ followed by the base64 of 24 to 64 bytes; PATCH "
              "/v2/account with \"signing_secret\": \"generate\" makes one");
}

std::string mac(const SigningKey& key, std::string_view id, std::string_view timestamp,
                std::string_view body) {
  std::string message;
  message.reserve(id.size() + timestamp.size() + body.size() + 2);
  message.append(id).append(1, '.').append(timestamp).append(1, '.').append(body);
  const Sha256 digest = hmac_sha256(key.reveal(), message);
  return base64(as_bytes(digest));
}

}  // namespace

Result<SigningKey> parse_signing_secret(std::string_view text) {
  if (!text.starts_with(prefix)) return invalid();
  auto key = base64_decode(text.substr(prefix.size()));
  if (!key || key->size() < key_min || key->size() > key_max) return invalid();
  return SigningKey{std::move(*key)};
}

std::string format_signing_secret(std::string_view key_bytes) {
  return std::string{prefix} + base64(key_bytes);
}

std::string sign(const SigningKey& key, std::string_view id, std::int64_t timestamp,
                 std::string_view body) {
  return "v1," + mac(key, id, fmt::format_int(timestamp).str(), body);
}

bool verify(const SigningKey& key, std::string_view id, std::string_view timestamp,
            std::string_view body, std::string_view header) {
  const std::string right = "v1," + mac(key, id, timestamp, body);
  bool found = false;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(' '), header.size());
    found |= equal_constant_time(header.substr(0, end), right);
    header.remove_prefix(std::min(end + 1, header.size()));
  }
  return found;
}

}  // namespace cronally::core
