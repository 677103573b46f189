// A schedule in plain English, for people who check that it says what they meant.
//
//   "0 9 * * 1-5" in Europe/Riga   "At 09:00 on Monday to Friday, Europe/Riga"
//   "*/5 * * * *" in UTC           "Every 5 minutes, UTC"
//   "0 0 13 * 5"                   "At 00:00 on day 13 of the month or on Friday, UTC"
//   "@every 1h30m"                 "Every 1h30m"
//   "@at 2026-12-01T09:00:00Z"     "Once, at 2026-12-01T09:00:00Z"
//   "@never"                       "Never by itself"
//
// The text says all that the schedule holds; its wording is not stable. What is done on clock
// changes is said where it is not the default.
#pragma once

#include <string>

#include "cron/schedule.h"

namespace cronally::cron {

std::string describe(const Schedule& schedule);

}  // namespace cronally::cron
