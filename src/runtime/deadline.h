// A point of the steady clock by which something must be done. A value; reads no clock.
#pragma once

#include <algorithm>
#include <compare>
#include <optional>
#include <utility>

#include "base/time.h"

namespace cronally::runtime {

struct Deadline {
  SteadyInstant at;

  static constexpr Deadline after(SteadyInstant now, Duration length) { return {now + length}; }

  // What is left; zero when it has passed, never negative.
  constexpr Duration remaining(SteadyInstant now) const {
    return std::max(Duration::zero(), at - now);
  }
  constexpr bool passed(SteadyInstant now) const { return now >= at; }

  friend constexpr auto operator<=>(const Deadline&, const Deadline&) = default;
};

// The deadline of what a thread works on, handed down to all that it calls: who answers a request
// opens a scope, and what would wait further down ends by then. It does not pass to other threads.
// The steady clock is that of SystemClock without its hooks.
class DeadlineScope {
 public:
  explicit DeadlineScope(Deadline deadline) : outer_(std::exchange(current_, deadline)) {}
  ~DeadlineScope() { current_ = outer_; }
  DeadlineScope(const DeadlineScope&) = delete;
  DeadlineScope& operator=(const DeadlineScope&) = delete;

  // Of this thread's innermost scope; none outside of one.
  static std::optional<Deadline> current() { return current_; }

 private:
  static inline thread_local std::optional<Deadline> current_;
  const std::optional<Deadline> outer_;
};

}  // namespace cronally::runtime
