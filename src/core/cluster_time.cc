#include "core/cluster_time.h"

#include <cstdlib>

namespace cronally::core {

Duration ClusterTime::drift(Duration age) { return Duration{age.count() * drift_ppm / 1'000'000}; }

void ClusterTime::add(SteadyInstant asked, SteadyInstant answered, Instant store) {
  const Duration round_trip = answered - asked;
  const Sample sample{asked + round_trip / 2, answered, store, round_trip};
  if (const auto kept = at(sample.middle)) {
    const Duration apart = std::chrono::abs(*kept - store);
    const Duration age = std::chrono::abs(sample.middle - samples_.front().middle);
    if (apart > round_trip + drift(age)) samples_.clear();
  }
  while (!samples_.empty() && samples_.back().round_trip >= round_trip) samples_.pop_back();
  samples_.push_back(sample);
  age(answered);
}

// The last sample stays, however old: an old idea of the time, with its error, is better than none.
void ClusterTime::age(SteadyInstant now) {
  while (samples_.size() > 1 && samples_.front().answered + window < now) samples_.pop_front();
}

std::optional<Instant> ClusterTime::at(SteadyInstant now) const {
  if (samples_.empty()) return std::nullopt;
  return samples_.front().store + (now - samples_.front().middle);
}

Duration ClusterTime::error(SteadyInstant now) const {
  if (samples_.empty()) return Duration::max();
  const Sample& best = samples_.front();
  constexpr Duration rounding{2};  // both halves and the drift are cut to whole microseconds
  const Duration half = best.round_trip / 2;
  return half + drift(half + std::chrono::abs(now - best.middle)) + rounding;
}

}  // namespace cronally::core
