#include "scheduler/ledger_watch.h"

#include <string>

#include "runtime/metric_names.h"

namespace cronally::scheduler {

namespace metric = runtime::metric;

namespace {

constexpr std::size_t first_skip = static_cast<std::size_t>(core::Reason::catch_up_latest);

}  // namespace

LedgerWatch::LedgerWatch(runtime::Metrics& metrics)
    : claims_(&metrics.counter(metric::claims_total)),
      unknown_commits_(&metrics.counter(metric::commit_unknown_total)),
      commit_(&metrics.histogram(metric::commit_duration)),
      lateness_(&metrics.histogram(metric::schedule_lateness)),
      duration_(&metrics.histogram(metric::attempt_duration)),
      armed_(&metrics.gauge(metric::armed_runs)),
      in_flight_(&metrics.gauge(metric::requests_in_flight)),
      jobs_(&metrics.gauge(metric::jobs)) {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    std::string verdict(core::text_of(static_cast<core::Verdict>(i)));
    runs_[i] = &metrics.counter(metric::runs_total, {{"verdict", verdict}});
  }
  constexpr std::array results{"succeeded", "failed", "unknown", "withdrawn"};
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    attempts_[i] = &metrics.counter(metric::attempts_total, {{"result", results[i]}});
  }
  for (std::size_t i = 0; i < skips_.size(); ++i) {
    std::string reason(core::text_of(static_cast<core::Reason>(first_skip + i)));
    skips_[i] = &metrics.counter(metric::skipped_total, {{"reason", reason}});
  }
}

CommitTally LedgerWatch::tally(const core::Batch& batch) const {
  CommitTally tally;
  tally.counters.reserve(batch.items.size());
  for (const auto& item : batch.items) {
    runtime::Counter* counter = nullptr;
    if (std::holds_alternative<core::Claim>(item)) {
      counter = claims_;
    } else if (const auto* skip = std::get_if<core::Skip>(&item)) {
      auto at = static_cast<std::size_t>(skip->reason);
      if (at >= first_skip && at - first_skip < skips_.size()) counter = skips_[at - first_skip];
    } else if (const auto* outcome = std::get_if<core::Outcome>(&item)) {
      if (const auto* end = std::get_if<core::Outcome::End>(&outcome->next)) {
        counter = runs_[static_cast<std::size_t>(end->verdict)];
      }
    } else if (const auto* end = std::get_if<core::End>(&item)) {
      counter = runs_[static_cast<std::size_t>(end->verdict)];
    }
    tally.counters.push_back(counter);
  }
  return tally;
}

void LedgerWatch::committed(const CommitTally& tally, const core::BatchFate& fate,
                            Duration took) const {
  commit_->observe(took);
  if (std::holds_alternative<core::BatchUnknown>(fate)) unknown_commits_->add();
  const auto* committed = std::get_if<core::BatchCommitted>(&fate);
  if (!committed) return;
  for (std::size_t i = 0; i < tally.counters.size() && i < committed->outcomes.size(); ++i) {
    bool done = committed->outcomes[i].status == core::ItemStatus::done;
    if (done && tally.counters[i]) tally.counters[i]->add();
  }
}

void LedgerWatch::attempt_ended(const core::AttemptResult& result,
                                std::optional<Instant> send_at) const {
  std::size_t kind = 1;
  if (result.fate == core::Fate::answered && result.status / 100 == 2) kind = 0;
  if (result.fate == core::Fate::unknown) kind = 2;
  if (result.fate == core::Fate::withdrawn) kind = 3;
  attempts_[kind]->add();
  if (!result.first_byte_at) return;
  if (send_at) lateness_->observe(*result.first_byte_at - *send_at);
  duration_->observe(result.ended_at - *result.first_byte_at);
}

void LedgerWatch::gauges(const core::PlannerStats& stats) const {
  armed_->set(static_cast<double>(stats.armed + stats.waiting));
  in_flight_->set(static_cast<double>(stats.in_flight));
  jobs_->set(static_cast<double>(stats.jobs));
}

}  // namespace cronally::scheduler
