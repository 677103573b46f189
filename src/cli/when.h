// Times as a person writes and reads them. Pure.
//
// Written: RFC 3339 ("2026-12-01T10:00:00+01:00"), "now", a distance from now ("+2h", "-30m"), or
// a local time of the job's zone ("2026-12-01T10:00", "2026-12-01 10:00:30", "2026-12-01").
#pragma once

#include <cctz/time_zone.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace cronally::cli {

// Whether the text is a local time, so that a zone is needed to read it.
bool is_local_time(std::string_view text);

// The instant that a text names. A local time that the zone's clock leaves out, or shows twice, is
// refused, with what to write instead. Code "invalid_time".
// Europe/Riga: "2026-12-01T10:00" is 2026-12-01T08:00:00Z; "2026-10-25T03:30" is shown twice.
Result<Instant> parse_when(std::string_view text, const cctz::time_zone& zone, Instant now);

// "2026-12-01T10:00:00+02:00": the instant as the zone's clock shows it, with its offset.
std::string format_local(Instant at, const cctz::time_zone& zone);

// "in 2h 5m", "3m 10s ago", "now": for people only, the two largest units.
std::string format_relative(Instant at, Instant now);

// "+1.3 ms", "+12 ms", "-0.4 ms", "+2.5 s": how late a run was.
std::string format_lateness(double milliseconds);

}  // namespace cronally::cli
