// Texts that people and files write: instants, durations, near matches.
//
// One parser each, shared by JSON, YAML, flags and schedules. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace cronally {

// RFC 3339 (profile of ISO 8601): "2026-12-01T10:00:00.250+01:00", 'T' or 't' or one blank
// between date and time, 'Z' or an offset required, up to 6 digits of fraction (more: refused,
// naming the limit), second 60 refused. Code "invalid_instant".
Result<Instant> parse_instant(std::string_view text);

// "2026-12-01T09:00:00.25Z" is written "2026-12-01T09:00:00.250000Z": UTC with Z; the fraction is
// left out when it is zero, else it has 3 digits, or 6 when there are microseconds.
std::string format_instant(Instant at);

// "1h30m", "250ms", "90s", "1.5s", "2d", "1w", "0s": one or more number-unit pairs, units
// w d h m s ms us, each unit at most once and from large to small; no sign, no blanks.
// A number may have a fraction, as long as the whole comes out at whole microseconds.
// At most duration_max. Code "invalid_duration"; the message names the column and the units.
Result<Duration> parse_duration(std::string_view text);

inline constexpr Duration duration_max{std::chrono::days{36525}};  // 100 years

// A text that parse_duration reads back, largest units first: 5400 s is "1h30m", 1.5 s is "1.5s",
// 14 days are "2w" but 10 days "10d"; zero is "0s". A negative length gets a "-", for people only.
std::string format_duration(Duration length);

// The candidate that a mistyped word was probably meant to be: the one at the smallest edit
// distance (with transpositions, letters compared without case), if that is at most
// max(1, length / 3) and leaves at least one letter in place. Equal distances: the first.
std::optional<std::string_view> near_match(std::string_view word,
                                           std::span<const std::string_view> candidates);

// The same, as the end of a sentence: "; did you mean 'MON'?" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

// A text as a message shows it: in single quotes, control characters and invalid UTF-8 as \xNN,
// cut with "..." after 60 bytes (never inside a character).
std::string quote(std::string_view text);

// The bytes (1 to 4) of the well-formed UTF-8 character that `text` starts with (RFC 3629: no
// surrogates, nothing overlong); 0 when it starts with none, or is empty.
std::size_t utf8_length(std::string_view text);

}  // namespace cronally
