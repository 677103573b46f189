// What a zone's clock changes do to a calendar schedule: the part of a preview that people forget.
// Pure: it asks the schedule itself, so it says what will happen and not what a rule would say.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "cron/schedule.h"

namespace cronally::cli {

// One clock change at which the schedule names a local time that is left out or comes twice.
struct ClockChange {
  Instant at;              // the change
  std::string clock_from;  // "2026-03-29T03:00:00": what the clock would have shown
  std::string clock_to;    // "2026-03-29T04:00:00": what it shows instead
  // "the clock goes from 03:00 to 04:00, leaving out 03:30; it fires at ...", with the date
  std::string detail;
};

// The changes in (from, until] that touch the schedule, oldest first. Empty for schedules that are
// no calendars.
std::vector<ClockChange> clock_changes(const cron::Schedule& schedule, Instant from, Instant until);

}  // namespace cronally::cli
