#include "core/journal_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/uuid.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Instant start = instant_from_us(1'780'000'000'000'000);
const JobNo job_no{7};
const JobId job_id{uuid_v4(7, 7)};
const ShardNo shard{3};
const Fence fence{11};

// A planner that owns one shard with one job, and what it is told to note.
class Noting : public ::testing::Test {
 protected:
  Noting() {
    const PlannedJob job{
        .no = job_no, .shard = shard, .schedule = cron::Never{}, .planned = true, .id = job_id};
    for (const auto& action : step(ShardsAcquired{fence, 42, {{shard, start, 0}}, {job}})) {
      if (const auto* read = std::get_if<ReadOpenRuns>(&action)) reading = read->read;
    }
  }

  std::vector<Action> step(Event event) {
    notes.learn(event);
    return planner.step({start, SteadyInstant{start.time_since_epoch()}}, std::move(event));
  }
  BatchNotes of(std::vector<Item> items) {
    Fences fences;
    fences.set(shard, fence);
    return notes.of(planner, {fences, std::move(items)});
  }
  // A run that the planner holds, under another fence: it is taken over.
  OpenRun held(std::int64_t no) {
    const OpenRun run{.no = {no},
                      .id = {uuid_v7(start, 1, 1)},
                      .job = job_no,
                      .shard = shard,
                      .revision = 1,
                      .due = start + 500ms,
                      .fence = {5},
                      .attempt = 2,
                      .send_at = start + 500ms};
    step(RunsRead{reading, {run}, true});
    return run;
  }
  static const JournalRun& run_of(const BatchNotes& noted) {
    return std::get<JournalRun>(noted.first.at(0));
  }

  std::uint64_t reading = 0;
  Planner planner{PlannerOptions{}};
  JournalNotes notes;
};

const RunId claim_id{uuid_v7(start, 9, 9)};
Claim claim_at(Instant due) { return {job_no, shard, 1, claim_id, due, due}; }

TEST_F(Noting, AClaimIsWrittenWithItsJobAndMustBeDurable) {
  const auto noted = of({claim_at(start + 1s), Advance{shard, start + 1s, 0}});
  ASSERT_THAT(noted.first, SizeIs(1));
  EXPECT_TRUE(noted.durable);
  EXPECT_EQ(run_of(noted).job, job_id);
  EXPECT_EQ(run_of(noted).run.id, claim_id);
  EXPECT_EQ(run_of(noted).run.fence, fence);
  EXPECT_EQ(run_of(noted).run.attempt, 1);
  EXPECT_EQ(run_of(noted).run.send_at, start + 1s);
}

TEST_F(Noting, AClaimThatIsNotMadeIsTakenBack) {
  const auto noted = of({claim_at(start + 1s)});
  for (const auto status : {ItemStatus::present, ItemStatus::early, ItemStatus::stale,
                            ItemStatus::gone, ItemStatus::fenced}) {
    EXPECT_THAT(following(noted, {.outcomes = {{status, {}}}, .at = start}).records, SizeIs(1));
  }
  EXPECT_THAT(following(noted, {.outcomes = {{}}, .at = start}).records, IsEmpty());
}

TEST_F(Noting, ACursorIsKnownWhenItsCommitIs) {
  const auto noted = of({claim_at(start + 900ms), Advance{shard, start + 1s, 0}});
  EXPECT_THAT(following(noted, {.outcomes = {{}, {}}, .at = start}).cursors,
              ElementsAre(std::pair(Lease{shard, fence}, start + 1s)));
  EXPECT_THAT(following(noted, {.outcomes = {{ItemStatus::early, {}}, {}}, .at = start}).cursors,
              ElementsAre(std::pair(Lease{shard, fence}, start + 900ms - 1us)))
      << "an early claim holds it back";
  EXPECT_THAT(following(noted, {.outcomes = {{}, {ItemStatus::fenced, {}}}, .at = start}).cursors,
              IsEmpty());
}

TEST_F(Noting, AReplanIsWrittenWhenItTookEffect) {
  const auto noted = of({Replan{.job = job_no, .shard = shard, .revision = 2}});
  EXPECT_THAT(noted.first, IsEmpty());
  EXPECT_FALSE(noted.durable);
  EXPECT_THAT(following(noted, {.outcomes = {{ItemStatus::stale, {}}}, .at = start}).records,
              IsEmpty());
  const auto follows = following(noted, {.outcomes = {{}}, .at = start});
  ASSERT_THAT(follows.records, SizeIs(1));
  const auto& replan = std::get<JournalReplan>(follows.records[0]);
  EXPECT_EQ(replan.job, job_id);
  EXPECT_EQ(replan.fence, fence);
  EXPECT_EQ(replan.at, start) << "of the transaction";
}

TEST_F(Noting, ATakeoverIsWrittenAsItWillStand) {
  const OpenRun run = held(21);
  ASSERT_NE(planner.run(run.no), nullptr);
  const auto kept = of({Takeover{run.no, shard, 2, false}});
  EXPECT_TRUE(kept.durable);
  EXPECT_EQ(run_of(kept).run.fence, fence);
  EXPECT_EQ(run_of(kept).run.attempt, 2);
  const auto raised = of({Takeover{run.no, shard, 2, true}});
  EXPECT_EQ(run_of(raised).run.attempt, 3);
  EXPECT_EQ(run_of(raised).run.unknowns, 1);
  EXPECT_EQ(run_of(raised).job, job_id);
}

// Another node has it, or the database forgot it: nothing that was only intended is put back.
TEST_F(Noting, WhatDidNotTakeEffectIsTakenBack) {
  const OpenRun run = held(21);
  const auto replayed = [&](const Item& item, ItemStatus status) {
    const auto noted = of({item});
    JournalReplay replay;
    replay.add(journal_block(noted.first));
    replay.add(journal_block(following(noted, {.outcomes = {{status, {}}}, .at = start}).records));
    return replay.runs().at(run.id).run;
  };
  const End end{run.no, shard, Verdict::failed, Reason::expired};
  const Takeover takeover{run.no, shard, 2, true};
  EXPECT_EQ(replayed(end, ItemStatus::done).state, RunState::ended);
  EXPECT_EQ(replayed(takeover, ItemStatus::done).attempt, 3);
  for (const auto status : {ItemStatus::gone, ItemStatus::fenced}) {
    EXPECT_EQ(replayed(end, status).state, RunState::claimed);
    EXPECT_EQ(replayed(takeover, status).attempt, 2);
    EXPECT_EQ(replayed(takeover, status).fence, run.fence);
    EXPECT_EQ(replayed(Begin{run.no, shard, 2}, status).state, RunState::claimed);
  }
  Outcome outcome{.run = run.no, .shard = shard, .fence = Fence{5}, .attempt = 2};
  outcome.next = Outcome::End{Verdict::succeeded, Reason::none};
  EXPECT_EQ(replayed(outcome, ItemStatus::gone).state, RunState::ended)
      << "what became of an attempt is so";
}

// The takeover found that the outcome had come before it.
TEST_F(Noting, WhatBecameOfAnAttemptIsKnownThoughATakeoverThatFollowedWasNotMade) {
  const OpenRun run = held(21);
  Outcome outcome{.run = run.no, .shard = shard, .fence = run.fence, .attempt = run.attempt};
  outcome.next = Outcome::End{Verdict::succeeded, Reason::none};
  JournalReplay replay;
  replay.add(journal_block(of({outcome}).first));
  const auto noted = of({Takeover{run.no, shard, run.attempt, true}});
  replay.add(journal_block(noted.first));
  EXPECT_EQ(replay.runs().at(run.id).run.attempt, 3);
  replay.add(
      journal_block(following(noted, {.outcomes = {{ItemStatus::gone, {}}}, .at = start}).records));
  EXPECT_EQ(replay.runs().at(run.id).run.state, RunState::ended);
  EXPECT_EQ(replay.runs().at(run.id).verdict, Verdict::succeeded);
}

TEST_F(Noting, ARequestThatIsNotAcceptedIsNoRunOfThisNode) {
  OpenRun asked{.no = {31},
                .id = {uuid_v7(start, 2, 2)},
                .job = job_no,
                .shard = shard,
                .kind = RunKind::manual,
                .state = RunState::requested,
                .due = start,
                .send_at = start};
  step(ChangesRead{.requested = {asked}});
  const auto noted = of({Accept{asked.no, shard}});
  JournalReplay replay;
  replay.add(journal_block(noted.first));
  EXPECT_THAT(replay.runs(), SizeIs(1));
  replay.add(
      journal_block(following(noted, {.outcomes = {{ItemStatus::gone, {}}}, .at = start}).records));
  EXPECT_THAT(replay.runs(), IsEmpty());
}

TEST_F(Noting, WhatLetsNothingBeSentNeedNotBeDurable) {
  const OpenRun run = held(21);
  EXPECT_TRUE(of({Begin{run.no, shard, 2}}).durable);
  EXPECT_EQ(run_of(of({Begin{run.no, shard, 2}})).run.state, RunState::begun);
  EXPECT_FALSE(of({Begin{run.no, shard, 2, true}}).durable);
  EXPECT_EQ(run_of(of({Begin{run.no, shard, 2, true}})).run.state, RunState::claimed);
  EXPECT_TRUE(of({Accept{run.no, shard}}).durable);
  EXPECT_FALSE(of({End{run.no, shard, Verdict::cancelled, Reason::deleted}}).durable);
  EXPECT_FALSE(of({Advance{shard, start, 0}}).durable);

  Outcome outcome{.run = run.no, .shard = shard, .fence = Fence{5}, .attempt = 2};
  outcome.result = {.fate = Fate::answered, .status = 200, .first_byte_at = start};
  outcome.next = Outcome::End{Verdict::succeeded, Reason::none};
  const auto ends = of({outcome});
  EXPECT_FALSE(ends.durable);
  EXPECT_EQ(run_of(ends).run.state, RunState::ended);
  EXPECT_EQ(run_of(ends).run.fence, Fence{5}) << "what it was sent under";
  EXPECT_EQ(run_of(ends).attempt->status, 200);

  outcome.next = Outcome::Again{start + 9s};
  const auto again = of({outcome});
  EXPECT_TRUE(again.durable) << "the next number is reserved by it";
  EXPECT_EQ(run_of(again).run.attempt, 3);
  EXPECT_EQ(run_of(again).run.send_at, start + 9s);
  EXPECT_EQ(run_of(again).run.failures, 1);
  EXPECT_EQ(run_of(again).run.first_attempt_at, start);
}

TEST_F(Noting, ARunThatHasLeftMemoryIsNotWritten) {
  EXPECT_THAT(of({End{RunNo{99}, shard, Verdict::cancelled, Reason::deleted}}).first, IsEmpty());
}

TEST_F(Noting, TheIdsOfJobsAreLearnedFromChangesToo) {
  const JobId other{uuid_v4(8, 8)};
  step(ChangesRead{.jobs = {{.no = {6}, .shard = shard, .id = other}}});
  Claim claim = claim_at(start + 1s);
  claim.job = {6};
  EXPECT_EQ(run_of(of({claim})).job, other);
  EXPECT_EQ(run_of(of({claim_at(start + 1s)})).job, job_id);
}

}  // namespace
}  // namespace cronally::core
