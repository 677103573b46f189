#include "runtime/clock.h"

#include <time.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

#include "base/check.h"
#include "base/text.h"

namespace cronally::runtime {
namespace {

Duration read_clock(clockid_t id) {
  timespec at{};
  CHECK(clock_gettime(id, &at) == 0, "Linux from 2.6.39 on has both clocks");
  return std::chrono::duration_cast<Duration>(std::chrono::seconds{at.tv_sec} +
                                              std::chrono::nanoseconds{at.tv_nsec});
}

// Signed, unlike every duration that users write: the parser for those has no sign.
[[maybe_unused]] Duration signed_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto length = parse_duration(negative ? text.substr(1) : text);
  CHECK(length.has_value(), "CRONALLY_TEST_CLOCK_OFFSET is a duration such as 90s or -2h");
  return negative ? -*length : *length;
}

}  // namespace

SystemClock::SystemClock() {
#ifdef CRONALLY_TEST_HOOKS
  if (const char* offset = std::getenv("CRONALLY_TEST_CLOCK_OFFSET")) {
    wall_offset_ = signed_duration(offset);
  }
#endif
}

std::string SystemClock::boot() const {
  std::string id;
  std::getline(std::ifstream{"/proc/sys/kernel/random/boot_id"}, id);
  return id;
}

Now SystemClock::now() const {
  constexpr Duration apart_max{50};
  // Preempted between the two readings, they are far apart; three times in a row is overload.
  for (int tries = 0;; ++tries) {
    const Duration before = read_clock(CLOCK_BOOTTIME);
    const Duration wall = read_clock(CLOCK_REALTIME);
    const Duration after = read_clock(CLOCK_BOOTTIME);
    if (after - before <= apart_max || tries == 2) {
      return {Instant{wall + wall_offset_}, SteadyInstant{after}};
    }
  }
}

}  // namespace cronally::runtime
