// A clock that stands still until a test moves it. Thread-safe.
//
//   ManualClock clock{*parse_instant("2026-03-29T00:59:59Z")};
//   clock.advance(1s);       // time passes
//   clock.step_wall(-1h);    // somebody sets the wall clock; steady goes on unmoved
#pragma once

#include <mutex>

#include "runtime/clock.h"

namespace cronally::runtime {

class ManualClock final : public Clock {
 public:
  // The steady clock starts at an hour, not at zero, so that a confusion of the two shows.
  explicit ManualClock(Instant wall) : now_{wall, SteadyInstant{std::chrono::hours{1}}} {}

  Now now() const override {
    std::lock_guard lock{mutex_};
    return now_;
  }

  std::string boot() const override { return "manual"; }

  void advance(Duration length) {
    std::lock_guard lock{mutex_};
    now_.wall += length;
    now_.steady += length;
  }

  void step_wall(Duration by) {
    std::lock_guard lock{mutex_};
    now_.wall += by;
  }

 private:
  mutable std::mutex mutex_;
  Now now_;
};

}  // namespace cronally::runtime
