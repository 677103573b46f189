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
  Instant at;          // the change
  std::string detail;  // "02:59:59 is followed by 04:00:00; what names 03:30:00 fires at ..."
};

// The changes in (from, until] that touch the schedule, oldest first. Empty for schedules that are
// no calendars.
std::vector<ClockChange> clock_changes(const cron::Schedule& schedule, Instant from, Instant until);

}  // namespace cronally::cli
