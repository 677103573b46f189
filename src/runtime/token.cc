#include "runtime/token.h"

#include "runtime/random.h"

namespace cronally::runtime {
namespace {
constexpr std::string_view prefix = "cronally_";  // so that scanners for leaked secrets find it
constexpr std::size_t random_size = 32;
}  // namespace

SecretText make_token() {
  return SecretText{std::string{prefix} + base64url(random_bytes(random_size))};
}

Sha256 token_digest(std::string_view token) { return sha256(token); }

bool is_token_shaped(std::string_view text) {
  if (!text.starts_with(prefix)) return false;
  const auto bytes = base64url_decode(text.substr(prefix.size()));
  return bytes && bytes->size() == random_size;
}

}  // namespace cronally::runtime
