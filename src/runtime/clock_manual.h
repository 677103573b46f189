// A clock that stands still until a test moves it. Thread-safe.
//
//   ManualClock clock{*parse_instant("2026-03-29T00:59:59Z")};
//   clock.advance(1s);       // time passes
//   clock.step_wall(-1h);    // somebody sets the wall clock; steady goes on unmoved
//   clock.reboot();          // steady starts again, and counts from another boot
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>

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
    move([&] {
      now_.wall += length;
      now_.steady += length;
    });
  }

  void step_wall(Duration by) {
    move([&] { now_.wall += by; });
  }

  void reboot() {
    move([&] {
      now_.steady = steady_at_boot;
      ++boots_;
    });
  }

  // From here on `told` hears each move before the call that makes it returns: another clock (a
  // database's) can go with this one.
  void on_move(std::function<void(const Now&)> told) {
    std::lock_guard lock{mutex_};
    told_ = std::move(told);
  }

 private:
  static constexpr SteadyInstant steady_at_boot{std::chrono::hours{1}};

  template <class Change>
  void move(Change change) {
    std::lock_guard lock{mutex_};
    change();
    if (told_) told_(now_);
  }

  mutable std::mutex mutex_;
  Now now_;
  std::function<void(const Now&)> told_;
  int boots_ = 1;
};

}  // namespace cronally::runtime
