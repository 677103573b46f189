// Shards that come while the machine runs, are lost, or are handed over.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/planner.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant start = instant_from_us(1'780'000'000'000'000);
const ShardNo one{1};
const ShardNo two{2};

ShardSet set_of(ShardNo shard) { return ShardSet{}.set(static_cast<std::size_t>(shard.value)); }

PlannedJob every(Duration length, ShardNo shard) {
  return {.no = JobNo{shard.value * 10},
          .shard = shard,
          .revision = 1,
          .schedule = cron::Interval{length, start},
          .changed_at = start - 1h,
          .planned = true};
}

// A run of shard one that another owner claimed, under an older fence.
OpenRun of_an_owner_before(Instant due) {
  return {.no = RunNo{5},
          .job = JobNo{10},
          .shard = one,
          .revision = 1,
          .scheduled_at = due,
          .due = due,
          .fence = Fence{7},
          .send_at = due};
}

class Shards : public ::testing::Test {
 protected:
  void step(Event event) {
    for (auto& action :
         planner.step({wall, SteadyInstant{wall.time_since_epoch()}}, std::move(event))) {
      actions.push_back(std::move(action));
    }
  }
  void acquire(ShardNo shard, std::int64_t fence, Duration length = 10s) {
    auto job = every(length, shard);
    step(ShardsAcquired{Fence{fence}, 42, {{shard, wall, 0}}, {job}});
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> taken;
    std::erase_if(actions, [&](Action& action) {
      auto* found = std::get_if<T>(&action);
      if (found) taken.push_back(std::move(*found));
      return found != nullptr;
    });
    return taken;
  }
  // Answers all commits asked for; each item as `judge` says.
  template <class Judge>
  std::vector<Batch> commit(Judge judge) {
    std::vector<Batch> batches;
    for (auto& asked : take<Commit>()) {
      BatchCommitted answer_all{.at = wall};
      for (const auto& item : asked.content.items) {
        ItemOutcome outcome{judge(item), {}};
        if (std::holds_alternative<Claim>(item)) outcome.run = RunNo{++last_run};
        answer_all.outcomes.push_back(outcome);
      }
      batches.push_back(asked.content);
      step(BatchDone{asked.batch, answer_all, 2ms});
    }
    return batches;
  }
  std::vector<Batch> commit() {
    return commit([](const Item&) { return ItemStatus::done; });
  }
  void run_until(Instant until) {
    for (;;) {
      auto batches = commit();
      const auto reads = take<ReadOpenRuns>();
      for (const auto& read : reads) {
        auto found = open;
        std::erase_if(found, [&](const OpenRun& run) { return run.send_at > read.until; });
        step(RunsRead{read.read, found, true});
      }
      for (auto& batch : batches) committed.push_back(std::move(batch));
      if (!batches.empty() || !reads.empty()) continue;
      const auto wakes = take<WakeAt>();
      if (!wakes.empty()) wake = wakes.back().at;
      if (wake > until) break;
      wall = std::max(wall, wake);
      wake = Instant::max();
      step(Woke{});
    }
    wall = until;
  }
  template <class T>
  int count(ShardNo shard) const {
    int found = 0;
    for (const auto& batch : committed) {
      for (const auto& item : batch.items) {
        const auto* what = std::get_if<T>(&item);
        found += what && what->shard == shard ? 1 : 0;
      }
    }
    return found;
  }
  int begins(bool taken_back) const {
    int found = 0;
    for (const auto& batch : committed) {
      for (const auto& item : batch.items) {
        const auto* begin = std::get_if<Begin>(&item);
        found += begin && begin->taken_back == taken_back ? 1 : 0;
      }
    }
    return found;
  }
  // The request of shard one that is due in ten seconds, given to the deliverer.
  Send sent() {
    acquire(one, 11);
    run_until(start + 10s);
    auto sends = take<Send>();
    EXPECT_EQ(sends.size(), 1U);
    return sends.at(0);
  }
  void answer(const Send& send, int status) {
    step(AttemptEnded{send.run.no,
                      send.run.attempt,
                      {.fate = Fate::answered, .status = status, .ended_at = wall}});
  }

  Planner planner{PlannerOptions{}};
  Instant wall = start;
  Instant wake = Instant::max();
  std::vector<Action> actions;
  std::vector<Batch> committed;
  std::vector<OpenRun> open;  // what reads find
  std::int64_t last_run = 0;
};

TEST_F(Shards, AreEachWrittenUnderTheirOwnFence) {
  acquire(one, 11);
  run_until(start + 4s);
  acquire(two, 12);
  run_until(start + 10s);
  EXPECT_EQ(count<Claim>(one), 1);
  EXPECT_EQ(count<Claim>(two), 1);
  EXPECT_EQ(committed.back().fences.of(one), Fence{11});
  EXPECT_EQ(committed.back().fences.of(two), Fence{12});
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 2U);
  for (const auto& send : sends) {
    EXPECT_EQ(send.run.fence, Fence{send.run.shard == one ? 11 : 12});
  }
}

TEST_F(Shards, ThatAreLostAreNeitherPlannedNorSent) {
  acquire(one, 11);
  acquire(two, 12);
  run_until(start + 9'500ms);
  EXPECT_EQ(count<Claim>(one), 1);
  step(ShardsLost{set_of(one)});
  run_until(start + 25s);
  EXPECT_EQ(count<Claim>(one), 1) << "the one before the loss";
  for (const auto& send : take<Send>()) EXPECT_EQ(send.run.shard, two);
  EXPECT_EQ(planner.stats().jobs, 1U);
}

TEST_F(Shards, ThatAreLostCallTheirRequestsBack) {
  const auto send = sent();
  step(ShardsLost{set_of(one)});
  const auto calls = take<Withdraw>();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].run, send.run.no);
  EXPECT_TRUE(calls[0].lost) << "what is under way must not arrive behind a successor's attempt";
  step(AttemptEnded{send.run.no, 1, {.fate = Fate::withdrawn}});
  EXPECT_EQ(planner.stats().in_flight, 0U);
  EXPECT_TRUE(take<Commit>().empty()) << "its number was not used";
}

TEST_F(Shards, ThatAreLostLeaveWhatWasCutOffUnknown) {
  const auto send = sent();
  step(ShardsLost{set_of(one)});
  step(AttemptEnded{send.run.no, 1, {.fate = Fate::unknown, .ended_at = wall}});
  run_until(start + 11s);
  EXPECT_EQ(count<Outcome>(one), 1) << "it counts as long as nobody took the run over";
  EXPECT_TRUE(take<Send>().empty()) << "the next attempt is the successor's";
  EXPECT_EQ(planner.stats().in_flight, 0U);
}

TEST_F(Shards, ThatAreLostLeaveTheOutcomesOfTheirRequestsToBeWritten) {
  const auto send = sent();
  step(ShardsLost{set_of(one)});
  answer(send, 200);
  run_until(start + 11s);
  ASSERT_EQ(count<Outcome>(one), 1);
  const auto& items = committed.back().items;
  const auto written = std::ranges::find_if(
      items, [](const Item& item) { return std::holds_alternative<Outcome>(item); });
  EXPECT_EQ(std::get<Outcome>(*written).fence, Fence{11});
  EXPECT_EQ(planner.stats().jobs, 0U) << "nothing of the job is kept any more";
}

TEST_F(Shards, ThatCameBackAreNotActedForUnderTheFenceBefore) {
  const auto send = sent();
  step(ShardsLost{set_of(one)});
  acquire(one, 21);
  // What the store shows of it from its outcome on: taken over, it keeps the number reserved.
  OpenRun retry = send.run;
  retry.state = RunState::begun;
  retry.attempt = 2;
  retry.failures = 1;
  retry.send_at = wall + 1s;
  open = {retry};
  answer(send, 500);
  run_until(start + 13s);
  EXPECT_EQ(count<Outcome>(one), 1);
  EXPECT_EQ(count<Takeover>(one), 1);
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.attempt, 2);
  EXPECT_EQ(sends[0].run.fence, Fence{21});
}

TEST_F(Shards, AreLostOneByOneWhenAnItemIsFenced) {
  acquire(one, 11);
  acquire(two, 12);
  const auto judge = [](const Item& item) {
    const ShardNo shard = std::visit([](const auto& what) { return what.shard; }, item);
    return shard == one ? ItemStatus::fenced : ItemStatus::done;
  };
  run_until(start + 1s);
  wall = start + 9'200ms;
  step(Woke{});
  EXPECT_EQ(commit(judge).size(), 1U);
  run_until(start + 25s);
  for (const auto& send : take<Send>()) EXPECT_EQ(send.run.shard, two);
  EXPECT_EQ(count<Claim>(one), 0);
}

TEST_F(Shards, ThatAreAskedForAreReleasedAtOnceWhenNothingIsUnderWay) {
  acquire(one, 11);
  acquire(two, 12);
  run_until(start + 1s);
  step(ShardsAsked{set_of(one)});
  const auto released = take<Release>();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].shards, (std::vector<Lease>{{one, Fence{11}}}));
  EXPECT_TRUE(released[0].left.empty());
  run_until(start + 25s);
  EXPECT_EQ(count<Claim>(one), 0);
  EXPECT_EQ(count<Claim>(two), 2);
}

TEST_F(Shards, ThatAreAskedForWaitForTheirBatch) {
  acquire(one, 11);
  run_until(start + 1s);
  wall = start + 9'200ms;
  step(Woke{});
  const auto asked = take<Commit>();
  ASSERT_EQ(asked.size(), 1U);
  step(ShardsAsked{set_of(one)});
  step(BatchDone{asked[0].batch, BatchUnknown{}, 1ms});
  EXPECT_TRUE(take<Release>().empty()) << "the claims may be committed or not";
  run_until(start + 9'300ms);
  EXPECT_EQ(take<Release>().size(), 1U);
  EXPECT_EQ(count<Claim>(one), 1) << "repeated under the same lease";
  run_until(start + 12s);
  EXPECT_TRUE(take<Send>().empty()) << "the successor's";
}

TEST_F(Shards, ThatAreAskedForLeaveWhatIsOut) {
  const auto send = sent();
  step(ShardsAsked{set_of(one)});
  const auto calls = take<Withdraw>();
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_FALSE(calls[0].lost) << "the successor waits for it";
  EXPECT_TRUE(take<Release>().empty()) << "it may say yet that it did not leave";
  run_until(start + 10s + 100ms);
  const auto released = take<Release>();
  ASSERT_EQ(released.size(), 1U);
  ASSERT_EQ(released[0].left.size(), 1U);
  EXPECT_EQ(released[0].left[0].run, send.run.no);
  EXPECT_EQ(released[0].left[0].attempt, 1);
  EXPECT_EQ(released[0].left[0].until, wall + PlannerOptions{}.left_time);
  answer(send, 200);
  run_until(start + 11s);
  EXPECT_EQ(count<Outcome>(one), 1);
}

TEST_F(Shards, ThatAreAskedForDoNotWaitForARequestThatDidNotLeave) {
  const auto send = sent();
  step(ShardsAsked{set_of(one)});
  step(AttemptEnded{send.run.no, 1, {.fate = Fate::withdrawn}});
  const auto released = take<Release>();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_TRUE(released[0].left.empty());
}

// ---- at most once -------------------------------------------------------------------------------

PlannedJob at_most_once(ShardNo shard) {
  auto job = every(10s, shard);
  job.delivery = DeliveryMode::at_most_once;
  return job;
}

TEST_F(Shards, TakeBackWhatWasBegunBeforeTheyAreReleased) {
  step(ShardsAcquired{Fence{11}, 42, {{one, wall, 0}}, {at_most_once(one)}});
  run_until(start + 9'990ms);
  EXPECT_EQ(begins(false), 1);
  step(ShardsAsked{set_of(one)});
  EXPECT_TRUE(take<Release>().empty()) << "its successor would take it for sent";
  run_until(start + 9'995ms);
  EXPECT_EQ(begins(true), 1);
  EXPECT_EQ(take<Release>().size(), 1U);
  run_until(start + 11s);
  EXPECT_TRUE(take<Send>().empty()) << "the successor's";
  EXPECT_EQ(count<End>(one), 0);
}

TEST_F(Shards, TakeBackWhatIsBeingBegunWhileTheyAreAskedFor) {
  step(ShardsAcquired{Fence{11}, 42, {{one, wall, 0}}, {at_most_once(one)}});
  run_until(start + 9'970ms);
  wall = start + 9'985ms;
  step(Woke{});
  const auto asked = take<Commit>();
  ASSERT_EQ(asked.size(), 1U);
  ASSERT_TRUE(std::holds_alternative<Begin>(asked[0].content.items.at(0)));
  step(ShardsAsked{set_of(one)});
  step(BatchDone{asked[0].batch, BatchCommitted{{{ItemStatus::done, {}}}, wall}, 2ms});
  EXPECT_TRUE(take<Release>().empty());
  run_until(start + 9'990ms);
  EXPECT_EQ(begins(true), 1);
  EXPECT_EQ(take<Release>().size(), 1U);
}

TEST_F(Shards, TakeBackARequestThatWasCalledBackAndNotOneThatIsOut) {
  for (const bool out : {false, true}) {
    planner = Planner{PlannerOptions{}};
    committed.clear();
    step(ShardsAcquired{Fence{11}, 42, {{one, wall, 0}}, {at_most_once(one)}});
    run_until(wall + 10s);
    const auto sends = take<Send>();
    ASSERT_EQ(sends.size(), 1U);
    step(ShardsAsked{set_of(one)});
    if (!out) step(AttemptEnded{sends[0].run.no, 1, {.fate = Fate::withdrawn}});
    run_until(wall + 200ms);
    EXPECT_EQ(begins(true), out ? 0 : 1);
    const auto released = take<Release>();
    ASSERT_EQ(released.size(), 1U);
    EXPECT_EQ(released[0].left.size(), out ? 1U : 0U);
  }
}

TEST_F(Shards, SendWhatTheOwnerBeforeTookBack) {
  OpenRun run{.no = RunNo{5},
              .job = JobNo{10},
              .shard = one,
              .revision = 1,
              .state = RunState::claimed,
              .scheduled_at = start,
              .due = start,
              .fence = Fence{7},
              .send_at = start};
  open = {run};
  wall = start + 300ms;
  step(ShardsAcquired{Fence{11}, 42, {{one, wall, 0}}, {at_most_once(one)}, wall + 600ms});
  run_until(start + 1s);
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.attempt, 1);
  EXPECT_EQ(begins(false), 1);
}

// ---- what the owner before has left -------------------------------------------------------------

TEST_F(Shards, LeaveARunAloneThatIsLeftToWhoSentIt) {
  OpenRun run = of_an_owner_before(start - 1s);
  run.left_until = start + 5s;
  open = {run};
  acquire(one, 11, 1h);
  run_until(start + 4'900ms);
  EXPECT_EQ(count<Takeover>(one), 0);
  run_until(start + 8s);
  EXPECT_EQ(count<Takeover>(one), 1);
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.attempt, 2);
}

TEST_F(Shards, FindTheRetryOfARunThatWasLeftToWhoSentIt) {
  OpenRun run = of_an_owner_before(start - 1s);
  run.left_until = start + 35s;
  open = {run};
  acquire(one, 11, 1h);
  run_until(start + 1s);
  run.state = RunState::begun;  // it was answered 500, and that was recorded
  run.attempt = 2;
  run.failures = 1;
  run.send_at = start + 20s;
  run.left_until = {};
  open = {run};
  run_until(start + 19s);
  EXPECT_TRUE(take<Send>().empty());
  run_until(start + 20s);
  EXPECT_EQ(count<Takeover>(one), 1);
  const auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.attempt, 2);
}

// Its destination had no room, and commits were slow. When there is room they are quick, and reads
// do not look so far ahead.
TEST_F(Shards, FindARetryThatWasPassedOverForWantOfRoom) {
  planner = Planner({.armed_max = 4, .armed_per_destination_max = 2});
  const OpenRun first = of_an_owner_before(start - 1s);
  OpenRun second = first;
  second.no = RunNo{6};
  OpenRun retry = first;
  retry.no = RunNo{7};
  retry.state = RunState::begun;
  retry.attempt = 2;
  retry.failures = 1;
  retry.send_at = start + 4500ms;
  acquire(one, 11, 1h);
  step(RunsRead{take<ReadOpenRuns>().at(0).read, {first}, true});
  step(BatchDone{take<Commit>().at(0).batch, BatchCommitted{{{}}, wall}, 700ms});
  open = {first, second, retry};
  step(RunsOverlooked{});
  run_until(start + 600ms);
  auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 2U);
  open = {retry};
  for (const Send& send : sends) answer(send, 200);
  run_until(start + 5s);
  sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.no, retry.no);
}

// A node that was away for long put it back behind what the owner had read.
TEST_F(Shards, FindARunThatIsPutBackLateWhenTheyAreTold) {
  acquire(one, 11, 1h);
  run_until(start + 10s);
  OpenRun run = of_an_owner_before(start - 1s);
  OpenRun later = run;
  later.no = RunNo{6};
  later.send_at = start + 50s;
  open = {run, later};
  run_until(start + 20s);
  EXPECT_TRUE(take<Send>().empty()) << "nothing says so";
  step(RunsOverlooked{});
  run_until(start + 21s);
  auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.no, run.no);
  EXPECT_EQ(sends[0].run.attempt, 2);
  run_until(start + 50s);
  sends = take<Send>();
  ASSERT_EQ(sends.size(), 1U) << "in time, for it is known from here on";
  EXPECT_EQ(sends[0].run.no, later.no);
}

TEST_F(Shards, TakeForSentWhatWasOwedByTheGrantAndABitMore) {
  OpenRun run = of_an_owner_before(start + 400ms);
  OpenRun later = run;
  later.no = RunNo{6};
  later.send_at = later.due = start + 800ms;
  open = {run, later};
  step(ShardsAcquired{Fence{11}, 42, {{one, start, 0}}, {every(1h, one)}, start + 600ms});
  run_until(start + 2s);
  auto sends = take<Send>();
  ASSERT_EQ(sends.size(), 2U);
  std::ranges::sort(sends, {}, [](const Send& send) { return send.run.no; });
  EXPECT_EQ(sends[0].run.attempt, 2) << "it may have left by a clock that is ahead";
  EXPECT_EQ(sends[1].run.attempt, 1);
}

TEST_F(Shards, HearNoChangeThatWasReadBeforeTheyWereGranted) {
  acquire(one, 11);
  run_until(start + 1s);
  step(ShardsLost{set_of(one)});
  step(ShardsAcquired{Fence{21}, 42, {{one, wall, 9}}, {}});
  auto stale = every(1s, one);
  stale.change = 8;
  step(ChangesRead{{stale}, {}, {{one, 8}}});
  run_until(start + 5s);
  EXPECT_EQ(planner.stats().jobs, 0U) << "it was deleted by a later change";
}

}  // namespace
}  // namespace cronally::core
