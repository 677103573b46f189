// Hashes, message authentication and base64: OpenSSL's, as pure functions of bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cronally {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view message);

std::string_view as_bytes(const Sha256& digest);
std::string hex(std::string_view bytes);  // lower case

// Standard alphabet with padding (RFC 4648 §4); decoding accepts missing padding, nothing else.
std::string base64(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// base64url without padding (RFC 4648 §5): cursors and tokens.
std::string base64url(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

// Compares in time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace cronally
