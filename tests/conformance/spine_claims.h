// Claims, skips and the cursor: P1 and P9 at the store.
#pragma once

#include "spine_fixture.h"

namespace cronally::conformance {

TEST_P(SpineConformance, AClaimIsAnOpenRunWithItsFirstAttemptReserved) {
  auto job = create();
  auto item = claim(job, now() + 2s);
  item.scheduled_at = now() + 1s;
  auto outcome = commit({item}).outcomes.at(0);
  ASSERT_EQ(outcome.status, ItemStatus::done);
  auto run = open(outcome.run);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->id, item.id);
  EXPECT_EQ(run->job, job.no);
  EXPECT_EQ(run->shard, job.shard);
  EXPECT_EQ(run->revision, 1);
  EXPECT_EQ(run->kind, core::RunKind::scheduled);
  EXPECT_EQ(run->state, core::RunState::claimed);
  EXPECT_EQ(run->scheduled_at, now() + 1s);
  EXPECT_EQ(run->due, now() + 2s);
  EXPECT_EQ(run->send_at, now() + 2s);
  EXPECT_EQ(run->fence, fence_);
  EXPECT_EQ(run->attempt, 1);
  EXPECT_EQ(run->failures, 0);
  EXPECT_EQ(run->unknowns, 0);
  EXPECT_FALSE(run->first_attempt_at);
}

TEST_P(SpineConformance, AClaimRepeatedIsDoneWithTheSameNumber) {
  auto job = create();
  auto item = claim(job, now());
  auto first = commit({item}).outcomes.at(0);
  auto second = commit({item}).outcomes.at(0);
  EXPECT_EQ(second.status, ItemStatus::done);
  EXPECT_EQ(second.run, first.run);
  EXPECT_EQ(spine().read_open_runs(instant_max, 100).size(), 1U);
}

TEST_P(SpineConformance, AClaimRepeatedAfterTheJobChangedIsStillDone) {
  auto job = create();
  auto item = claim(job, now());
  auto first = commit({item}).outcomes.at(0);
  pause(job);
  auto second = commit({item}).outcomes.at(0);
  EXPECT_EQ(second.status, ItemStatus::done) << "its fate was unknown; it had committed";
  EXPECT_EQ(second.run, first.run);
}

TEST_P(SpineConformance, AClaimRepeatedAfterTheClockWentBackIsStillDone) {
  auto job = create();
  auto item = claim(job, now() + 3s);
  ASSERT_EQ(write(item), ItemStatus::done);
  clock_->step_wall(-1h);
  EXPECT_EQ(write(item), ItemStatus::done);
}

TEST_P(SpineConformance, OneOccurrenceIsClaimedOnce) {
  auto job = create();
  auto first = claimed(job, now());
  EXPECT_EQ(write(claim(job, now())), ItemStatus::present);
  acquire();
  EXPECT_EQ(write(claim(job, now())), ItemStatus::present) << "by no other owner either";
  ASSERT_EQ(write(cancelled(first)), ItemStatus::done);
  EXPECT_EQ(write(claim(job, now())), ItemStatus::present) << "nor after it ended";
  reopen();
  acquire();
  EXPECT_EQ(write(claim(job, now())), ItemStatus::present) << "nor after a restart";
}

TEST_P(SpineConformance, TwoJobsMayBeDueAtOneInstant) {
  auto first = create("first");
  auto second = create("second");
  EXPECT_EQ(write(claim(first, now())), ItemStatus::done);
  EXPECT_EQ(write(claim(second, now())), ItemStatus::done);
}

TEST_P(SpineConformance, ARunAskedForByHandTakesNoScheduledOccurrence) {
  auto job = create();
  auto manual = request(job, "manual:1");
  EXPECT_EQ(write(claim(job, manual.due)), ItemStatus::done);
}

TEST_P(SpineConformance, AClaimIsEarlyBeyondTheLeadByTheStoresClock) {
  auto job = create();
  EXPECT_EQ(write(claim(job, now() + core::lead_max + 1us)), ItemStatus::early);
  EXPECT_TRUE(spine().read_open_runs(instant_max, 100).empty()) << "not written";
  EXPECT_EQ(write(claim(job, now() + core::lead_max)), ItemStatus::done);
  clock_->advance(1us);
  EXPECT_EQ(write(claim(job, now() + core::lead_max)), ItemStatus::done);
}

TEST_P(SpineConformance, AClaimOfAnyPastInstantIsTaken) {
  auto job = create();
  EXPECT_EQ(write(claim(job, now() - 24h * 20)), ItemStatus::done);
}

TEST_P(SpineConformance, AClaimUnderAnotherRevisionIsStale) {
  auto job = create();
  auto changed = change(job, [](auto& definition) { definition.schedule = "@every 2s"; });
  EXPECT_EQ(write(claim(job, now())), ItemStatus::stale);
  auto ahead = claim(changed, now());
  ahead.revision = 3;
  EXPECT_EQ(write(ahead), ItemStatus::stale);
  EXPECT_EQ(write(claim(changed, now())), ItemStatus::done);
}

TEST_P(SpineConformance, AClaimOfAPausedOrDeletedOrUnknownJobIsStale) {
  auto paused = pause(create("paused"));
  EXPECT_EQ(write(claim(paused, now())), ItemStatus::stale);
  EXPECT_EQ(write(claim(pause(paused, false), now())), ItemStatus::done) << "resumed";
  auto erased = erase(create("erased"));
  EXPECT_EQ(write(claim(erased, now())), ItemStatus::stale);
  erased.no = {erased.no.value + 1000};
  EXPECT_EQ(write(claim(erased, now())), ItemStatus::stale);
}

// ---- skips --------------------------------------------------------------------------------------

TEST_P(SpineConformance, ASkippedSpanIsRecordedOnce) {
  auto job = create();
  core::Skip skip{job.no, job.shard, 1, now() - 1h, now(), core::Reason::catch_up_window};
  EXPECT_EQ(write(skip), ItemStatus::done);
  EXPECT_EQ(write(skip), ItemStatus::done);
  auto spans = store_->skipped(job.id);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].revision, 1);
  EXPECT_EQ(spans[0].from, now() - 1h);
  EXPECT_EQ(spans[0].to, now());
  EXPECT_EQ(spans[0].reason, core::Reason::catch_up_window);
}

TEST_P(SpineConformance, ASkipOfAnotherRevisionIsStale) {
  auto job = create();
  core::Skip skip{job.no, job.shard, 1, now() - 1h, now(), core::Reason::catch_up_skip};
  auto changed = change(job, [](auto& definition) { definition.schedule = "@every 2s"; });
  EXPECT_EQ(write(skip), ItemStatus::stale);
  skip.revision = changed.revision;
  pause(changed);
  EXPECT_EQ(write(skip), ItemStatus::stale);
  EXPECT_TRUE(store_->skipped(job.id).empty());
}

// ---- the cursor ---------------------------------------------------------------------------------

TEST_P(SpineConformance, TheCursorMovesForwardOnly) {
  auto job = create();
  ASSERT_EQ(write(core::Advance{job.shard, now() + 5s, 0}), ItemStatus::done);
  ASSERT_EQ(write(core::Advance{job.shard, now() + 4s, 0}), ItemStatus::done);
  EXPECT_EQ(shard_read(job.shard).cursor, now() + 5s);
}

TEST_P(SpineConformance, ACursorIsItsShardsAlone) {
  ASSERT_EQ(write(core::Advance{{3}, now() + 5s, 0}), ItemStatus::done);
  auto other = shard_read({4}).cursor;
  EXPECT_LT(other, now() + 5s);
  EXPECT_EQ(shard_read({3}).cursor, now() + 5s);
}

TEST_P(SpineConformance, AFreshShardOwesNothingFromBeforeTheStoreWasMade) {
  EXPECT_GE(shard_read({0}).cursor, start_at);
}

TEST_P(SpineConformance, SeenNeverGoesBack) {
  auto job = create();
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change, 0s));
  ASSERT_EQ(write(core::Advance{job.shard, now(), job.change}), ItemStatus::done);
  ASSERT_EQ(write(core::Advance{job.shard, now(), 0}), ItemStatus::done);
  EXPECT_TRUE(jobs().await_seen(job.shard, job.change, 0s));
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change + 1, 0s));
}

}  // namespace cronally::conformance
