// The two kinds of time, as types that do not mix.
//
// Instant       a point of wall time: microseconds since 1970-01-01T00:00:00Z, leap seconds not
//               counted (POSIX time). Schedules, claims and the ledger speak Instant.
// SteadyInstant a point of a clock that never steps and goes on during suspend (CLOCK_BOOTTIME).
//               Leases, deadlines and time-outs speak SteadyInstant.
// Duration      microseconds, signed; shared by both.
//
// Nothing here reads a clock: runtime/clock does, and hands the values in.
#pragma once

#include <chrono>
#include <cstdint>

namespace cronally {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;

// A clock type without now(): only runtime/clock can make its time points.
struct BootClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock, duration>;
  static constexpr bool is_steady = true;
};
using SteadyInstant = BootClock::time_point;

// Both clocks, read together; every event of a pure machine carries one.
struct Now {
  Instant wall;
  SteadyInstant steady;
};

constexpr Instant instant_from_us(std::int64_t us) { return Instant{Duration{us}}; }
constexpr std::int64_t us_of(Instant at) { return at.time_since_epoch().count(); }
constexpr std::int64_t ms_floor(Instant at) {
  return std::chrono::floor<std::chrono::milliseconds>(at).time_since_epoch().count();
}

// The span in which schedules are computed: [1970-01-01, 2200-01-01). The end is EventBridge's
// last year (2199), chosen so that an import never meets an instant that cannot be stored.
inline constexpr Instant instant_min{Duration{0}};
inline constexpr Instant instant_max{std::chrono::sys_days{std::chrono::year{2200} / 1 / 1}};

}  // namespace cronally
