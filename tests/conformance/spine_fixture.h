// What every test of the spine's conformance suite stands on: a store made by a factory, one
// owner that holds all shards, and short words for jobs, runs and batches.
//
// A store joins by making a SpineFactory and instantiating the suite in one .cc of its tests:
//
//   #include "tests/conformance/spine_conformance.h"
//   INSTANTIATE_TEST_SUITE_P(Sqlite, SpineConformance, testing::Values(sqlite_spine()),
//                            factory_name<SpineFactory>);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/batch.h"
#include "core/job.h"
#include "core/run.h"
#include "runtime/clock_manual.h"
#include "store/database.h"

namespace cronally::conformance {

using namespace std::chrono_literals;
using core::ItemStatus;

// A store under test. It reads its time from the clock that the factory was given.
class SpineStore {
 public:
  virtual ~SpineStore() = default;
  virtual store::Spine& spine() = 0;
  virtual store::Jobs& jobs() = 0;
  // An account that exists.
  virtual AccountNo account() const = 0;

  // The run as the ledger would show it, attempts oldest first; nullopt where there is none.
  virtual std::optional<core::Run> run(const RunId& id) = 0;
  // Every skipped span of the job, in any order.
  virtual std::vector<core::SkippedSpan> skipped(const JobId& job) = 0;

  // Ends and starts again over what is durable; a store in memory keeps what it has.
  virtual void reopen() = 0;
};

struct SpineFactory {
  std::string name;
  std::function<std::unique_ptr<SpineStore>(std::shared_ptr<runtime::ManualClock>)> make;
};

template <class Factory>
std::string factory_name(const testing::TestParamInfo<Factory>& info) {
  return info.param.name;
}

inline constexpr Instant start_at = std::chrono::sys_days{std::chrono::year{2026} / 3 / 2} + 12h;

// Ids that no two calls share; the same in every run of the test.
class Ids {
 public:
  JobId job() { return {uuid_v4(++count_, count_ * 0x9e3779b97f4a7c15U)}; }
  SecretId secret() { return {uuid_v4(++count_, 7)}; }
  NodeId node() { return {uuid_v4(++count_, 11)}; }
  TokenId token() { return {uuid_v4(++count_, 13)}; }
  AccountId account() { return {uuid_v4(++count_, 17)}; }
  RunId run(Instant due) { return {uuid_v7(due, ++count_, count_ * 0x9e3779b97f4a7c15U)}; }

 private:
  std::uint64_t count_ = 0;
};

inline core::JobDefinition definition_named(std::string name) {
  core::JobDefinition definition;
  definition.name = std::move(name);
  definition.schedule = "@every 1s";
  definition.target.url = "https://Receiver.Example/in";
  return definition;
}

// Submits and waits for the fate.
inline core::BatchFate fate_of(store::Spine& spine, core::Batch batch) {
  auto promise = std::make_shared<std::promise<core::BatchFate>>();
  auto future = promise->get_future();
  spine.submit(std::move(batch),
               [promise](core::BatchFate fate) { promise->set_value(std::move(fate)); });
  return future.get();
}

class SpineConformance : public testing::TestWithParam<SpineFactory> {
 protected:
  using Change = core::Replan::Change;

  void SetUp() override {
    store_ = GetParam().make(clock_);
    acquire();
  }

  store::Spine& spine() { return store_->spine(); }
  store::Jobs& jobs() { return store_->jobs(); }
  AccountNo account() const { return store_->account(); }
  Instant now() const { return clock_->wall(); }

  // A new owner takes every shard; batches are its from here on.
  store::Acquisition acquire() {
    auto acquired = spine().acquire(ids_.node());
    fence_ = acquired.fence;
    return acquired;
  }
  void reopen() { store_->reopen(); }

  // ---- jobs
  core::Job create(core::JobDefinition definition) {
    std::vector<store::JobDraft> drafts{{ids_.job(), std::move(definition), {}}};
    auto created = jobs().create_jobs(account(), std::move(drafts), store::Existing::fail, {});
    EXPECT_TRUE(created) << (created ? "" : created.error().message);
    return std::get<std::vector<core::Job>>(created.value()).at(0);
  }
  core::Job create(const std::string& name = "report") { return create(definition_named(name)); }

  core::Job change(const core::Job& job, const std::function<void(core::JobDefinition&)>& edit) {
    auto definition = job.definition;
    edit(definition);
    auto changed = jobs().change_job(account(), {job.id, definition, {}}, job.revision);
    EXPECT_TRUE(changed) << (changed ? "" : changed.error().message);
    return changed.value();
  }
  core::Job pause(const core::Job& job, bool paused = true) {
    return change(job, [&](auto& definition) { definition.paused = paused; });
  }
  core::Job erase(const core::Job& job) {
    auto erased = jobs().delete_job(account(), job.id, std::nullopt);
    EXPECT_TRUE(erased);
    return erased.value();
  }
  core::Run request(const core::Job& job, const std::string& key) {
    auto run = jobs().request_run(account(), job.id, core::RunKind::manual, key, ids_.run(now()));
    EXPECT_TRUE(run) << (run ? "" : run.error().message);
    return run.value();
  }

  // ---- batches
  core::BatchCommitted commit_as(Fence fence, std::vector<core::Item> items) {
    auto fate = fate_of(spine(), {fence, std::move(items)});
    EXPECT_TRUE(std::holds_alternative<core::BatchCommitted>(fate));
    return std::get<core::BatchCommitted>(std::move(fate));
  }
  core::BatchCommitted commit(std::vector<core::Item> items) {
    return commit_as(fence_, std::move(items));
  }
  ItemStatus write(const core::Item& item) { return commit({item}).outcomes.at(0).status; }
  ItemStatus write_as(Fence fence, const core::Item& item) {
    return commit_as(fence, {item}).outcomes.at(0).status;
  }

  // ---- items
  core::Claim claim(const core::Job& job, Instant due) {
    return {.job = job.no,
            .shard = job.shard,
            .revision = job.revision,
            .id = ids_.run(due),
            .scheduled_at = due,
            .due = due};
  }
  static core::Replan replan(const core::Job& job, Change change, std::vector<Instant> owed = {}) {
    return {.job = job.no,
            .shard = job.shard,
            .revision = job.revision,
            .changed_at = job.updated_at,
            .change = change,
            .owed = std::move(owed),
            .in_flight = {}};
  }
  core::AttemptResult answered(int status) const {
    return {.fate = core::Fate::answered,
            .status = status,
            .retry_after = {},
            .error = "",
            .response = "hello",
            .first_byte_at = now() + 1ms,
            .ended_at = now() + 5ms};
  }
  core::Outcome succeeded(const core::OpenRun& run) const {
    return outcome(run, 200, core::Outcome::End{core::Verdict::succeeded, core::Reason::none});
  }
  core::Outcome failed_until(const core::OpenRun& run, Instant send_at) const {
    return outcome(run, 500, core::Outcome::Again{send_at});
  }
  core::Outcome outcome(const core::OpenRun& run, int status,
                        std::variant<core::Outcome::End, core::Outcome::Again> next) const {
    return {.run = run.no,
            .shard = run.shard,
            .attempt = run.attempt,
            .revision = run.revision,
            .result = answered(status),
            .next = next};
  }
  static core::End cancelled(const core::OpenRun& run) {
    return {run.no, run.shard, core::Verdict::cancelled, core::Reason::drained};
  }

  // ---- runs
  // Claims the occurrence and gives the open run as it is read back.
  core::OpenRun claimed(const core::Job& job, Instant due) {
    auto outcomes = commit({claim(job, due)}).outcomes;
    EXPECT_EQ(outcomes.at(0).status, ItemStatus::done);
    return open(outcomes.at(0).run).value();
  }
  core::OpenRun accepted(const core::Job& job, const std::string& key) {
    auto run = request(job, key);
    EXPECT_EQ(write(core::Accept{run.no, job.shard}), ItemStatus::done);
    return open(run.no).value();
  }
  std::optional<core::OpenRun> open(RunNo no) {
    for (const auto& run : spine().read_open_runs(instant_max, 100'000)) {
      if (run.no == no) return run;
    }
    return std::nullopt;
  }
  core::Run shown(const RunId& id) {
    auto run = store_->run(id);
    EXPECT_TRUE(run) << "the run is gone";
    return run.value_or(core::Run{});
  }

  // The plan of a job as a starting owner reads it; a new owner, so `fence_` changes.
  std::optional<store::JobPlan> plan_read(JobNo job) {
    auto acquired = acquire();
    auto plan = std::ranges::find(acquired.jobs, job, &store::JobPlan::no);
    return plan == acquired.jobs.end() ? std::nullopt : std::optional(*plan);
  }
  store::Acquisition::Shard shard_read(ShardNo no) {
    auto acquired = acquire();
    auto shard = std::ranges::find(acquired.shards, no, &store::Acquisition::Shard::no);
    EXPECT_NE(shard, acquired.shards.end());
    return *shard;
  }

  std::shared_ptr<runtime::ManualClock> clock_ = std::make_shared<runtime::ManualClock>(start_at);
  std::unique_ptr<SpineStore> store_;
  Ids ids_;
  Fence fence_;
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SpineConformance);

}  // namespace cronally::conformance
