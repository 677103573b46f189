// The rules of a batch as a whole: order, fences, repeats, and the lease that carries the fence.
#pragma once

#include "spine_fixture.h"

namespace cronally::conformance {

// ---- outcomes -----------------------------------------------------------------------------------

TEST_P(SpineConformance, AnEmptyBatchCommitsWithoutOutcomes) {
  auto committed = commit({});
  EXPECT_TRUE(committed.outcomes.empty());
}

TEST_P(SpineConformance, ABatchCarriesTheStoresClock) {
  clock_->advance(90s);
  EXPECT_EQ(commit({}).at, start_at + 90s);
}

TEST_P(SpineConformance, EachItemHasItsOutcomeInTheSameOrder) {
  auto job = create();
  auto first = claim(job, now() + 1s);
  auto rival = claim(job, now() + 1s);
  auto far = claim(job, now() + 1h);
  auto old = claim(job, now() + 2s);
  old.revision = job.revision + 1;
  auto outcomes =
      commit({first, rival, core::Advance{job.shard, now(), 0}, far, old, first}).outcomes;
  std::vector<ItemStatus> statuses;
  for (const auto& outcome : outcomes) statuses.push_back(outcome.status);
  EXPECT_THAT(statuses,
              testing::ElementsAre(ItemStatus::done, ItemStatus::present, ItemStatus::done,
                                   ItemStatus::early, ItemStatus::stale, ItemStatus::done));
  EXPECT_EQ(outcomes.at(0).run, outcomes.at(5).run);
}

TEST_P(SpineConformance, BatchesCommitInTheOrderOfSubmission) {
  auto job = create();
  auto run = claimed(job, now());
  // Each of these is `done` only after the one before it.
  constexpr int length = 200;
  std::vector<int> order;
  std::vector<ItemStatus> statuses;
  std::promise<void> last;
  for (int i = 0; i < length; ++i) {
    auto item = failed_until(run, now() + 1s);
    ++run.attempt;
    spine().submit({fence_, {item}}, [&, i](core::BatchFate fate) {
      order.push_back(i);
      statuses.push_back(std::get<core::BatchCommitted>(fate).outcomes.at(0).status);
      if (i == length - 1) last.set_value();
    });
  }
  last.get_future().wait();
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_THAT(statuses, testing::AllOf(testing::SizeIs(length), testing::Each(ItemStatus::done)));
  EXPECT_EQ(open(run.no)->attempt, length + 1);
  EXPECT_EQ(open(run.no)->failures, length);
}

// ---- the lease ----------------------------------------------------------------------------------

TEST_P(SpineConformance, EveryAcquisitionRaisesTheFence) {
  auto fence = fence_;
  EXPECT_GT(fence.value, 0);
  for (int i = 0; i < 3; ++i) {
    auto next = acquire().fence;
    EXPECT_GT(next, fence);
    EXPECT_LT(next.value, std::int64_t{1} << 53) << "JSON carries it";
    fence = next;
  }
  reopen();
  EXPECT_GT(acquire().fence, fence) << "also after a restart";
}

TEST_P(SpineConformance, AnAcquisitionTakesEveryShardOnce) {
  std::vector<std::int64_t> numbers;
  for (const auto& shard : acquire().shards) numbers.push_back(shard.no.value);
  std::ranges::sort(numbers);
  ASSERT_EQ(numbers.size(), static_cast<std::size_t>(shard_count));
  for (int i = 0; i < shard_count; ++i) EXPECT_EQ(numbers[static_cast<std::size_t>(i)], i);
}

TEST_P(SpineConformance, AnAcquisitionTellsTheNewestClockThatAnyCommitCarried) {
  clock_->advance(1h);
  commit({});
  auto mark = now();
  clock_->step_wall(-30min);
  EXPECT_GE(acquire().last_commit, mark);
  reopen();
  EXPECT_GE(acquire().last_commit, mark) << "a start below the mark sends nothing until it passed";
}

TEST_P(SpineConformance, AnAcquisitionBringsLiveJobsAndEditsThatNobodyPlannedYet) {
  auto live = create("live");
  auto unplanned = create("unplanned");
  auto gone = create("gone");
  auto leaving = create("leaving");
  ASSERT_EQ(write(replan(live, Change::created)), ItemStatus::done);
  gone = erase(gone);
  ASSERT_EQ(write(replan(gone, Change::deleted)), ItemStatus::done);
  leaving = erase(leaving);

  EXPECT_TRUE(plan_read(live.no)->planned);
  EXPECT_FALSE(plan_read(unplanned.no)->planned);
  EXPECT_FALSE(plan_read(gone.no)) << "deleted and replanned: nothing is left to do";
  auto plan = plan_read(leaving.no);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->deleted);
  EXPECT_FALSE(plan->planned);
  EXPECT_EQ(plan->last_change, Change::deleted);
  EXPECT_EQ(plan->revision, leaving.revision);
}

TEST_P(SpineConformance, APlanCarriesWhatCompilingNeeds) {
  auto definition = definition_named("full");
  definition.schedule = "0 9 * * MON";
  definition.zone = "Europe/Riga";
  definition.dst = cron::Dst::skip;
  definition.anchor = start_at - 1h;
  definition.delivery = core::DeliveryMode::at_most_once;
  definition.retry = {
      .attempts = 7, .backoff_min = 2s, .backoff_max = 9s, .age_max = Duration{11s}};
  definition.catch_up = {.mode = core::CatchUpMode::all, .window = 5min, .limit = 12};
  definition.paused = true;
  auto job = create(definition);
  auto read = plan_read(job.no);
  ASSERT_TRUE(read);
  const auto& plan = *read;
  EXPECT_EQ(plan.id, job.id);
  EXPECT_EQ(plan.shard, shard_of(job.id));
  EXPECT_EQ(plan.revision, 1);
  EXPECT_EQ(plan.name, "full");
  EXPECT_EQ(plan.schedule, "0 9 * * MON");
  EXPECT_EQ(plan.zone, "Europe/Riga");
  EXPECT_EQ(plan.dst, cron::Dst::skip);
  EXPECT_EQ(plan.anchor, start_at - 1h);
  EXPECT_EQ(plan.changed_at, job.updated_at);
  EXPECT_EQ(plan.change, job.change);
  EXPECT_TRUE(plan.paused);
  EXPECT_FALSE(plan.deleted);
  EXPECT_EQ(plan.last_change, Change::created);
  EXPECT_EQ(plan.delivery, core::DeliveryMode::at_most_once);
  EXPECT_EQ(plan.retry, definition.retry);
  EXPECT_EQ(plan.catch_up, definition.catch_up);
  EXPECT_EQ(plan.destination, core::destination_of(definition.target.url));
}

// ---- fences -------------------------------------------------------------------------------------

// One item of each kind that is `done` under the right fence, and what it would change.
TEST_P(SpineConformance, AnItemUnderAnotherFenceIsFencedAndWritesNothing) {
  auto job = create();
  auto open_run = claimed(job, now() - 3s);
  auto requested = request(job, "manual:1");
  auto edited = create("edited");
  auto ahead = claimed(edited, now() + 1s);
  edited = change(edited, [](auto& definition) { definition.schedule = "@never"; });
  auto old = fence_;
  acquire();
  auto mine = claimed(job, now() - 2s);

  struct Row {
    const char* kind;
    core::Item item;
  };
  const std::vector<Row> rows{
      {"claim", claim(job, now() + 1s)},
      {"skip", core::Skip{job.no, job.shard, 1, now() - 9s, now() - 8s,
                          core::Reason::catch_up_window}},
      {"advance", core::Advance{job.shard, now() + 1h, job.change}},
      {"replan", replan(edited, Change::changed)},
      {"accept", core::Accept{requested.no, job.shard}},
      {"begin", core::Begin{mine.no, job.shard, 1}},
      {"takeover", core::Takeover{open_run.no, job.shard, 1, true}},
      {"outcome", succeeded(mine)},
      {"end", cancelled(open_run)},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.kind);
    EXPECT_EQ(write_as(old, row.item), ItemStatus::fenced);
    EXPECT_EQ(write_as({fence_.value + 1}, row.item), ItemStatus::fenced) << "a fence to come";
  }
  EXPECT_EQ(spine().read_open_runs(instant_max, 100).size(), 3U) << "nothing claimed or ended";
  EXPECT_EQ(open(mine.no)->state, core::RunState::claimed);
  EXPECT_EQ(open(open_run.no)->attempt, 1);
  EXPECT_EQ(open(open_run.no)->fence, old);
  EXPECT_EQ(open(ahead.no)->revision, 1);
  EXPECT_TRUE(shown(mine.id).attempts.empty());
  EXPECT_EQ(shown(requested.id).state, core::RunState::requested);
  EXPECT_TRUE(store_->skipped(job.id).empty());
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change, 0s));

  for (const auto& row : rows) {
    SCOPED_TRACE(row.kind);
    EXPECT_EQ(write(row.item), ItemStatus::done) << "under the right fence it counts";
  }
}

TEST_P(SpineConformance, ALateBatchOfAFormerOwnerIsFencedItemByItem) {
  auto job = create();
  auto former = fence_;
  acquire();
  auto outcomes = commit_as(former, {claim(job, now()), core::Advance{job.shard, now(), 0},
                                     claim(job, now() + 1s)})
                      .outcomes;
  ASSERT_EQ(outcomes.size(), 3U);
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.status, ItemStatus::fenced);
  EXPECT_TRUE(spine().read_open_runs(instant_max, 100).empty());
}

// ---- repeats ------------------------------------------------------------------------------------

TEST_P(SpineConformance, RepeatingAWholeBatchChangesNothingAndAnswersTheSame) {
  auto job = create();
  auto former = claimed(job, now() - 9s);
  acquire();
  auto again = claimed(job, now() - 8s);
  auto ended = claimed(job, now() - 7s);
  auto dropped = claimed(job, now() - 6s);
  auto begun = claimed(job, now() - 5s);
  auto requested = request(job, "manual:1");
  const std::vector<core::Item> items{
      replan(job, Change::created),
      claim(job, now() + 1s),
      core::Skip{job.no, job.shard, 1, now() - 99s, now() - 98s, core::Reason::catch_up_limit},
      core::Advance{job.shard, now() + 1s, job.change},
      core::Accept{requested.no, job.shard},
      core::Begin{begun.no, job.shard, 1},
      core::Takeover{former.no, job.shard, 1, true},
      failed_until(again, now() + 4s),
      succeeded(ended),
      cancelled(dropped),
  };
  auto first = commit(items).outcomes;
  auto runs_first = spine().read_open_runs(instant_max, 100);
  clock_->advance(10ms);
  auto second = commit(items).outcomes;
  auto runs_second = spine().read_open_runs(instant_max, 100);

  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].status, ItemStatus::done) << "item " << i;
    EXPECT_EQ(second[i].status, ItemStatus::done) << "item " << i;
  }
  EXPECT_EQ(first[1].run, second[1].run);
  ASSERT_EQ(runs_first.size(), runs_second.size());
  for (std::size_t i = 0; i < runs_first.size(); ++i) {
    const auto& before = runs_first[i];
    const auto& after = runs_second[i];
    EXPECT_EQ(before.no, after.no);
    EXPECT_EQ(before.state, after.state);
    EXPECT_EQ(before.attempt, after.attempt);
    EXPECT_EQ(before.failures, after.failures);
    EXPECT_EQ(before.unknowns, after.unknowns);
    EXPECT_EQ(before.send_at, after.send_at);
  }
  EXPECT_EQ(shown(ended.id).attempts.size(), 1U);
  EXPECT_EQ(shown(ended.id).ended_at, start_at) << "it ended once";
  EXPECT_EQ(store_->skipped(job.id).size(), 1U);
}

TEST_P(SpineConformance, WhatWasCommittedIsThereAfterAReopening) {
  auto job = create();
  auto run = claimed(job, now());
  auto ended = claimed(job, now() - 1s);
  ASSERT_EQ(write(succeeded(ended)), ItemStatus::done);
  ASSERT_EQ(write(core::Advance{job.shard, now() + 2s, job.change}), ItemStatus::done);
  reopen();
  EXPECT_TRUE(jobs().await_seen(job.shard, job.change, 0s));
  EXPECT_EQ(open(run.no)->id, run.id);
  EXPECT_EQ(shown(ended.id).verdict, core::Verdict::succeeded);
  EXPECT_EQ(jobs().find_job(account(), job.id)->definition, job.definition);
  EXPECT_EQ(shard_read(job.shard).cursor, start_at + 2s);
  EXPECT_EQ(shard_read(job.shard).change, job.change);
}

}  // namespace cronally::conformance
