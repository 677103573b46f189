// UUIDs (RFC 9562): the ids that leave the process. Inside, integers do the work.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace cronally {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

// Lower-case 8-4-4-4-12.
std::string format_uuid(const Uuid& id);

// Accepts exactly the 36-character form, upper or lower case; nothing else.
std::optional<Uuid> parse_uuid(std::string_view text);

// Version 4 and version 7 from the caller's random bits: pure, so that simulations repeat.
// Version 7 carries `at`, floored to the millisecond, in its first 48 bits; ids of later
// milliseconds compare greater.
Uuid uuid_v4(std::uint64_t random_high, std::uint64_t random_low);
Uuid uuid_v7(Instant at, std::uint64_t random_high, std::uint64_t random_low);

// The millisecond a version 7 id carries; nullopt for other versions.
std::optional<Instant> uuid_v7_instant(const Uuid& id);

}  // namespace cronally
