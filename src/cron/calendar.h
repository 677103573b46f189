// A cron expression laid over a zone: local times become instants.
//
// The rules of clock changes are this file's; the table is in docs/schedules.md. An expression that
// follows real time fires whenever the zone's wall clock shows a named time. Any other is
// fixed-time: each named local time fires once, in an overlap at its first pass; one that a gap
// removes fires at the gap's end (Dst::run) or not at all (Dst::skip). Two that fall on one instant
// are one.
//
// Zones come from cctz, whose civil lookups tell UNIQUE, SKIPPED and REPEATED local times apart.
#pragma once

#include <optional>

#include "cron/schedule.h"

namespace cronally::cron {

// As next() and prev() of schedule.h, in whole seconds, without the bounds of the span.
std::optional<std::chrono::sys_seconds> next_fire(const Calendar& calendar,
                                                  std::chrono::sys_seconds after);
std::optional<std::chrono::sys_seconds> prev_fire(const Calendar& calendar,
                                                  std::chrono::sys_seconds before);

}  // namespace cronally::cron
