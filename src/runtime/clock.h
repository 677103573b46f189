// The two clocks of the process, and the only place that reads them.
//
// wall    CLOCK_REALTIME: may step both ways; what schedules are compared with.
// steady  CLOCK_BOOTTIME (clock_gettime(2)): never steps and counts suspend; leases and deadlines.
//
// Clock is a seam: programs use SystemClock, tests ManualClock (clock_manual.h). All methods may
// be called from any thread.
#pragma once

#include <memory>
#include <string>

#include "base/time.h"

namespace cronally::runtime {

class Clock {
 public:
  virtual ~Clock() = default;

  // Both clocks, read together: within 50 us of each other unless the machine is overloaded.
  virtual Now now() const = 0;

  // How long a thread sleeps so that `length` passes on this clock: `length`, but for a test's
  // clock that runs faster.
  virtual Duration sleep_for(Duration length) const { return length; }

  virtual Instant wall() const { return now().wall; }
  virtual SteadyInstant steady() const { return now().steady; }

  // What `steady` counts from: readings of two processes compare only where this is equal. Empty
  // where it cannot be told; then they never do.
  virtual std::string boot() const = 0;

 protected:
  Clock() = default;
  Clock(const Clock&) = default;
  Clock& operator=(const Clock&) = default;
};

// The kernel's clocks, floored to the microsecond.
//
// Builds with the CMake option CRONALLY_TEST_HOOKS read two variables when a clock is made; what
// cannot be read is a CHECK:
//   CRONALLY_TEST_CLOCK_OFFSET=-2h   shifts `wall` for good
//   CRONALLY_TEST_CLOCK_FILE=FILE    names a file that may be replaced while the program runs
//                                    (looked at every 2 ms), with any of these words in it:
//     offset=-1h   shifts `wall`: somebody sets the clock
//     ahead=10m    shifts both clocks: the machine was suspended
//     rate=60      both clocks run so many times as fast from the moment the word is read
class SystemClock final : public Clock {
 public:
  enum class Hooks { heed, ignore };
  explicit SystemClock(Hooks hooks = Hooks::heed);
  ~SystemClock() override;
  SystemClock(const SystemClock&) = delete;
  SystemClock& operator=(const SystemClock&) = delete;

  Now now() const override;
  Instant wall() const override;
  SteadyInstant steady() const override;
  // The kernel's boot id, random(4).
  std::string boot() const override;
  Duration sleep_for(Duration length) const override;

 private:
  class Hook;
  std::unique_ptr<Hook> hook_;  // null: as the kernel has it
};

}  // namespace cronally::runtime
