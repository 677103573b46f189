// What a restored database owes for the time since its backup, over a real store.
#include "scheduler/restore_settler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <string>
#include <utility>

#include "base/uuid.h"
#include "runtime/clock_manual.h"
#include "runtime/test_directory.h"
#include "runtime/zone_loader.h"
#include "store/sqlite/open.h"
#include "store/sqlite/restore.h"

namespace cronally::scheduler {
namespace {

using namespace std::chrono_literals;
using core::Replan;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr Instant start{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
constexpr AccountNo account{1};

class RestoreSettling : public testing::Test {
 protected:
  RestoreSettling() {
    open();
    database->accounts().bootstrap({.id = AccountId{uuid_v4(1, 1)}, .name = "default"},
                                   {.id = TokenId{uuid_v4(1, 2)}, .name = "admin"}, "digest");
    fence = database->spine().acquire(NodeId{}).fence;
    clock->advance(10s);  // the backup is of this moment
  }

  void open() {
    database.reset();
    auto opened = store::open_sqlite({.file = file, .clock = clock});
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
  }

  core::Job create(const std::string& name, const std::string& schedule) {
    store::JobDraft draft{.id = JobId{uuid_v4(++ids, 3)}};
    draft.definition.name = name;
    draft.definition.schedule = schedule;
    draft.definition.target = core::HttpTarget{.url = "https://example.com/"};
    auto made = database->jobs().create_jobs(account, {draft}, store::Existing::fail, {});
    return std::get<std::vector<core::Job>>(made.value()).at(0);
  }
  core::Job pause(core::Job job) {
    job.definition.paused = true;
    return database->jobs().change_job(account, {job.id, job.definition, {}}, job.revision).value();
  }

  RunNo commit(core::Item item) {
    std::promise<core::BatchFate> told;
    database->spine().submit({fence, {std::move(item)}},
                             [&](core::BatchFate fate) { told.set_value(std::move(fate)); });
    const auto outcome = std::get<core::BatchCommitted>(told.get_future().get()).outcomes.at(0);
    EXPECT_EQ(outcome.status, core::ItemStatus::done);
    return outcome.run;
  }
  void plan(const core::Job& job, Replan::Change change = Replan::Change::created) {
    commit(Replan{.job = job.no,
                  .shard = job.shard,
                  .revision = job.revision,
                  .changed_at = job.updated_at,
                  .change = change});
  }
  RunId claim(const core::Job& job, Instant due) {
    const RunId id{uuid_v7(due, ++ids, 4)};
    commit(core::Claim{job.no, job.shard, job.revision, id, due, due});
    return id;
  }
  void cursors_to(Instant cursor) {
    for (int shard = 0; shard < shard_count; ++shard) {
      commit(core::Advance{ShardNo{shard}, cursor, 0});
    }
  }

  Settled settle(Instant until) {
    database.reset();
    std::vector<core::End> ends;
    for (const auto& run : store::open_runs_of(file)) {
      ends.push_back({run.run, run.shard, core::Verdict::unknown, core::Reason::restored});
    }
    open();
    return RestoreSettler(database->spine(), JobCompiler(zones)).settle(NodeId{}, ends, until);
  }

  // Job's name to where its spans begin; each ends at `until` and says why.
  std::multimap<std::string, Instant> spans(Instant until) {
    std::multimap<std::string, Instant> found;
    for (const auto& span : database->ledger().list_skipped(account, std::nullopt, 100)) {
      EXPECT_EQ(span.to, until);
      EXPECT_EQ(span.reason, core::Reason::restored);
      auto job = database->jobs().find_job(account, span.job);
      found.emplace(job ? job->definition.name : "gone", span.from);
    }
    return found;
  }
  core::Run run(RunId id) { return database->ledger().find_run(account, id).value(); }

  runtime::TestDirectory directory;
  std::filesystem::path file = directory.path() / "cronally.db";
  std::shared_ptr<runtime::ManualClock> clock = std::make_shared<runtime::ManualClock>(start);
  std::unique_ptr<store::Database> database;
  runtime::ZoneLoader zones;
  Fence fence;
  std::uint64_t ids = 0;
};

TEST_F(RestoreSettling, EachJobThatOwedSomethingGetsOneSpanFromItsCursor) {
  for (const auto& [name, schedule] :
       std::map<std::string, std::string>{{"often", "@every 1s"},
                                          {"hourly", "0 * * * *"},
                                          {"rare", "0 0 29 2 *"},
                                          {"never", "@never"},
                                          {"once", "@at 2026-12-01T00:30:00Z"}}) {
    plan(create(name, schedule));
  }
  cursors_to(start + 11s);
  clock->advance(1h);
  EXPECT_EQ(settle(start + 1h + 10s).spans, 3);
  EXPECT_THAT(spans(start + 1h + 10s),
              ElementsAre(Pair("hourly", start + 11s), Pair("often", start + 11s),
                          Pair("once", start + 11s)));
  const auto next = database->spine().acquire(NodeId{});
  for (const auto& shard : next.shards) EXPECT_EQ(shard.cursor, start + 1h + 10s);
}

TEST_F(RestoreSettling, AChangeThatWasNotPlannedIsOwedFromItself) {
  const auto job = create("fresh", "@every 1s");
  cursors_to(start + 13s);  // ahead of the change
  clock->advance(1min);
  settle(start + 1min);
  EXPECT_THAT(spans(start + 1min), ElementsAre(Pair("fresh", job.updated_at)));
  for (const auto& plan : database->spine().acquire(NodeId{}).jobs) EXPECT_TRUE(plan.planned);
}

TEST_F(RestoreSettling, PausedAndDeletedJobsOweNothing) {
  auto paused = create("paused", "@every 1s");
  plan(paused);
  pause(paused);
  auto gone = create("gone", "@every 1s");
  plan(gone);
  ASSERT_TRUE(database->jobs().delete_job(account, gone.id, std::nullopt));
  clock->advance(1min);
  EXPECT_EQ(settle(start + 1min).spans, 0);
  EXPECT_THAT(spans(start + 1min), IsEmpty());
  EXPECT_EQ(database->spine().acquire(NodeId{}).jobs.size(), 1U) << "the deleted one is planned";
}

TEST_F(RestoreSettling, WhatWasOwedBeforeAnEditThatWasNotPlannedIsSkippedToo) {
  const auto paused = create("paused", "@every 1s");
  const auto gone = create("gone", "@every 1s");
  clock->advance(5s);
  const auto pause_at = pause(paused).updated_at;
  const auto gone_at = database->jobs().delete_job(account, gone.id, std::nullopt)->updated_at;
  clock->advance(1min);
  EXPECT_EQ(settle(start + 1min).spans, 2);
  std::map<JobId, core::SkippedSpan> spans;
  for (const auto& span : database->ledger().list_skipped(account, std::nullopt, 100)) {
    EXPECT_EQ(span.revision, 1);
    spans[span.job] = span;
  }
  EXPECT_EQ(spans[paused.id].from, paused.updated_at);
  EXPECT_EQ(spans[paused.id].to, pause_at);
  EXPECT_EQ(spans[paused.id].reason, core::Reason::restored);
  EXPECT_EQ(spans[gone.id].to, gone_at);
  EXPECT_EQ(spans[gone.id].reason, core::Reason::deleted);
}

TEST_F(RestoreSettling, EveryOpenRunEndsUnknownAlsoOneThatAPauseHolds) {
  auto job = create("report", "@every 1s");
  plan(job);
  auto due = claim(job, start + 9s);
  auto asked = database->jobs().request_run(account, job.id, core::RunKind::manual, "manual:1",
                                            RunId{uuid_v7(start, 1, 1)});
  ASSERT_TRUE(asked);
  plan(pause(job), Replan::Change::paused);
  clock->advance(1min);
  EXPECT_EQ(settle(start + 1min).runs, 2);
  for (const auto& id : {due, asked->id}) {
    EXPECT_EQ(run(id).state, core::RunState::ended);
    EXPECT_EQ(run(id).verdict, core::Verdict::unknown);
    EXPECT_EQ(run(id).reason, core::Reason::restored);
  }
}

TEST_F(RestoreSettling, DoneTwiceItIsDoneOnce) {
  plan(create("often", "@every 1s"));
  cursors_to(start + 11s);
  clock->advance(1min);
  EXPECT_EQ(settle(start + 1min).spans, 1);
  EXPECT_EQ(settle(start + 1min).spans, 0);
  EXPECT_THAT(spans(start + 1min), ElementsAre(Pair("often", start + 11s)));
}

}  // namespace
}  // namespace cronally::scheduler
