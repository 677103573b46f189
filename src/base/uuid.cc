#include "base/uuid.h"

#include "base/check.h"

namespace cronally {
namespace {

constexpr bool dash_before(std::size_t byte) {
  return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void put_big_endian(std::uint64_t value, std::uint8_t* out) {
  for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<std::uint8_t>(value);
}

// The version's four bits and the variant 10 of RFC 9562 §4.
Uuid stamped(std::uint64_t high, std::uint64_t low, std::uint64_t version) {
  Uuid id;
  put_big_endian((high & ~0xF000ULL) | version << 12, id.bytes.data());
  put_big_endian((low & ~0xC000'0000'0000'0000ULL) | 0x8000'0000'0000'0000ULL, id.bytes.data() + 8);
  return id;
}

}  // namespace

std::string format_uuid(const Uuid& id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i)) text += '-';
    text += digits[id.bytes[i] >> 4];
    text += digits[id.bytes[i] & 0xF];
  }
  return text;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at++]);
    const int low = hex_value(text[at++]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return id;
}

Uuid uuid_v4(std::uint64_t random_high, std::uint64_t random_low) {
  return stamped(random_high, random_low, 4);
}

Uuid uuid_v7(Instant at, std::uint64_t random_high, std::uint64_t random_low) {
  const std::int64_t ms = ms_floor(at);
  CHECK(ms >= 0 && ms < (1LL << 48), "a version 7 id carries 48 bits of milliseconds from 1970");
  return stamped(static_cast<std::uint64_t>(ms) << 16 | (random_high & 0x0FFF), random_low, 7);
}

std::optional<Instant> uuid_v7_instant(const Uuid& id) {
  if (id.bytes[6] >> 4 != 7 || id.bytes[8] >> 6 != 0b10) return std::nullopt;
  std::int64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | id.bytes[i];
  return Instant{std::chrono::milliseconds{ms}};
}

}  // namespace cronally
