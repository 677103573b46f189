#include "base/hmac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>

#include "base/check.h"

namespace cronally {
namespace {

constexpr std::string_view alphabet_standard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view alphabet_url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int held = 0;  // bits not yet written
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) text += alphabet[bits >> (held - 6) & 0x3F];
  }
  if (held > 0) text += alphabet[bits << (6 - held) & 0x3F];
  return text;
}

// Unpadded text only. Refuses a length that no bytes encode to, and bits set behind the last byte,
// so that each value has exactly one text.
std::optional<std::string> decode(std::string_view text, std::string_view alphabet) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::array<std::int8_t, 256> values;
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xFF);
  }
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

// Looked up once: EVP_sha256() is looked up anew by each use of it, which costs more than hashing
// a short text (ALGORITHM FETCHING in crypto(7ossl)).
const EVP_MD* sha256_algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(fetched != nullptr, "OpenSSL must offer SHA-256");
  return fetched;
}

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

// With its algorithms looked up, and without a key.
MacContext hmac_context() {
  static EVP_MAC* const fetched = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  CHECK(fetched != nullptr, "OpenSSL must offer HMAC");
  MacContext context(EVP_MAC_CTX_new(fetched));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  CHECK(context && EVP_MAC_CTX_set_params(context.get(), parameters) == 1,
        "OpenSSL must offer HMAC-SHA-256");
  return context;
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  thread_local const DigestContext context{EVP_MD_CTX_new()};
  Sha256 digest;
  const bool done = EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  CHECK(done, "OpenSSL must offer SHA-256");
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view message) {
  thread_local const MacContext context = hmac_context();
  Sha256 digest;
  std::size_t length = 0;
  const auto* secret = reinterpret_cast<const unsigned char*>(key.empty() ? "" : key.data());
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  const bool done = EVP_MAC_init(context.get(), secret, key.size(), nullptr) == 1 &&
                    EVP_MAC_update(context.get(), data, message.size()) == 1 &&
                    EVP_MAC_final(context.get(), digest.data(), &length, digest.size()) == 1;
  CHECK(done && length == digest.size(), "OpenSSL must offer HMAC-SHA-256");
  return digest;
}

std::string_view as_bytes(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 0xF];
  }
  return text;
}

std::string base64(std::string_view bytes) {
  std::string text = encode(bytes, alphabet_standard);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 == 0 && text.ends_with('=')) {
    text.remove_suffix(text.ends_with("==") ? 2 : 1);
  }
  return decode(text, alphabet_standard);
}

std::string base64url(std::string_view bytes) { return encode(bytes, alphabet_url); }

std::optional<std::string> base64url_decode(std::string_view text) {
  return decode(text, alphabet_url);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cronally
