// The two clocks of the process, and the only place that reads them.
//
// wall    CLOCK_REALTIME: may step both ways; what schedules are compared with.
// steady  CLOCK_BOOTTIME (clock_gettime(2)): never steps and counts suspend; leases and deadlines.
//
// Clock is a seam: programs use SystemClock, tests ManualClock (clock_manual.h). All methods may
// be called from any thread.
#pragma once

#include <string>

#include "base/time.h"

namespace cronally::runtime {

class Clock {
 public:
  virtual ~Clock() = default;

  // Both clocks, read together: within 50 us of each other unless the machine is overloaded.
  virtual Now now() const = 0;

  Instant wall() const { return now().wall; }
  SteadyInstant steady() const { return now().steady; }

  // What `steady` counts from: readings of two processes compare only where this is equal. Empty
  // where it cannot be told; then they never do.
  virtual std::string boot() const = 0;

 protected:
  Clock() = default;
  Clock(const Clock&) = default;
  Clock& operator=(const Clock&) = default;
};

// The kernel's clocks, floored to the microsecond. In builds with the CMake option
// CRONALLY_TEST_HOOKS the environment variable CRONALLY_TEST_CLOCK_OFFSET (a duration such as
// "90s" or "-2h", read once when the clock is made) shifts `wall`; an unreadable value is a CHECK.
class SystemClock final : public Clock {
 public:
  SystemClock();
  Now now() const override;
  // The kernel's boot id, random(4).
  std::string boot() const override;

 private:
  Duration wall_offset_{};
};

}  // namespace cronally::runtime
