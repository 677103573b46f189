// Acquiring, claiming, skipping, and the fence.
#pragma once

#include <set>

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class SpineClaims : public StoreTest {};

// ---- the fence --------------------------------------------------------------------------------

TEST_P(SpineClaims, GiveEveryOwnerAHigherFence) {
  auto first = fence;
  acquire();
  EXPECT_GT(fence, first);
  auto second = fence;
  world->reopen();
  acquire();
  EXPECT_GT(fence, second);
  EXPECT_LT(fence.value, std::int64_t{1} << 53) << "JSON carries it";
  EXPECT_GE(fence.value, std::int64_t{1} << 36) << "the generation is part of it";
}

TEST_P(SpineClaims, HandOutEveryShard) {
  std::set<std::int64_t> numbers;
  for (const auto& shard : grant.shards) numbers.insert(shard.no.value);
  EXPECT_THAT(numbers, SizeIs(shard_count));
  EXPECT_EQ(*numbers.begin(), 0);
  EXPECT_EQ(*numbers.rbegin(), shard_count - 1);
}

TEST_P(SpineClaims, WriteNothingForAFenceThatIsPast) {
  auto job = create("report");
  auto run = claimed(job, at(1s));
  auto past = fence;
  acquire();
  auto current = std::exchange(fence, past);
  core::Skip skip{job.no, job.shard, 1, at(2s), at(3s), core::Reason::catch_up_skip};
  auto outcomes =
      commit({claim(job, at(2s)), skip, core::Advance{job.shard, at(1h), 99},
              replan(job, core::Replan::Change::created), core::Begin{run.no, job.shard, 1},
              core::Takeover{run.no, job.shard, 1, true},
              core::End{run.no, job.shard, core::Verdict::cancelled, core::Reason::deleted}});
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.status, ItemStatus::fenced);
  EXPECT_THAT(open_numbers(), ElementsAre(run.no));
  EXPECT_EQ(open_run(run.no).attempt, 1);
  EXPECT_THAT(ledger_run(run.id).attempts, IsEmpty());
  EXPECT_THAT(world->skipped(), IsEmpty());
  EXPECT_FALSE(jobs().await_seen(job.shard, 99, 0ms));
  fence = current;
  acquire();
  EXPECT_LT(grant.shards.at(static_cast<std::size_t>(job.shard.value)).cursor, at(1h));
  EXPECT_FALSE(grant.jobs.at(0).planned);
}

TEST_P(SpineClaims, RecordWhatBecameOfARequestUntilItsRunIsTakenOver) {
  auto job = create("report");
  auto told = claimed(job, at(1s));
  auto taken = claimed(job, at(2s));
  acquire();
  EXPECT_EQ(commit_one(core::Takeover{taken.no, job.shard, 1, true}), ItemStatus::done);
  auto outcomes = commit({success(told), success(taken)});
  EXPECT_EQ(outcomes[0].status, ItemStatus::done) << "nobody else has touched it";
  EXPECT_EQ(outcomes[1].status, ItemStatus::fenced);
  EXPECT_EQ(ledger_run(told.id).verdict, core::Verdict::succeeded);
  EXPECT_TRUE(is_open(taken.no));
  EXPECT_EQ(open_run(taken.no).attempt, 2);
}

// ---- what the machine starts from -------------------------------------------------------------

TEST_P(SpineClaims, StartFromTheCommittedCursors) {
  commit({core::Advance{ShardNo{3}, at(9s), 0}, core::Advance{ShardNo{3}, at(5s), 0}});
  world->reopen();
  acquire();
  for (const auto& shard : grant.shards) {
    if (shard.no == ShardNo{3}) EXPECT_EQ(shard.cursor, at(9s)) << "a cursor never goes back";
    if (shard.no == ShardNo{4}) EXPECT_EQ(shard.cursor, start_instant) << "its creation";
  }
}

TEST_P(SpineClaims, StartFromEveryLiveJobAndEveryChangeNotYetPlanned) {
  auto live = create("live");
  auto gone = create("gone");
  replanned(live, core::Replan::Change::created);
  auto removed = remove(gone);
  world->reopen();
  acquire();
  ASSERT_THAT(grant.jobs, SizeIs(2));
  std::ranges::sort(grant.jobs, {}, &store::JobPlan::no);
  EXPECT_TRUE(grant.jobs[0].planned);
  EXPECT_FALSE(grant.jobs[0].deleted);
  EXPECT_TRUE(grant.jobs[1].deleted);
  EXPECT_FALSE(grant.jobs[1].planned);
  EXPECT_EQ(grant.jobs[1].last_change, core::Replan::Change::deleted);
  EXPECT_EQ(grant.jobs[1].revision, removed.revision);
  EXPECT_EQ(grant.jobs[1].changed_at, removed.updated_at);
  replanned(removed, core::Replan::Change::deleted);
  acquire();
  EXPECT_THAT(grant.jobs, SizeIs(1)) << "a deleted job that is accounted for";
}

TEST_P(SpineClaims, TellTheMachineWhatAJobSays) {
  auto made = definition("report");
  made.schedule = "0 9 * * MON";
  made.zone = "Europe/Riga";
  made.dst = cron::Dst::skip;
  made.target = core::HttpTarget{.url = "http://Example.com:8080/x?y={{run.id}}"};
  made.delivery = core::DeliveryMode::at_most_once;
  made.retry = {.attempts = 1, .backoff_min = 2s, .backoff_max = 9s, .age_max = 7min};
  made.catch_up = {.mode = core::CatchUpMode::all, .window = 2h, .limit = 17};
  auto job = create(made);
  acquire();
  ASSERT_THAT(grant.jobs, SizeIs(1));
  const auto& plan = grant.jobs[0];
  EXPECT_EQ(plan.no, job.no);
  EXPECT_EQ(plan.id, job.id);
  EXPECT_EQ(plan.shard, shard_of(job.id));
  EXPECT_EQ(plan.revision, 1);
  EXPECT_EQ(plan.name, "report");
  EXPECT_EQ(plan.schedule, made.schedule);
  EXPECT_EQ(plan.zone, made.zone);
  EXPECT_EQ(plan.dst, made.dst);
  EXPECT_EQ(plan.anchor, job.anchor);
  EXPECT_EQ(plan.changed_at, job.updated_at);
  EXPECT_EQ(plan.change, job.change);
  EXPECT_EQ(plan.delivery, made.delivery);
  EXPECT_EQ(plan.retry, made.retry);
  EXPECT_EQ(plan.catch_up, made.catch_up);
  EXPECT_EQ(plan.destination, "http://example.com:8080");
  EXPECT_EQ(plan.last_change, core::Replan::Change::created);
  EXPECT_FALSE(plan.planned);
  EXPECT_FALSE(plan.paused);
}

TEST_P(SpineClaims, StartFromEachJobOnceHoweverManyThereAre) {
  constexpr std::size_t count = 3'000;  // more than a store reads at a time
  std::vector<store::JobDraft> drafts;
  for (std::size_t i = 0; i < count; ++i) {
    drafts.push_back({fresh_job_id(), definition("job " + std::to_string(i)), {}});
  }
  ASSERT_TRUE(jobs().create_jobs(world->account(), drafts, store::Existing::fail, std::nullopt));
  acquire();
  std::set<std::string> names;
  for (const auto& plan : grant.jobs) names.insert(plan.name);
  EXPECT_THAT(grant.jobs, SizeIs(count));
  EXPECT_THAT(names, SizeIs(count));
}

TEST_P(SpineClaims, RememberTheNewestClockOfAnyCommit) {
  world->clock().advance(10min);
  create("report");
  world->clock().step_wall(-1h);
  world->reopen();
  acquire();
  EXPECT_GE(grant.resume_at, at(10min)) << "nothing is sent until this is passed";
}

TEST_P(SpineClaims, CountWhatPassedWhileNoServerRan) {
  create("report");
  world->clock().advance(40s);  // runs claimed before may have been sent in this time
  world->clock().step_wall(-1h);
  world->reopen();
  acquire();
  EXPECT_GE(grant.resume_at, at(40s));
  world->reopen();
  acquire();
  EXPECT_GE(grant.resume_at, at(40s)) << "a start that sent nothing forgets nothing";
  EXPECT_LT(grant.resume_at, at(41s)) << "and adds nothing";
}

// ---- claims -----------------------------------------------------------------------------------

TEST_P(SpineClaims, MakeARunThatIsReadAfterAReopening) {
  auto job = create("report");
  auto item = claim(job, at(1s));
  auto outcome = commit({item}).at(0);
  EXPECT_EQ(outcome.status, ItemStatus::done);
  world->reopen();
  auto runs = open_runs();
  ASSERT_THAT(runs, SizeIs(1));
  const auto& run = runs[0];
  EXPECT_EQ(run.no, outcome.run);
  EXPECT_EQ(run.id, item.id);
  EXPECT_EQ(run.job, job.no);
  EXPECT_EQ(run.shard, job.shard);
  EXPECT_EQ(run.revision, 1);
  EXPECT_EQ(run.kind, core::RunKind::scheduled);
  EXPECT_EQ(run.state, core::RunState::claimed);
  EXPECT_EQ(run.scheduled_at, at(1s));
  EXPECT_EQ(run.due, at(1s));
  EXPECT_EQ(run.send_at, at(1s));
  EXPECT_EQ(run.fence, fence);
  EXPECT_EQ(run.attempt, 1);
  EXPECT_EQ(run.failures, 0);
  EXPECT_EQ(run.unknowns, 0);
  EXPECT_FALSE(run.first_attempt_at);
}

TEST_P(SpineClaims, MeanTheSameWhenRepeated) {
  auto job = create("report");
  std::vector<core::Item> items{claim(job, at(1s)), core::Advance{job.shard, at(1s), 0},
                                claim(job, at(2s))};
  auto first = commit(items);
  auto again = commit(items);
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(first[i].status, ItemStatus::done);
    EXPECT_EQ(again[i].status, ItemStatus::done);
    EXPECT_EQ(again[i].run, first[i].run);
  }
  EXPECT_THAT(open_numbers(), ElementsAre(first[0].run, first[2].run));
}

TEST_P(SpineClaims, AreFoundAgainAfterTheJobHasChanged) {
  auto job = create("report");
  auto item = claim(job, at(1s));
  auto run = commit({item}).at(0).run;
  describe(job, "another");
  auto again = commit({item}).at(0);
  EXPECT_EQ(again.status, ItemStatus::done) << "it did commit, whatever came after";
  EXPECT_EQ(again.run, run);
}

TEST_P(SpineClaims, GiveAnOccurrenceToOneRunOnly) {
  auto job = create("report");
  auto run = claimed(job, at(1s));
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::present);
  commit({success(run)});
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::present) << "ended runs count";
  EXPECT_EQ(commit_one(claim(create("other"), at(1s))), ItemStatus::done);
}

TEST_P(SpineClaims, AreJudgedByTheStoresOwnClock) {
  auto job = create("report");
  EXPECT_EQ(commit_one(claim(job, at(core::lead_max))), ItemStatus::done);
  EXPECT_EQ(commit_one(claim(job, at(core::lead_max + 1us))), ItemStatus::early);
  EXPECT_THAT(open_numbers(), SizeIs(1));
  world->clock().advance(1us);
  EXPECT_EQ(commit_one(claim(job, at(core::lead_max + 1us))), ItemStatus::done);
}

TEST_P(SpineClaims, AreStaleOnceTheJobHasChanged) {
  auto changed = create("changed");
  describe(changed, "another");
  EXPECT_EQ(commit_one(claim(changed, at(1s))), ItemStatus::stale);
  auto paused = pause(create("paused"));
  EXPECT_EQ(commit_one(claim(paused, at(1s))), ItemStatus::stale);
  auto deleted = remove(create("deleted"));
  EXPECT_EQ(commit_one(claim(deleted, at(1s))), ItemStatus::stale);
  EXPECT_THAT(open_numbers(), IsEmpty());
}

TEST_P(SpineClaims, OfAnEditedJobAreStaleUnlessTheOwnerHasSeenTheEdit) {
  auto first = create("report");
  auto other = create("other");
  auto unseen = describe(first, "changed");
  std::vector<core::Item> items{claim(first, at(1s)), claim(other, at(1s)),
                                core::Advance{first.shard, at(1s), first.change},
                                core::Advance{other.shard, at(1s), other.change}};
  auto outcomes = commit(items);
  EXPECT_EQ(outcomes.at(0).status, ItemStatus::stale);
  EXPECT_EQ(outcomes.at(1).status, ItemStatus::done);
  outcomes = commit({claim(unseen, at(2s)), core::Advance{unseen.shard, at(2s), unseen.change}});
  EXPECT_EQ(outcomes.at(0).status, ItemStatus::done);
}

TEST_P(SpineClaims, HoldTheirCursorBackWhenTheyAreEarly) {
  auto job = create("report");
  const auto due = at(core::lead_max + 1s);
  const core::Advance advance{job.shard, due + 1s, 0};
  auto outcomes = commit({claim(job, at(1s)), claim(job, due), claim(job, due + 1s), advance});
  EXPECT_EQ(outcomes[0].status, ItemStatus::done);
  EXPECT_EQ(outcomes[1].status, ItemStatus::early);
  acquire();
  auto cursor = [&] { return grant.shards.at(static_cast<std::size_t>(job.shard.value)).cursor; };
  EXPECT_EQ(cursor(), due - 1us) << "what is not claimed is not accounted for";
  world->clock().advance(5s);
  commit({claim(job, due), claim(job, due + 1s), advance});
  acquire();
  EXPECT_EQ(cursor(), advance.cursor);
}

TEST_P(SpineClaims, AnswerEachItemInItsPlace) {
  auto job = create("report");
  auto taken = claimed(job, at(1s));
  auto outcomes = commit(
      {claim(job, at(1s)), claim(job, at(2s)), claim(job, at(1h)), success(taken), success(taken)});
  EXPECT_EQ(outcomes[0].status, ItemStatus::present);
  EXPECT_EQ(outcomes[1].status, ItemStatus::done);
  EXPECT_EQ(outcomes[2].status, ItemStatus::early);
  EXPECT_EQ(outcomes[3].status, ItemStatus::done);
  EXPECT_EQ(outcomes[4].status, ItemStatus::done) << "the same item again";
}

TEST_P(SpineClaims, CommitInTheOrderOfTheirSubmission) {
  std::vector<int> order;
  std::promise<void> all;
  for (int i = 0; i < 50; ++i) {
    spine().submit({fence, {core::Advance{ShardNo{0}, at(i * 1s), 0}}}, [&, i](core::BatchFate) {
      order.push_back(i);
      if (i == 49) all.set_value();
    });
  }
  all.get_future().wait();
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_THAT(order, SizeIs(50));
}

TEST_P(SpineClaims, MayBeNone) {
  auto fate = fate_of({});
  ASSERT_TRUE(std::holds_alternative<core::BatchCommitted>(fate));
  EXPECT_THAT(std::get<core::BatchCommitted>(fate).outcomes, IsEmpty());
  EXPECT_GE(std::get<core::BatchCommitted>(fate).at, start_instant) << "the store's clock";
}

// ---- skips ------------------------------------------------------------------------------------

TEST_P(SpineClaims, RecordWhatWillNotRunOnce) {
  auto job = create("report");
  core::Skip skip{job.no, job.shard, 1, at(0s), at(9s), core::Reason::catch_up_latest};
  EXPECT_EQ(commit_one(skip), ItemStatus::done);
  EXPECT_EQ(commit_one(skip), ItemStatus::done);
  auto spans = world->skipped();
  ASSERT_THAT(spans, SizeIs(1));
  EXPECT_EQ(spans[0].job, job.id);
  EXPECT_EQ(spans[0].from, at(0s));
  EXPECT_EQ(spans[0].to, at(9s));
  EXPECT_EQ(spans[0].reason, core::Reason::catch_up_latest);
  EXPECT_FALSE(spans[0].count);
  skip.revision = 7;
  skip.to = at(10s);
  EXPECT_EQ(commit_one(skip), ItemStatus::stale);
  EXPECT_THAT(world->skipped(), SizeIs(1));
}

TEST_P(SpineClaims, HaveTheirSkipsCountedLater) {
  auto job = create("report");
  commit({core::Skip{job.no, job.shard, 1, at(0s), at(9s), core::Reason::catch_up_latest}});
  change(job, [](auto& edited) { edited.schedule = "@every 1h"; });
  auto spans = spine().uncounted_spans(10);
  ASSERT_THAT(spans, SizeIs(1));
  EXPECT_EQ(spans[0].from, at(0s));
  EXPECT_EQ(spans[0].to, at(9s));
  EXPECT_EQ(spans[0].job.schedule, "@every 1s") << "as of the span's revision";
  EXPECT_EQ(spans[0].job.anchor, job.anchor);
  EXPECT_EQ(spans[0].job.name, "report");
  spine().set_span_counts({{spans[0].no, 9}});
  EXPECT_THAT(spine().uncounted_spans(10), IsEmpty());
  EXPECT_EQ(world->skipped().at(0).count, 9);
}

}  // namespace cronally::conformance
