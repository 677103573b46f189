// Cluster time: the store's clock, as a node knows it without asking each time.
//
// A sample is one answer of the store that carries its clock, with the node's steady clock before
// the question and after the answer. The store read its clock somewhere in between; the middle is
// taken, so a sample is wrong by at most half its round trip when it is fresh, and by the drift of
// two clocks more as it ages (DESIGN: 100 ppm), counted from the question: the round trip itself
// was read from a clock that drifts. The sample with the smallest round trip of the
// last minute counts. One that cannot be true beside it (the two differ by more than its own round
// trip and that drift) means that the store's clock was stepped, or that another database answers:
// then the window is discarded and the new sample stands alone.
//
// Example: asked at steady 10.000 s, answered at 10.020 s, store's clock 12:00:00.000. At steady
// 10.510 s cluster time is 12:00:00.500, right within 10 ms and 0.05 ms.
//
// Pure, not thread-safe.
#pragma once

#include <deque>
#include <optional>

#include "base/time.h"

namespace cronally::core {

class ClusterTime {
 public:
  static constexpr Duration window = std::chrono::seconds{60};
  static constexpr std::int64_t drift_ppm = 100;

  // Samples come in the order of their answers. `asked` <= `answered`.
  void add(SteadyInstant asked, SteadyInstant answered, Instant store);

  // The store's clock at `now`; nullopt before the first sample.
  std::optional<Instant> at(SteadyInstant now) const;

  // How far at() may be off; Duration::max() before the first sample.
  Duration error(SteadyInstant now) const;

 private:
  struct Sample {
    SteadyInstant middle;
    SteadyInstant answered;
    Instant store;
    Duration round_trip{};
  };
  static Duration drift(Duration age);
  void age(SteadyInstant now);

  // By answer; the round trips grow: a sample that comes later and is better makes those before
  // it useless, so the front is the best.
  std::deque<Sample> samples_;
};

}  // namespace cronally::core
