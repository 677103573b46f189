// What the metrics tell of claims, attempts and verdicts. Counts only what committed.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "core/batch.h"
#include "core/planner.h"
#include "runtime/metrics.h"

namespace cronally::scheduler {

// What each item of a batch will count as, if its outcome is `done`; by index.
struct CommitTally {
  std::vector<runtime::Counter*> counters;  // null: counts as nothing
};

// Thread-safe: counters are atomic, and all are asked for in the constructor.
class LedgerWatch {
 public:
  explicit LedgerWatch(runtime::Metrics& metrics);

  CommitTally tally(const core::Batch& batch) const;
  void committed(const CommitTally& tally, const core::BatchFate& fate, Duration took) const;

  // `send_at`: the instant to judge lateness by; nullopt for attempts that do not count.
  void attempt_ended(const core::AttemptResult& result, std::optional<Instant> send_at) const;

  void gauges(const core::PlannerStats& stats) const;

 private:
  std::array<runtime::Counter*, 5> runs_;      // by Verdict
  std::array<runtime::Counter*, 4> attempts_;  // succeeded, failed, unknown, withdrawn
  std::array<runtime::Counter*, 4> skips_;     // by Reason from catch_up_latest on
  runtime::Counter* claims_;
  runtime::Counter* unknown_commits_;
  runtime::Histogram* commit_;
  runtime::Histogram* lateness_;
  runtime::Histogram* duration_;
  runtime::Gauge* armed_;
  runtime::Gauge* in_flight_;
  runtime::Gauge* jobs_;
};

}  // namespace cronally::scheduler
