// Dates and delays in HTTP headers, as pure functions (RFC 9110 §5.6.7, §10.2.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace cronally::net {

// "Tue, 24 Nov 2026 04:30:00 GMT".
std::string http_date(Instant at);

// Reads the form above and the two obsolete ones that recipients must know:
// "Sunday, 06-Nov-94 08:49:37 GMT" (a year that seems more than 50 years ahead of `now` is of the
// century before) and "Sun Nov  6 08:49:37 1994". The weekday is not judged. nullopt: none of them.
std::optional<Instant> parse_http_date(std::string_view text, Instant now);

// A longer wait is a receiver's mistake, and is read as this.
inline constexpr Duration retry_after_max = std::chrono::days{365};

// What a Retry-After asks for, "120" or a date, from `now` on; nullopt where it asks for no wait:
// zero, a date that has passed, neither a number nor a date.
std::optional<Duration> parse_retry_after(std::string_view text, Instant now);

}  // namespace cronally::net
