// What the ledger keeps: ended runs by age and by count, keys longer, open runs whatever.
#pragma once

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

// For stores whose `database` is not null.
class LedgerRetention : public StoreTest {
 protected:
  // Of a Keep that says nothing else.
  static constexpr Duration days_kept = 30 * 24h;

  store::Retention& retention() { return world->database()->retention(); }
  store::Ledger& ledger() { return world->database()->ledger(); }
  AccountNo account() const { return world->account(); }

  // A run that ended in success, due at `due`.
  core::OpenRun ended(const core::Job& job, Instant due) {
    auto run = claimed(job, due);
    EXPECT_EQ(commit_one(success(run)), ItemStatus::done);
    return run;
  }

  // Portions until there is no more.
  store::Pruned prune_all(const store::Keep& keep) {
    store::Pruned total;
    for (int portions = 0; portions < 1000; ++portions) {
      const auto pruned = retention().prune(keep);
      total.runs += pruned.runs;
      total.spans += pruned.spans;
      total.keys += pruned.keys;
      if (!pruned.more) return total;
    }
    ADD_FAILURE() << "there is always more";
    return total;
  }

  std::vector<RunId> kept() {
    std::vector<RunId> ids;
    for (const auto& run : ledger().list_runs(account(), {.limit = 1000})->items) {
      ids.push_back(run.id);
    }
    return ids;
  }
};

TEST_P(LedgerRetention, EndedRunsGoWhenTheyAreOlderThanTheirAge) {
  auto job = create("report");
  auto old = ended(job, at(0s));
  world->clock().advance(1h);
  auto young = ended(job, at(1h));
  world->clock().advance(days_kept - 1s);
  EXPECT_EQ(prune_all({}).runs, 1);
  EXPECT_FALSE(ledger().find_run(account(), old.id));
  EXPECT_THAT(kept(), ElementsAre(young.id));
  EXPECT_THAT(ledger().find_run(account(), young.id)->attempts, SizeIs(1));
  world->clock().advance(1s);
  EXPECT_EQ(prune_all({}).runs, 1);
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_P(LedgerRetention, OverTheirNumberTheOldestDueGo) {
  auto job = create("report");
  std::vector<core::OpenRun> runs;
  for (Duration due : {3s, 1s, 2s, 0s}) runs.push_back(ended(job, at(due - 10s)));
  world->clock().advance(1h);
  EXPECT_EQ(prune_all({.runs_max = 2}).runs, 2);
  EXPECT_THAT(kept(), ElementsAre(runs[0].id, runs[2].id));
  EXPECT_EQ(prune_all({.runs_max = 2}).runs, 0);
  EXPECT_EQ(retention().runs_kept(), 2);
}

TEST_P(LedgerRetention, YoungRunsStayHoweverMany) {
  auto job = create("report");
  ended(job, at(0s));
  world->clock().advance(store::Keep::young_age - 1us);
  EXPECT_EQ(prune_all({.runs_age = 1s, .runs_max = 1}).runs, 0);
  world->clock().advance(1us);
  EXPECT_EQ(prune_all({.runs_age = 1s, .runs_max = 1}).runs, 1);
}

TEST_P(LedgerRetention, AnOpenRunStaysHoweverOldAndHidesNoneBehindIt) {
  auto job = create("report");
  auto open = claimed(job, at(-3s));
  auto begun = claimed(job, at(-2s));
  commit({failure(begun, at(1s))});
  auto asked = request(job, "manual:1");
  auto after = ended(job, at(-1s));
  world->clock().advance(90 * 24h);
  EXPECT_EQ(prune_all({.runs_max = 1}).runs, 1);
  EXPECT_THAT(kept(), ElementsAre(asked.id, begun.id, open.id));
  EXPECT_FALSE(ledger().find_run(account(), after.id));
  EXPECT_THAT(ledger().find_run(account(), begun.id)->attempts, SizeIs(1));
}

TEST_P(LedgerRetention, ARunThatEndsLateGoesThen) {
  auto job = create("report");
  auto late = claimed(job, at(-1s));
  ended(job, at(0s));
  world->clock().advance(days_kept);
  EXPECT_EQ(prune_all({}).runs, 1);
  EXPECT_EQ(commit_one(success(late)), ItemStatus::done);
  EXPECT_EQ(prune_all({}).runs, 1);
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_P(LedgerRetention, APortionIsBoundedAndSaysThatThereIsMore) {
  auto job = create("report");
  std::vector<core::Item> claims;
  for (int i = 0; i < 1500; ++i) claims.emplace_back(claim(job, at(-2h + i * 1s)));
  std::vector<core::Item> ends;
  for (const auto& outcome : commit(std::move(claims))) {
    ends.emplace_back(
        core::End{outcome.run, job.shard, core::Verdict::failed, core::Reason::expired});
  }
  commit(std::move(ends));
  world->clock().advance(1h);
  auto first = retention().prune({.runs_max = 100});
  EXPECT_TRUE(first.more);
  EXPECT_GT(first.runs, 0);
  EXPECT_LE(first.runs, 1000);
  EXPECT_EQ(retention().runs_kept(), 1500 - first.runs);
  EXPECT_EQ(first.runs + prune_all({.runs_max = 100}).runs, 1400);
  EXPECT_THAT(kept(), SizeIs(100));
  EXPECT_EQ(kept().at(99), ledger().list_runs(account(), {.until = at(-2h + 1401s)})->items[0].id)
      << "the newest hundred are kept";
}

TEST_P(LedgerRetention, TheNumberOfRunsIsExactAlsoAfterARestart) {
  auto job = create("report");
  EXPECT_EQ(retention().runs_kept(), 0);
  ended(job, at(-1s));
  auto run = claim(job, at(1s));
  EXPECT_EQ(commit_one(run), ItemStatus::done);
  EXPECT_EQ(commit_one(run), ItemStatus::done) << "repeated";
  request(job, "manual:1");
  request(job, "manual:1");
  EXPECT_EQ(retention().runs_kept(), 3);
  auto paused = pause(job);
  replanned(paused, core::Replan::Change::paused);  // what was not due yet is deleted
  EXPECT_EQ(retention().runs_kept(), 2);
  EXPECT_THAT(kept(), SizeIs(2));
  world->reopen();
  EXPECT_EQ(retention().runs_kept(), 2);
}

TEST_P(LedgerRetention, ARunsNumberIsNeverGivenAgain) {
  auto job = create("report");
  auto old = ended(job, at(0s));
  world->clock().advance(days_kept);
  EXPECT_EQ(prune_all({}).runs, 1);
  world->reopen();
  acquire();
  EXPECT_GT(claimed(job, at(days_kept)).no, old.no) << "keys and watchers name runs by it";
}

TEST_P(LedgerRetention, AKeyOutlivesItsRun) {
  auto job = create("report");
  commit({success(requested(job, "manual:deploy"))});
  world->clock().advance(days_kept + 1s);
  auto pruned = prune_all({});
  EXPECT_EQ(pruned.runs, 1);
  EXPECT_EQ(pruned.keys, 0);
  auto again = jobs().request_run(account(), job.id, core::RunKind::manual, "manual:deploy",
                                  RunId{uuid_v7(at(0s), 1, 1)});
  ASSERT_FALSE(again) << "the occurrence was carried out once";
  EXPECT_EQ(again.error().code, "key_used");
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_P(LedgerRetention, AKeyIsForgottenAtItsOwnAge) {
  auto job = create("report");
  commit({success(requested(job, "manual:deploy"))});
  world->clock().advance(89 * 24h);
  EXPECT_EQ(prune_all({}).keys, 0);
  world->clock().advance(24h + 1s);
  EXPECT_EQ(prune_all({}).keys, 1);
  EXPECT_EQ(request(job, "manual:deploy").state, core::RunState::requested);
}

TEST_P(LedgerRetention, AKeyIsKeptAsLongAsItsRun) {
  auto job = create("report");
  auto open = requested(job, "manual:open");
  commit({success(requested(job, "manual:ended"))});
  world->clock().advance(100 * 24h);
  EXPECT_EQ(prune_all({.runs_age = 365 * 24h}).keys, 0) << "runs are kept longer than keys";
  EXPECT_EQ(prune_all({}).runs, 1);
  EXPECT_EQ(prune_all({}).keys, 1) << "its run has gone";
  EXPECT_EQ(request(job, "manual:open").id, open.id);
}

TEST_P(LedgerRetention, SpansOfSkipsGoWithTheirAge) {
  auto job = create("report");
  commit({core::Skip{job.no, job.shard, 1, at(-9s), at(-8s), core::Reason::catch_up_window},
          core::Skip{job.no, job.shard, 1, at(-8s), at(0s), core::Reason::catch_up_window}});
  world->clock().advance(days_kept - 1s);
  EXPECT_EQ(prune_all({}).spans, 1);
  auto left = ledger().list_skipped(account(), std::nullopt, 10);
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].to, at(0s)) << "its end is young enough";
}

}  // namespace cronally::conformance
