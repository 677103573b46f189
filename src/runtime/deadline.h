// A point of the steady clock by which something must be done. A value; reads no clock.
#pragma once

#include <algorithm>
#include <compare>

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

}  // namespace cronally::runtime
