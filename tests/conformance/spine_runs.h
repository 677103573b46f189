// What becomes of a claimed run: begun, sent, taken over, ended; and runs asked for by hand.
#pragma once

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class SpineRuns : public StoreTest {
 protected:
  core::End ends(const core::OpenRun& run, core::Verdict verdict, core::Reason reason) {
    return {run.no, run.shard, verdict, reason};
  }
};

// ---- outcomes ---------------------------------------------------------------------------------

TEST_P(SpineRuns, EndWithTheirVerdictAndTheirAttempt) {
  auto job = create("report");
  auto run = claimed(job, at(1s));
  world->clock().advance(1s);
  auto item = success(run);
  item.result.response = std::string("a\0b\xff", 4);
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  world->reopen();
  EXPECT_FALSE(is_open(run.no));
  auto ended = ledger_run(run.id);
  EXPECT_EQ(ended.no, run.no);
  EXPECT_EQ(ended.job, job.id);
  EXPECT_EQ(ended.job_name, "report");
  EXPECT_EQ(ended.state, core::RunState::ended);
  EXPECT_EQ(ended.verdict, core::Verdict::succeeded);
  EXPECT_EQ(ended.reason, core::Reason::none);
  EXPECT_EQ(ended.fence, fence);
  EXPECT_TRUE(ended.ended_at);
  ASSERT_THAT(ended.attempts, SizeIs(1));
  const auto& attempt = ended.attempts[0];
  EXPECT_EQ(attempt.number, 1);
  EXPECT_EQ(attempt.revision, 1);
  EXPECT_EQ(attempt.fence, fence);
  EXPECT_EQ(attempt.node, node);
  EXPECT_EQ(attempt.result.fate, core::Fate::answered);
  EXPECT_EQ(attempt.result.status, 200);
  EXPECT_EQ(attempt.result.response, item.result.response) << "any bytes";
  EXPECT_EQ(attempt.result.first_byte_at, item.result.first_byte_at);
  EXPECT_EQ(attempt.result.ended_at, item.result.ended_at);
}

TEST_P(SpineRuns, GoAgainUnderTheNextNumber) {
  auto run = claimed(create("report"), at(1s));
  world->clock().advance(1s);
  auto item = failure(run, at(5s));
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  EXPECT_EQ(commit_one(item), ItemStatus::done) << "repeated";
  auto next = open_run(run.no);
  EXPECT_EQ(next.attempt, 2);
  EXPECT_EQ(next.send_at, at(5s));
  EXPECT_EQ(next.failures, 1);
  EXPECT_EQ(next.unknowns, 0);
  EXPECT_EQ(next.state, core::RunState::begun) << "an attempt is recorded";
  EXPECT_EQ(next.first_attempt_at, at(1s));
  EXPECT_EQ(next.due, at(1s));
  world->clock().advance(4s);
  EXPECT_EQ(commit_one(failure(next, at(9s))), ItemStatus::done);
  EXPECT_EQ(open_run(run.no).failures, 2);
  EXPECT_EQ(open_run(run.no).first_attempt_at, at(1s)) << "stays the first";
  EXPECT_THAT(ledger_run(run.id).attempts, SizeIs(2));
}

TEST_P(SpineRuns, CountAsAttemptedWhenNothingLeft) {
  auto run = claimed(create("report"), at(1s));
  auto item = failure(run, at(5s));
  item.result.fate = core::Fate::not_sent;
  item.result.status = 0;
  item.result.first_byte_at.reset();
  item.result.error = "connection refused";
  commit({item});
  EXPECT_EQ(open_run(run.no).first_attempt_at, item.result.ended_at);
  auto attempt = ledger_run(run.id).attempts.at(0);
  EXPECT_EQ(attempt.result.fate, core::Fate::not_sent);
  EXPECT_EQ(attempt.result.error, "connection refused");
  EXPECT_FALSE(attempt.result.first_byte_at);
}

TEST_P(SpineRuns, KeepTheirVerdictAgainstALateOutcome) {
  auto run = claimed(create("report"), at(1s));
  commit({failure(run, at(2s))});
  auto second = open_run(run.no);
  commit({success(second)});
  EXPECT_EQ(commit_one(failure(second, at(9s))), ItemStatus::gone);
  EXPECT_EQ(commit_one(success(run)), ItemStatus::gone) << "an attempt that is past";
  EXPECT_EQ(commit_one(ends(run, core::Verdict::unknown, core::Reason::fate_unknown)),
            ItemStatus::gone);
  EXPECT_EQ(ledger_run(run.id).verdict, core::Verdict::succeeded);
  EXPECT_FALSE(is_open(run.no));
}

TEST_P(SpineRuns, EndWithoutAnAttempt) {
  auto run = claimed(create("report"), at(1s));
  auto end = ends(run, core::Verdict::failed, core::Reason::expired);
  EXPECT_EQ(commit_one(end), ItemStatus::done);
  EXPECT_EQ(commit_one(end), ItemStatus::done) << "repeated";
  auto ended = ledger_run(run.id);
  EXPECT_EQ(ended.verdict, core::Verdict::failed);
  EXPECT_EQ(ended.reason, core::Reason::expired);
  EXPECT_THAT(ended.attempts, IsEmpty());
}

// ---- at most once -----------------------------------------------------------------------------

TEST_P(SpineRuns, BeginOnce) {
  auto run = claimed(create("report"), at(1s));
  EXPECT_EQ(commit_one(core::Begin{run.no, run.shard, 2}), ItemStatus::gone) << "not its number";
  EXPECT_EQ(commit_one(core::Begin{run.no, run.shard, 1}), ItemStatus::done);
  EXPECT_EQ(open_run(run.no).state, core::RunState::begun);
  EXPECT_EQ(commit_one(core::Begin{run.no, run.shard, 1}), ItemStatus::done) << "repeated";
  commit({success(run)});
  EXPECT_EQ(commit_one(core::Begin{run.no, run.shard, 1}), ItemStatus::gone);
}

TEST_P(SpineRuns, AreTakenBackThatHaveBegunAndNotLeft) {
  auto run = claimed(create("report"), at(1s));
  commit({core::Begin{run.no, run.shard, 1}});
  const core::Begin back{run.no, run.shard, 1, true};
  EXPECT_EQ(commit_one(back), ItemStatus::done);
  EXPECT_EQ(open_run(run.no).state, core::RunState::claimed);
  EXPECT_EQ(ledger_run(run.id).state, core::RunState::claimed);
  EXPECT_EQ(commit_one(back), ItemStatus::done) << "repeated";
  acquire();
  EXPECT_EQ(commit_one(back), ItemStatus::gone) << "in the next owner's name";
  commit({core::Takeover{run.no, run.shard, 1, false}, core::Begin{run.no, run.shard, 1}});
  EXPECT_EQ(open_run(run.no).state, core::RunState::begun);
  EXPECT_EQ(open_run(run.no).attempt, 1);
}

TEST_P(SpineRuns, BeginForNobodyWhoHasNotTakenThemOver) {
  auto run = claimed(create("report"), at(1s));
  acquire();
  EXPECT_EQ(commit_one(core::Begin{run.no, run.shard, 1}), ItemStatus::gone);
  run.fence = fence;
  EXPECT_EQ(commit_one(success(run)), ItemStatus::gone);
  EXPECT_TRUE(is_open(run.no));
}

// ---- takeovers --------------------------------------------------------------------------------

TEST_P(SpineRuns, KeepTheirNumberWhenNothingCanHaveLeft) {
  auto run = claimed(create("report"), at(1s));
  acquire();
  core::Takeover takeover{run.no, run.shard, 1, false};
  EXPECT_EQ(commit_one(takeover), ItemStatus::done);
  EXPECT_EQ(commit_one(takeover), ItemStatus::done) << "repeated";
  auto taken = open_run(run.no);
  EXPECT_EQ(taken.fence, fence);
  EXPECT_EQ(taken.attempt, 1);
  EXPECT_EQ(taken.unknowns, 0);
  EXPECT_EQ(taken.send_at, at(1s));
  EXPECT_EQ(commit_one(success(taken)), ItemStatus::done);
}

TEST_P(SpineRuns, TakeTheNextNumberWhenARequestMayHaveLeft) {
  auto run = claimed(create("report"), at(1s));
  acquire();
  core::Takeover takeover{run.no, run.shard, 1, true};
  EXPECT_EQ(commit_one(takeover), ItemStatus::done);
  EXPECT_EQ(commit_one(takeover), ItemStatus::done) << "repeated";
  auto taken = open_run(run.no);
  EXPECT_EQ(taken.attempt, 2);
  EXPECT_EQ(taken.unknowns, 1);
  EXPECT_EQ(taken.failures, 0) << "a restart does not eat the retry budget";
  EXPECT_EQ(commit_one(success(run)), ItemStatus::fenced) << "the old owner's";
  run.fence = fence;
  EXPECT_EQ(commit_one(success(run)), ItemStatus::gone) << "the number of the old owner";
  acquire();
  EXPECT_EQ(commit_one(core::Takeover{run.no, run.shard, 1, true}), ItemStatus::gone);
}

TEST_P(SpineRuns, AreEndedByANewOwnerWithoutATakeover) {
  auto run = claimed(create("report"), at(1s));
  commit({core::Begin{run.no, run.shard, 1}});
  acquire();
  EXPECT_EQ(commit_one(ends(run, core::Verdict::unknown, core::Reason::fate_unknown)),
            ItemStatus::done);
  EXPECT_EQ(ledger_run(run.id).verdict, core::Verdict::unknown);
}

// ---- reading open runs ------------------------------------------------------------------------

TEST_P(SpineRuns, AreReadOldestFirstUpToALimit) {
  auto job = create("report");
  auto third = claimed(job, at(3s)).no;
  auto first = claimed(job, at(1s)).no;
  auto second = claimed(job, at(2s)).no;
  EXPECT_THAT(open_numbers(), ElementsAre(first, second, third));
  EXPECT_THAT(spine().read_open_runs(all_shards(), at(2s), 10), SizeIs(2));
  auto limited = spine().read_open_runs(all_shards(), at(9s), 1);
  ASSERT_THAT(limited, SizeIs(1));
  EXPECT_EQ(limited[0].no, first);
}

TEST_P(SpineRuns, AreReadByWhenTheyAreSentNext) {
  auto run = claimed(create("report"), at(1s));
  commit({failure(run, at(1min))});
  EXPECT_THAT(spine().read_open_runs(all_shards(), at(59s), 10), IsEmpty());
  EXPECT_THAT(spine().read_open_runs(all_shards(), at(1min), 10), SizeIs(1));
}

TEST_P(SpineRuns, OfAPausedJobAreHeldUntilItResumes) {
  auto job = create("report");
  world->clock().advance(1s);
  auto run = claimed(job, at(1s));
  world->clock().advance(1s);
  auto paused = pause(job);
  EXPECT_THAT(open_runs(), IsEmpty());
  replanned(paused, core::Replan::Change::paused);
  EXPECT_THAT(open_runs(), IsEmpty());
  world->clock().advance(1s);
  auto by_hand = requested(paused, "manual:now");
  EXPECT_THAT(open_numbers(), ElementsAre(by_hand.no)) << "asked for while it was paused";
  resume(paused);
  EXPECT_THAT(open_numbers(), ElementsAre(run.no, by_hand.no));
}

TEST_P(SpineRuns, OfAPausedJobAreHeldNoMoreOnceItIsDeleted) {
  auto job = create("report");
  auto run = claimed(job, at(1s));
  world->clock().advance(2s);
  auto removed = remove(pause(job));
  auto item = replan(removed, core::Replan::Change::deleted);
  item.in_flight = {run.no};
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  acquire();
  EXPECT_THAT(open_numbers(), ElementsAre(run.no)) << "else nobody ends what its owner left";
  EXPECT_GT(spine().behind().sending, 0s);
}

// ---- by hand ----------------------------------------------------------------------------------

TEST_P(SpineRuns, AskedForAreToldToTheOwnerOnce) {
  auto job = create("report");
  auto run = request(job, "manual:1");
  EXPECT_EQ(run.state, core::RunState::requested);
  EXPECT_EQ(run.kind, core::RunKind::manual);
  EXPECT_EQ(run.key, "manual:1");
  EXPECT_EQ(run.job, job.id);
  EXPECT_THAT(open_runs(), IsEmpty()) << "nobody owns it yet";
  auto told = spine().wait_for_changes({{job.shard, job.change}}, 1min);
  ASSERT_THAT(told.requested, SizeIs(1));
  EXPECT_EQ(told.requested[0].no, run.no);
  EXPECT_EQ(told.requested[0].id, run.id);
  EXPECT_EQ(told.requested[0].state, core::RunState::requested);
  EXPECT_EQ(told.requested[0].fence, Fence{0});
  EXPECT_THAT(all_changes().requested, IsEmpty()) << "told already";
  world->reopen();
  acquire();
  told = spine().wait_for_changes({{job.shard, job.change}}, 1min);
  EXPECT_THAT(told.requested, SizeIs(1)) << "a new process is told again";
}

TEST_P(SpineRuns, AskedForAreAcceptedOnce) {
  auto job = create("report");
  auto run = request(job, "manual:1");
  core::Accept accept{run.no, job.shard};
  EXPECT_EQ(commit_one(accept), ItemStatus::done);
  EXPECT_EQ(commit_one(accept), ItemStatus::done) << "repeated";
  auto open = open_run(run.no);
  EXPECT_EQ(open.state, core::RunState::claimed);
  EXPECT_EQ(open.fence, fence);
  EXPECT_EQ(open.attempt, 1);
  EXPECT_EQ(commit_one(success(open)), ItemStatus::done);
  EXPECT_EQ(commit_one(accept), ItemStatus::gone);
  world->reopen();
  acquire();
  EXPECT_THAT(all_changes().requested, IsEmpty());
}

TEST_P(SpineRuns, AskedForTwiceUnderOneKeyAreOne) {
  auto job = create("report");
  auto run = request(job, "manual:1");
  EXPECT_EQ(request(job, "manual:1").no, run.no);
  EXPECT_NE(request(job, "manual:2").no, run.no);
  EXPECT_NE(request(create("other"), "manual:1").no, run.no);
  commit({success(requested(job, "manual:3"))});
  EXPECT_EQ(request(job, "manual:3").verdict, core::Verdict::succeeded) << "as it is now";
  world->reopen();
  EXPECT_EQ(request(job, "manual:1").id, run.id);
}

TEST_P(SpineRuns, AskedForAreFoundByTheirId) {
  auto job = create("report");
  RunId early{uuid_v7(at(-1h), 3, 4)};
  auto run = jobs().request_run(world->account(), job.id, core::RunKind::manual, "manual:1", early);
  ASSERT_TRUE(run);
  EXPECT_EQ(ledger_run(run->id).no, run->no) << "though the id was made before the store's due";
}

TEST_P(SpineRuns, AskedForNeedAJob) {
  auto gone = remove(create("gone"));
  for (auto job : {gone.id, fresh_job_id()}) {
    auto run = jobs().request_run(world->account(), job, core::RunKind::manual, "manual:1",
                                  RunId{uuid_v7(at(0s), 1, 1)});
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, "not_found");
  }
}

}  // namespace cronally::conformance
