// What a store that can forget does with runs that nodes remember (Spine::reassert,
// docs/design/journal.md).
#pragma once

#include "core/journal.h"
#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

using core::PutBack;

class SpinePuttingBack : public StoreTest {
 protected:
  core::RememberedRun remembered(const core::Job& job, const core::OpenRun& run) {
    return {.node = node, .job = job.id, .run = run};
  }
  // A claim whose commit is forgotten.
  core::RememberedRun lost(const core::Job& job, Instant due) {
    const core::Claim made = claim(job, due);
    return remembered(job, {.id = made.id,
                            .job = job.no,
                            .shard = job.shard,
                            .revision = job.revision,
                            .scheduled_at = due,
                            .due = due,
                            .fence = fence,
                            .send_at = due});
  }
  core::RememberedRun succeeded(core::RememberedRun known) {
    known.run.state = core::RunState::ended;
    known.verdict = core::Verdict::succeeded;
    known.attempts.push_back({.number = known.run.attempt,
                              .revision = known.run.revision,
                              .fence = known.run.fence,
                              .fate = core::Fate::answered,
                              .status = 204,
                              .first_byte_at = known.run.due,
                              .ended_at = known.run.due + 5ms});
    return known;
  }
  PutBack put_back(const core::RememberedRun& known) { return spine().reassert({known}).at(0); }
  core::OpenRun only_open() {
    const auto open = open_runs();
    EXPECT_THAT(open, SizeIs(1));
    return open.empty() ? core::OpenRun{} : open[0];
  }
};

TEST_P(SpinePuttingBack, ARunThatIsForgottenIsThereAsItWas) {
  auto job = create("report");
  auto known = lost(job, at(-1s));
  known.run.attempt = 3;
  known.run.state = core::RunState::begun;
  known.run.failures = 1;
  known.run.unknowns = 1;
  known.run.first_attempt_at = at(-30s);
  known.run.send_at = at(4s);
  EXPECT_EQ(put_back(known), PutBack::inserted);
  const auto run = only_open();
  EXPECT_EQ(run.id, known.run.id);
  EXPECT_EQ(run.job, job.no);
  EXPECT_EQ(run.shard, job.shard);
  EXPECT_EQ(run.due, at(-1s));
  EXPECT_EQ(run.fence, fence);
  EXPECT_EQ(run.attempt, 3);
  EXPECT_EQ(run.state, core::RunState::begun);
  EXPECT_EQ(run.failures, 1);
  EXPECT_EQ(run.unknowns, 1);
  EXPECT_EQ(run.first_attempt_at, at(-30s));
  EXPECT_EQ(run.send_at, at(4s));
  EXPECT_EQ(put_back(known), PutBack::known) << "once more";
  EXPECT_THAT(open_runs(), SizeIs(1));
}

TEST_P(SpinePuttingBack, NobodyClaimsItsOccurrenceAnew) {
  auto job = create("report");
  EXPECT_EQ(put_back(lost(job, at(-1s))), PutBack::inserted);
  EXPECT_EQ(commit_one(claim(job, at(-1s))), ItemStatus::present);
  const auto run = only_open();
  acquire();
  EXPECT_EQ(commit_one(core::Takeover{run.no, run.shard, 1, true}), ItemStatus::done);
  EXPECT_EQ(only_open().attempt, 2) << "under the next number";
}

TEST_P(SpinePuttingBack, ARunThatHadEndedHasItsVerdictAndItsAttempt) {
  auto job = create("report");
  const auto known = succeeded(lost(job, at(-1s)));
  EXPECT_EQ(put_back(known), PutBack::inserted);
  EXPECT_THAT(open_runs(), IsEmpty());
  const auto run = ledger_run(known.run.id);
  EXPECT_EQ(run.verdict, core::Verdict::succeeded);
  ASSERT_THAT(run.attempts, SizeIs(1));
  EXPECT_EQ(run.attempts[0].result.status, 204);
  EXPECT_EQ(run.attempts[0].node, node);
  EXPECT_EQ(put_back(known), PutBack::known);
  EXPECT_EQ(commit_one(claim(job, at(-1s))), ItemStatus::present);
}

TEST_P(SpinePuttingBack, ARunThatIsBehindIsRaised) {
  auto job = create("report");
  const auto run = claimed(job, at(-1s));
  auto known = remembered(job, run);
  known.run.attempt = 4;
  known.run.state = core::RunState::begun;
  known.run.failures = 3;
  known.run.send_at = at(9s);
  EXPECT_EQ(put_back(known), PutBack::raised);
  EXPECT_EQ(only_open().no, run.no);
  EXPECT_EQ(only_open().attempt, 4);
  EXPECT_EQ(only_open().send_at, at(9s));
  EXPECT_EQ(only_open().failures, 3);
  EXPECT_EQ(put_back(known), PutBack::known);
}

TEST_P(SpinePuttingBack, ATakeoverThatIsForgottenRaisesTheFence) {
  auto job = create("report");
  auto known = remembered(job, claimed(job, at(-1s)));
  acquire();
  known.run.fence = fence;
  EXPECT_EQ(put_back(known), PutBack::raised);
  EXPECT_EQ(only_open().fence, fence);
}

TEST_P(SpinePuttingBack, ARequestThatWasAcceptedIsSoAgain) {
  auto job = create("report");
  const auto request_made = request(job, "manual:1");
  auto known = remembered(job, {.id = request_made.id,
                                .shard = job.shard,
                                .revision = 1,
                                .kind = core::RunKind::manual,
                                .scheduled_at = request_made.due,
                                .due = request_made.due,
                                .fence = fence,
                                .send_at = request_made.due});
  EXPECT_EQ(put_back(known), PutBack::raised);
  EXPECT_EQ(only_open().state, core::RunState::claimed);
  EXPECT_EQ(only_open().no, request_made.no);
}

TEST_P(SpinePuttingBack, ARunOnRequestThatIsForgottenHasAKeyOfItsOwn) {
  auto job = create("report");
  auto known = lost(job, at(-1s));
  known.run.kind = core::RunKind::manual;
  EXPECT_EQ(put_back(known), PutBack::inserted);
  EXPECT_EQ(put_back(known), PutBack::known);
  EXPECT_EQ(ledger_run(known.run.id).kind, core::RunKind::manual);
  EXPECT_EQ(commit_one(claim(job, at(-1s))), ItemStatus::done) << "no occurrence of the schedule";
}

TEST_P(SpinePuttingBack, AnEndThatIsForgottenEndsTheRun) {
  auto job = create("report");
  const auto run = claimed(job, at(-1s));
  EXPECT_EQ(put_back(succeeded(remembered(job, run))), PutBack::ended);
  EXPECT_THAT(open_runs(), IsEmpty());
  EXPECT_EQ(ledger_run(run.id).verdict, core::Verdict::succeeded);
  EXPECT_THAT(ledger_run(run.id).attempts, SizeIs(1));
}

TEST_P(SpinePuttingBack, ASuccessThatIsForgottenStandsOverAnotherEnd) {
  auto job = create("report");
  auto expired = lost(job, at(-1s));
  const auto first = succeeded(expired);
  acquire();
  expired.run.fence = fence;  // by who took it over, and was about to end it
  expired.run.state = core::RunState::ended;
  expired.verdict = core::Verdict::failed;
  expired.reason = core::Reason::expired;
  EXPECT_EQ(put_back(expired), PutBack::inserted);
  EXPECT_EQ(put_back(first), PutBack::ended);
  EXPECT_EQ(ledger_run(first.run.id).verdict, core::Verdict::succeeded);
  EXPECT_EQ(ledger_run(first.run.id).reason, core::Reason::none);
  EXPECT_THAT(ledger_run(first.run.id).attempts, SizeIs(1));
  EXPECT_EQ(put_back(first), PutBack::known);
  EXPECT_EQ(put_back(expired), PutBack::known);
}

// The takeover under the higher number was written down and perhaps never made: the success was.
TEST_P(SpinePuttingBack, ASuccessThatIsForgottenEndsARunThatIsFurtherOn) {
  auto job = create("report");
  auto taken_over = lost(job, at(-1s));
  taken_over.run.fence = Fence{1};  // of the generation before
  const auto first = succeeded(taken_over);
  taken_over.run.fence = Fence{2};
  taken_over.run.attempt = 2;
  EXPECT_EQ(put_back(taken_over), PutBack::inserted);
  EXPECT_EQ(put_back(first), PutBack::ended);
  EXPECT_THAT(open_runs(), IsEmpty());
  const auto shown = ledger_run(first.run.id);
  EXPECT_EQ(shown.verdict, core::Verdict::succeeded);
  EXPECT_EQ(shown.fence, Fence{2}) << "it never falls";
  EXPECT_EQ(put_back(taken_over), PutBack::known);
}

TEST_P(SpinePuttingBack, WhatIsFurtherOnIsLeftAlone) {
  auto job = create("report");
  const auto ended = claimed(job, at(-2s));
  EXPECT_EQ(commit_one(success(ended)), ItemStatus::done);
  EXPECT_EQ(put_back(remembered(job, ended)), PutBack::known);
  EXPECT_THAT(open_runs(), IsEmpty());

  const auto taken = claimed(job, at(-1s));
  acquire();
  EXPECT_EQ(commit_one(core::Takeover{taken.no, taken.shard, 1, true}), ItemStatus::done);
  EXPECT_EQ(put_back(remembered(job, taken)), PutBack::known);
  EXPECT_EQ(put_back(succeeded(remembered(job, taken))), PutBack::known);
  EXPECT_EQ(only_open().attempt, 2);
}

TEST_P(SpinePuttingBack, AnOccurrenceThatWasClaimedAnewIsToldAsSuch) {
  auto job = create("report");
  claimed(job, at(-1s));
  const auto known = lost(job, at(-1s));
  EXPECT_EQ(put_back(known), PutBack::taken);
  EXPECT_FALSE(world->find_run(known.run.id));
}

TEST_P(SpinePuttingBack, ARunOfAJobThatIsForgottenIsToldAsSuch) {
  auto job = create("report");
  auto known = lost(job, at(-1s));
  known.job = fresh_job_id();
  EXPECT_EQ(put_back(known), PutBack::job_lost);
  EXPECT_THAT(open_runs(), IsEmpty());
}

TEST_P(SpinePuttingBack, ARevisionThatIsForgottenIsTheNewestThereIs) {
  auto job = create("report");
  auto known = lost(job, at(-1s));
  known.run.revision = 7;
  EXPECT_EQ(put_back(known), PutBack::inserted);
  EXPECT_EQ(only_open().revision, job.revision);
}

}  // namespace cronally::conformance
