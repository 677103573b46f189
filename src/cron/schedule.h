// A schedule answers one question: which instant comes next?
//
// It is one string in every interface ("*/5 * * * *", "@every 90s", "@at 2026-12-01T10:00:00Z",
// "@never") and a value here: compiled once, valid by construction, without clock, file or lock.
// Zones come in as values (cctz::time_zone), loaded by runtime/zone_loader.
//
// Worked example, Europe/Riga 2021, where 28 March has no 03:00-04:00 and 31 October has it twice:
//   "0 3 * * *"    run:  28 March at 04:00+03 (the gap's end); 31 October at 03:00+03, once
//                  skip: not on 28 March;                      31 October at 03:00+03, once
//   "0 * * * *"    both: every real hour, twice at 03:00 on 31 October
// The whole table: docs/schedules.md.
#pragma once

#include <cctz/time_zone.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "cron/expression.h"
#include "cron/zone.h"

namespace cronally::cron {

// What becomes of a local time that a clock change removes; see docs/schedules.md.
enum class Dst : std::uint8_t { run, skip };

// A cron expression in a zone. The zone is shared by all jobs that name it. A million of these are
// held in memory: `dst` stands in the padding of the expression.
struct Calendar {
  [[no_unique_address]] Expression expression;
  Dst dst = Dst::run;
  Zone zone;
};
static_assert(sizeof(Calendar) <= 48);

// The grid anchor + k * interval, k any integer. Clock changes and restarts do not move it.
struct Interval {
  Duration length;  // 1 s to 366 days; whole milliseconds
  Instant anchor;   // only its phase matters
};

struct Once {
  Instant at;
};

struct Never {};

using Schedule = std::variant<Never, Once, Interval, Calendar>;

// What a schedule text needs from outside to become a Schedule.
struct Context {
  cctz::time_zone zone;  // used by cron expressions only
  Dst dst = Dst::run;
  std::string_view name{};          // what `H` hashes, with the field; the job's name
  std::optional<Instant> anchor{};  // for @every; the Unix epoch where there is none
};

// The longest schedule text, in bytes.
inline constexpr std::size_t schedule_bytes_max = 256;

// Parses any schedule text. Codes: "invalid_schedule" (malformed: the message says the column,
// counted from 1, what was found, what is allowed there, and a near match) and
// "impossible_schedule" (well formed but never due before 2200, such as 31 February).
// An `@at` in the past parses: whether that is allowed is the caller's question.
Result<Schedule> parse_schedule(std::string_view text, const Context& context);

// The first instant strictly after `after` that the schedule owes; nullopt when there is none
// before instant_max. Strictly increasing: next(s, *next(s, t)) > *next(s, t).
std::optional<Instant> next(const Schedule& schedule, Instant after);

// The last instant strictly before `before`; nullopt when there is none at or after instant_min.
// For every owed t: prev(s, *next(s, t)) == t.
std::optional<Instant> prev(const Schedule& schedule, Instant before);

// How many instants the schedule owes in (from, to]; stops at `limit`. Constant time for all but
// calendars.
std::int64_t count(const Schedule& schedule, Instant from, Instant to, std::int64_t limit);

}  // namespace cronally::cron
