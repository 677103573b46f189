// The words in which the suites speak: jobs, claims and batches of one world.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/uuid.h"
#include "core/batch.h"
#include "core/job.h"
#include "tests/conformance/world.h"

namespace cronally::core {
// How a failing expectation shows an outcome.
inline void PrintTo(ItemStatus status, std::ostream* out) {
  constexpr const char* words[] = {"done", "present", "early", "stale", "gone", "fenced"};
  *out << words[static_cast<int>(status)];
}
}  // namespace cronally::core

namespace cronally::conformance {

using namespace std::chrono_literals;
using core::ItemStatus;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreTest : public ::testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override {
    world = GetParam().make();
    if (!world) GTEST_SKIP() << "this machine has no such database server";
    acquire();
  }

  store::Spine& spine() { return world->spine(); }
  store::Jobs& jobs() { return world->jobs(); }
  Instant at(Duration after) const { return start_instant + after; }

  void acquire() {
    grant = spine().acquire(node);
    fence = grant.fence;
  }

  // ---- jobs

  core::JobDefinition definition(const std::string& name) {
    core::JobDefinition made;
    made.name = name;
    made.schedule = "@every 1s";
    made.target = core::HttpTarget{.url = "https://example.com/hook"};
    return made;
  }

  JobId fresh_job_id() { return JobId{uuid_v4(++ids, 7)}; }

  core::Job create(const std::string& name) { return create(definition(name)); }

  core::Job create(const core::JobDefinition& made) {
    auto created = jobs().create_jobs(world->account(), {{fresh_job_id(), made, {}}},
                                      store::Existing::fail, std::nullopt);
    EXPECT_TRUE(created) << (created ? "" : created.error().message);
    return std::get<std::vector<core::Job>>(*created).at(0);
  }

  template <class Edit>
  core::Job change(const core::Job& job, Edit edit) {
    auto edited = job.definition;
    edit(edited);
    auto changed = jobs().change_job(world->account(), {job.id, edited, {}}, job.revision);
    EXPECT_TRUE(changed) << (changed ? "" : changed.error().message);
    return changed.value_or(core::Job{});
  }
  core::Job pause(const core::Job& job) {
    return change(job, [](auto& edited) { edited.paused = true; });
  }
  core::Job resume(const core::Job& job) {
    return change(job, [](auto& edited) { edited.paused = false; });
  }
  core::Job describe(const core::Job& job, const std::string& text) {
    return change(job, [&](auto& edited) { edited.description = text; });
  }
  core::Job remove(const core::Job& job) {
    auto removed = jobs().delete_job(world->account(), job.id, std::nullopt);
    EXPECT_TRUE(removed) << (removed ? "" : removed.error().message);
    return removed.value_or(core::Job{});
  }

  // ---- batches

  core::BatchFate fate_of(std::vector<core::Item> items) {
    std::promise<core::BatchFate> told;
    auto fate = told.get_future();
    spine().submit({fence, std::move(items)},
                   [&](core::BatchFate it) { told.set_value(std::move(it)); });
    return fate.get();
  }

  std::vector<core::ItemOutcome> commit(std::vector<core::Item> items) {
    auto size = items.size();
    auto fate = fate_of(std::move(items));
    auto* committed = std::get_if<core::BatchCommitted>(&fate);
    EXPECT_TRUE(committed);
    if (!committed) return std::vector<core::ItemOutcome>(size);
    EXPECT_EQ(committed->outcomes.size(), size);
    return committed->outcomes;
  }

  core::ItemStatus commit_one(core::Item item) { return commit({std::move(item)}).at(0).status; }

  core::Claim claim(const core::Job& job, Instant due) {
    return {.job = job.no,
            .shard = job.shard,
            .revision = job.revision,
            .id = RunId{uuid_v7(due, ++ids, 11)},
            .scheduled_at = due,
            .due = due};
  }

  // A claimed run, as the store then tells of it.
  core::OpenRun claimed(const core::Job& job, Instant due) {
    auto outcome = commit({claim(job, due)}).at(0);
    EXPECT_EQ(outcome.status, ItemStatus::done);
    return open_run(outcome.run);
  }

  core::OpenRun requested(const core::Job& job, const std::string& key) {
    auto run = request(job, key);
    EXPECT_EQ(commit_one(core::Accept{run.no, job.shard}), ItemStatus::done);
    return open_run(run.no);
  }

  core::Run request(const core::Job& job, const std::string& key) {
    auto run = jobs().request_run(world->account(), job.id, core::RunKind::manual, key,
                                  RunId{uuid_v7(world->clock().wall(), ++ids, 13)});
    EXPECT_TRUE(run) << (run ? "" : run.error().message);
    return run.value_or(core::Run{});
  }

  core::AttemptResult answered(int status) {
    core::AttemptResult result;
    result.fate = core::Fate::answered;
    result.status = status;
    result.response = "answer " + std::to_string(status);
    result.first_byte_at = world->clock().wall();
    result.ended_at = world->clock().wall() + 5ms;
    return result;
  }

  core::Outcome outcome(const core::OpenRun& run, int status,
                        std::variant<core::Outcome::End, core::Outcome::Again> next) {
    return {.run = run.no,
            .shard = run.shard,
            .fence = run.fence,
            .attempt = run.attempt,
            .revision = run.revision,
            .result = answered(status),
            .next = next};
  }
  core::Outcome success(const core::OpenRun& run) {
    return outcome(run, 200, core::Outcome::End{core::Verdict::succeeded, core::Reason::none});
  }
  core::Outcome failure(const core::OpenRun& run, Instant again) {
    return outcome(run, 500, core::Outcome::Again{again});
  }

  core::Replan replan(const core::Job& job, core::Replan::Change kind) {
    return {.job = job.no,
            .shard = job.shard,
            .revision = job.revision,
            .changed_at = job.updated_at,
            .change = kind};
  }
  void replanned(const core::Job& job, core::Replan::Change kind) {
    EXPECT_EQ(commit_one(replan(job, kind)), ItemStatus::done);
  }

  // ---- looking

  std::vector<core::OpenRun> open_runs() {
    return spine().read_open_runs(all_shards(), Instant::max(), 1000);
  }

  std::vector<RunNo> open_numbers() {
    std::vector<RunNo> numbers;
    for (const auto& run : open_runs()) numbers.push_back(run.no);
    return numbers;
  }

  core::OpenRun open_run(RunNo no) {
    for (const auto& run : open_runs()) {
      if (run.no == no) return run;
    }
    ADD_FAILURE() << "run " << no.value << " is not open";
    return {};
  }

  bool is_open(RunNo no) {
    auto open = open_numbers();
    return std::ranges::find(open, no) != open.end();
  }

  core::Run ledger_run(RunId id) {
    auto run = world->find_run(id);
    EXPECT_TRUE(run) << "no run of this id";
    return run.value_or(core::Run{});
  }

  // What wait_for_changes tells of everything so far.
  store::Changes all_changes(Duration timeout = 0ms) {
    std::vector<std::pair<ShardNo, std::int64_t>> since;
    for (int shard = 0; shard < shard_count; ++shard) since.emplace_back(ShardNo{shard}, 0);
    return spine().wait_for_changes(since, timeout);
  }

  std::unique_ptr<World> world;
  store::Acquisition grant;
  Fence fence;
  NodeId node{uuid_v4(1, 2)};
  std::uint64_t ids = 0;
};

}  // namespace cronally::conformance
