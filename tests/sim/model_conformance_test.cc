// The simulation's store under the suite that every spine passes: what the machine learns from it
// holds for the real ones.
#include <algorithm>
#include <memory>

#include "tests/conformance/spine_conformance.h"
#include "tests/conformance/spine_memory.h"
#include "tests/sim/model_store.h"

namespace cronally::conformance {
namespace {

class ModelWorld : public World {
 public:
  explicit ModelWorld(sim::Holders holders) : store_([this] { return clock_.now(); }, holders) {}

  store::Spine& spine() override { return store_; }
  store::Jobs& jobs() override { return store_; }
  AccountNo account() const override { return AccountNo{1}; }
  runtime::ManualClock& clock() override { return clock_; }

  // Its process ends; what is in its memory is what it had committed.
  void reopen() override {}

  std::optional<core::Run> find_run(RunId id) override {
    const sim::RunRecord* record = store_.find_record(id);
    if (!record) return std::nullopt;
    const core::Job& job = store_.job_records().at(record->open.job).job;
    core::Run run{.id = id,
                  .no = record->open.no,
                  .job = job.id,
                  .job_no = job.no,
                  .job_name = job.definition.name,
                  .revision = record->open.revision,
                  .kind = record->open.kind,
                  .key = record->key,
                  .scheduled_at = record->open.scheduled_at,
                  .due = record->open.due,
                  .state = record->open.state,
                  .verdict = record->verdict,
                  .reason = record->reason,
                  .fence = record->open.fence,
                  .ended_at = record->ended_at};
    for (const auto& [number, attempt] : record->attempts) run.attempts.push_back(attempt);
    return run;
  }

  std::vector<core::SkippedSpan> skipped() override {
    std::vector<core::SkippedSpan> spans;
    for (const auto& skip : store_.skip_records()) {
      spans.push_back({.job = store_.job_records().at(skip.job).job.id,
                       .revision = skip.revision,
                       .from = skip.from,
                       .to = skip.to,
                       .reason = skip.reason,
                       .count = skip.count});
    }
    return spans;
  }

 private:
  runtime::ManualClock clock_{start_instant};
  sim::ModelStore store_;
};

StoreFactory one_holder() {
  return {"OneHolder", [] { return std::make_unique<ModelWorld>(sim::Holders::one); }};
}

StoreFactory several_holders() {
  return {"SeveralHolders", [] { return std::make_unique<ModelWorld>(sim::Holders::several); }};
}

}  // namespace

INSTANTIATE_SPINE_CONFORMANCE(Model, one_holder(), several_holders());
INSTANTIATE_TEST_SUITE_P(Model, SpinePuttingBack, ::testing::Values(several_holders()), store_name);

}  // namespace cronally::conformance
