// A clock that stands still until a test moves it. Thread-safe.
//
//   ManualClock clock{*parse_instant("2026-03-29T00:59:59Z")};
//   clock.advance(1s);       // time passes
//   clock.step_wall(-1h);    // somebody sets the wall clock; steady goes on unmoved
//   clock.reboot();          // steady starts again, and counts from another boot
#pragma once

#include <mutex>
#include <string>

#include "runtime/clock.h"

namespace cronally::runtime {

class ManualClock final : public Clock {
 public:
  // The steady clock starts at an hour, not at zero, so that a confusion of the two shows.
  explicit ManualClock(Instant wall) : now_{wall, steady_at_boot} {}

  Now now() const override {
    std::lock_guard lock{mutex_};
    return now_;
  }

  std::string boot() const override {
    std::lock_guard lock{mutex_};
    return "boot " + std::to_string(boots_);
  }

  void advance(Duration length) {
    std::lock_guard lock{mutex_};
    now_.wall += length;
    now_.steady += length;
  }

  void step_wall(Duration by) {
    std::lock_guard lock{mutex_};
    now_.wall += by;
  }

  void reboot() {
    std::lock_guard lock{mutex_};
    now_.steady = steady_at_boot;
    ++boots_;
  }

 private:
  static constexpr SteadyInstant steady_at_boot{std::chrono::hours{1}};

  mutable std::mutex mutex_;
  Now now_;
  int boots_ = 1;
};

}  // namespace cronally::runtime
