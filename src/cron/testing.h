// What the tests of this folder share. Zones are loaded from tests/golden/zoneinfo, a fixed copy of
// tzdata, so that results do not depend on the machine.
#pragma once

#include <cctz/time_zone.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "cron/schedule.h"

namespace cronally::cron::testing {

inline cctz::time_zone fixed_zone(std::string_view name) {
  if (name == "UTC") return cctz::utc_time_zone();
  cctz::time_zone zone;
  const auto path = std::string{CRONALLY_SOURCE_DIR "/tests/golden/zoneinfo/"}.append(name);
  CHECK(cctz::load_time_zone(path, &zone), "tests/golden/zoneinfo lacks a zone");
  return zone;
}

inline Instant at(std::string_view text) {
  const auto instant = parse_instant(text);
  CHECK(instant.has_value(), "a test's instant is malformed");
  return *instant;
}

inline Schedule schedule_of(std::string_view text, std::string_view zone = "UTC",
                            Dst dst = Dst::run) {
  auto schedule = parse_schedule(text, {.zone = fixed_zone(zone), .dst = dst, .name = "job"});
  CHECK(schedule.has_value(), "a test's schedule is malformed");
  return *std::move(schedule);
}

// The first fires after `from`, as texts in UTC.
inline std::vector<std::string> fires(const Schedule& schedule, Instant from, std::size_t limit) {
  std::vector<std::string> found;
  for (auto t = next(schedule, from); t && found.size() < limit; t = next(schedule, *t)) {
    found.push_back(format_instant(*t));
  }
  return found;
}

// The message of a refusal, or "accepted".
inline std::string refusal(std::string_view text) {
  const auto parsed = parse_schedule(text, {.zone = cctz::utc_time_zone(), .name = "job"});
  return parsed ? "accepted" : parsed.error().message;
}

inline std::string refusal_code(std::string_view text) {
  const auto parsed = parse_schedule(text, {.zone = cctz::utc_time_zone(), .name = "job"});
  return parsed ? "" : parsed.error().code;
}

}  // namespace cronally::cron::testing
