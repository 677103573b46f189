// A run from its request or claim to its verdict: Accept, Begin, Takeover, Outcome, End.
#pragma once

#include "spine_fixture.h"

namespace cronally::conformance {

using core::RunState;

// ---- accept -------------------------------------------------------------------------------------

TEST_P(SpineConformance, AnAcceptedRunIsClaimedByItsOwner) {
  auto job = create();
  auto requested = request(job, "manual:1");
  EXPECT_FALSE(open(requested.no)) << "requested is not open";
  EXPECT_EQ(write(core::Accept{requested.no, job.shard}), ItemStatus::done);
  auto run = open(requested.no);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->state, RunState::claimed);
  EXPECT_EQ(run->kind, core::RunKind::manual);
  EXPECT_EQ(run->fence, fence_);
  EXPECT_EQ(run->attempt, 1);
  EXPECT_EQ(run->due, requested.due);
  EXPECT_EQ(run->send_at, requested.due);
  EXPECT_EQ(write(core::Accept{requested.no, job.shard}), ItemStatus::done) << "a repeat";
}

TEST_P(SpineConformance, ARunIsAcceptedOnlyWhileItIsRequested) {
  auto job = create();
  auto run = accepted(job, "manual:1");
  auto ended = accepted(job, "manual:2");
  ASSERT_EQ(write(succeeded(ended)), ItemStatus::done);
  EXPECT_EQ(write(core::Accept{ended.no, job.shard}), ItemStatus::gone) << "ended";
  acquire();
  EXPECT_EQ(write(core::Accept{run.no, job.shard}), ItemStatus::gone)
      << "accepted by the owner before: that is a takeover";
  EXPECT_EQ(write(core::Accept{{run.no.value + 99}, job.shard}), ItemStatus::gone) << "unknown";
}

// ---- begin --------------------------------------------------------------------------------------

TEST_P(SpineConformance, ABegunRunSaysThatItsRequestMayHaveLeft) {
  auto job = create();
  auto run = claimed(job, now());
  EXPECT_EQ(write(core::Begin{run.no, job.shard, 1}), ItemStatus::done);
  EXPECT_EQ(open(run.no)->state, RunState::begun);
  EXPECT_EQ(open(run.no)->attempt, 1);
  EXPECT_EQ(write(core::Begin{run.no, job.shard, 1}), ItemStatus::done) << "a repeat";
}

TEST_P(SpineConformance, OnlyTheReservedAttemptOfAnOpenRunOfMineBegins) {
  auto job = create();
  auto other = claimed(job, now() - 1s);
  acquire();
  auto run = claimed(job, now());
  EXPECT_EQ(write(core::Begin{run.no, job.shard, 2}), ItemStatus::gone);
  EXPECT_EQ(write(core::Begin{other.no, job.shard, 1}), ItemStatus::gone) << "not taken over yet";
  EXPECT_EQ(open(other.no)->state, RunState::claimed);
  ASSERT_EQ(write(cancelled(run)), ItemStatus::done);
  EXPECT_EQ(write(core::Begin{run.no, job.shard, 1}), ItemStatus::gone);
}

// ---- takeover -----------------------------------------------------------------------------------

TEST_P(SpineConformance, ATakeoverOfAnUnsentAttemptKeepsItsNumberAndTime) {
  auto job = create();
  auto run = claimed(job, now() + 2s);
  acquire();
  EXPECT_EQ(write(core::Takeover{run.no, job.shard, 1, false}), ItemStatus::done);
  auto taken = open(run.no);
  EXPECT_EQ(taken->fence, fence_);
  EXPECT_EQ(taken->attempt, 1);
  EXPECT_EQ(taken->send_at, run.send_at);
  EXPECT_EQ(taken->unknowns, 0);
  EXPECT_EQ(taken->state, RunState::claimed);
  EXPECT_EQ(write(succeeded(*taken)), ItemStatus::done) << "it is this owner's now";
}

TEST_P(SpineConformance, ATakeoverOfAnAttemptPerhapsSentReservesTheNext) {
  auto job = create();
  auto run = claimed(job, now());
  acquire();
  core::Takeover item{run.no, job.shard, 1, true};
  EXPECT_EQ(write(item), ItemStatus::done);
  EXPECT_EQ(write(item), ItemStatus::done) << "a repeat counts nothing twice";
  auto taken = open(run.no);
  EXPECT_EQ(taken->fence, fence_);
  EXPECT_EQ(taken->attempt, 2);
  EXPECT_EQ(taken->unknowns, 1);
  EXPECT_EQ(taken->failures, 0) << "restarts do not eat the retry budget";
  acquire();
  EXPECT_EQ(write(core::Takeover{run.no, job.shard, 2, true}), ItemStatus::done);
  EXPECT_EQ(open(run.no)->attempt, 3);
  EXPECT_EQ(open(run.no)->unknowns, 2);
}

TEST_P(SpineConformance, ATakeoverIsGuardedByFenceNumberAndState) {
  auto job = create();
  auto run = claimed(job, now() - 1s);
  auto ended = claimed(job, now() - 2s);
  ASSERT_EQ(write(succeeded(ended)), ItemStatus::done);
  auto requested = request(job, "manual:1");
  EXPECT_EQ(write(core::Takeover{run.no, job.shard, 1, true}), ItemStatus::gone) << "mine already";
  acquire();
  EXPECT_EQ(write(core::Takeover{run.no, job.shard, 2, true}), ItemStatus::gone) << "moved on";
  EXPECT_EQ(write(core::Takeover{ended.no, job.shard, 1, true}), ItemStatus::gone) << "ended";
  EXPECT_EQ(write(core::Takeover{requested.no, job.shard, 1, false}), ItemStatus::gone);
  EXPECT_EQ(write(core::Takeover{{run.no.value + 99}, job.shard, 1, true}), ItemStatus::gone);
  EXPECT_EQ(open(run.no)->attempt, 1);
  EXPECT_EQ(open(run.no)->unknowns, 0);
}

// ---- outcome ------------------------------------------------------------------------------------

TEST_P(SpineConformance, AnOutcomeThatEndsTheRunWritesVerdictAndAttempt) {
  auto job = create();
  auto run = claimed(job, now());
  auto item = succeeded(run);
  item.result.response = std::string("a\0b\xff", 4);
  clock_->advance(7ms);
  EXPECT_EQ(write(item), ItemStatus::done);
  EXPECT_FALSE(open(run.no));
  auto ended = shown(run.id);
  EXPECT_EQ(ended.state, RunState::ended);
  EXPECT_EQ(ended.verdict, core::Verdict::succeeded);
  EXPECT_EQ(ended.reason, core::Reason::none);
  EXPECT_EQ(ended.ended_at, now()) << "the store's clock";
  ASSERT_EQ(ended.attempts.size(), 1U);
  const auto& attempt = ended.attempts[0];
  EXPECT_EQ(attempt.number, 1);
  EXPECT_EQ(attempt.revision, 1);
  EXPECT_EQ(attempt.fence, fence_);
  EXPECT_EQ(attempt.result.fate, core::Fate::answered);
  EXPECT_EQ(attempt.result.status, 200);
  EXPECT_EQ(attempt.result.response, item.result.response);
  EXPECT_EQ(attempt.result.first_byte_at, item.result.first_byte_at);
  EXPECT_EQ(attempt.result.ended_at, item.result.ended_at);
  EXPECT_EQ(write(item), ItemStatus::done) << "a repeat";
  EXPECT_EQ(shown(run.id).attempts.size(), 1U);
}

TEST_P(SpineConformance, AnAttemptOfWhichNothingLeftHasNoFirstByte) {
  auto job = create();
  auto run = claimed(job, now());
  auto item = failed_until(run, now() + 2s);
  item.result.fate = core::Fate::not_sent;
  item.result.status = 0;
  item.result.error = "connection refused";
  item.result.first_byte_at = std::nullopt;
  ASSERT_EQ(write(item), ItemStatus::done);
  auto attempt = shown(run.id).attempts.at(0);
  EXPECT_EQ(attempt.result.fate, core::Fate::not_sent);
  EXPECT_EQ(attempt.result.error, "connection refused");
  EXPECT_FALSE(attempt.result.first_byte_at);
  EXPECT_EQ(open(run.no)->first_attempt_at, item.result.ended_at);
}

TEST_P(SpineConformance, AnOutcomeThatGoesAgainReservesTheNextNumber) {
  auto job = create();
  auto run = claimed(job, now());
  auto item = failed_until(run, now() + 2s);
  EXPECT_EQ(write(item), ItemStatus::done);
  EXPECT_EQ(write(item), ItemStatus::done) << "a repeat";
  auto again = open(run.no);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->state, RunState::begun);
  EXPECT_EQ(again->attempt, 2);
  EXPECT_EQ(again->failures, 1);
  EXPECT_EQ(again->unknowns, 0);
  EXPECT_EQ(again->send_at, now() + 2s);
  EXPECT_EQ(again->due, run.due);
  EXPECT_EQ(again->first_attempt_at, item.result.first_byte_at);

  clock_->advance(2s);
  EXPECT_EQ(write(failed_until(*again, now() + 4s)), ItemStatus::done);
  EXPECT_EQ(open(run.no)->attempt, 3);
  EXPECT_EQ(open(run.no)->failures, 2);
  EXPECT_EQ(open(run.no)->first_attempt_at, item.result.first_byte_at) << "the first stays";
  ASSERT_EQ(shown(run.id).attempts.size(), 2U);
  EXPECT_EQ(shown(run.id).attempts[0].number, 1);
  EXPECT_EQ(shown(run.id).attempts[1].number, 2);
}

TEST_P(SpineConformance, AnOutcomeNamesTheRevisionItWasSentUnder) {
  auto job = create();
  auto run = claimed(job, now());
  auto item = failed_until(run, now() + 2s);
  item.revision = 5;
  ASSERT_EQ(write(item), ItemStatus::done);
  EXPECT_EQ(shown(run.id).attempts.at(0).revision, 5);
}

TEST_P(SpineConformance, ALateOutcomeWritesTheAttemptAlone) {
  auto job = create();
  auto run = claimed(job, now());
  ASSERT_EQ(write(cancelled(run)), ItemStatus::done);
  EXPECT_EQ(write(succeeded(run)), ItemStatus::gone);
  EXPECT_EQ(write(succeeded(run)), ItemStatus::gone) << "a repeat means the same";
  auto ended = shown(run.id);
  EXPECT_EQ(ended.verdict, core::Verdict::cancelled);
  ASSERT_EQ(ended.attempts.size(), 1U);
  EXPECT_EQ(ended.attempts[0].result.status, 200);
}

TEST_P(SpineConformance, AnOutcomeOfAnotherNumberMovesNothing) {
  auto job = create();
  auto run = claimed(job, now());
  auto item = succeeded(run);
  item.attempt = 2;
  EXPECT_EQ(write(item), ItemStatus::gone);
  EXPECT_EQ(open(run.no)->state, RunState::claimed);
  EXPECT_EQ(open(run.no)->attempt, 1);
}

TEST_P(SpineConformance, AnOutcomeForARunNotTakenOverMovesNothing) {
  auto job = create();
  auto run = claimed(job, now());
  acquire();
  EXPECT_EQ(write(succeeded(run)), ItemStatus::gone);
  EXPECT_TRUE(open(run.no));
}

// ---- end ----------------------------------------------------------------------------------------

TEST_P(SpineConformance, AnEndTakesTheFirstVerdictAndKeepsIt) {
  auto job = create();
  auto run = claimed(job, now());
  core::End expired{run.no, job.shard, core::Verdict::failed, core::Reason::expired};
  EXPECT_EQ(write(expired), ItemStatus::done);
  EXPECT_EQ(write(expired), ItemStatus::done) << "a repeat";
  EXPECT_EQ(write(cancelled(run)), ItemStatus::gone) << "another end";
  auto ended = shown(run.id);
  EXPECT_EQ(ended.verdict, core::Verdict::failed);
  EXPECT_EQ(ended.reason, core::Reason::expired);
  EXPECT_EQ(ended.ended_at, now());
  EXPECT_TRUE(ended.attempts.empty());
}

TEST_P(SpineConformance, AnEndReachesRunsOfOwnersBeforeAndRequestedOnes) {
  auto job = create();
  auto run = claimed(job, now());
  auto requested = request(job, "manual:1");
  acquire();
  EXPECT_EQ(write(cancelled(run)), ItemStatus::done);
  core::End end{requested.no, job.shard, core::Verdict::cancelled, core::Reason::deleted};
  EXPECT_EQ(write(end), ItemStatus::done);
  EXPECT_EQ(shown(requested.id).reason, core::Reason::deleted);
}

TEST_P(SpineConformance, AnEndAfterAnOutcomeEndedTheRunIsGone) {
  auto job = create();
  auto run = claimed(job, now());
  ASSERT_EQ(write(succeeded(run)), ItemStatus::done);
  EXPECT_EQ(write(cancelled(run)), ItemStatus::gone);
  EXPECT_EQ(write(core::End{{run.no.value + 99}, job.shard}), ItemStatus::gone) << "unknown";
  EXPECT_EQ(shown(run.id).verdict, core::Verdict::succeeded);
}

}  // namespace cronally::conformance
