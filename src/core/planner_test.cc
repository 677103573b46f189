#include "core/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant start = instant_from_us(1'780'000'000'000'000);  // some second
const JobNo job_no{7};
const ShardNo shard_no{3};

// The machine with a world that does what it is told: events go in, actions are kept by kind.
class Machine {
 public:
  explicit Machine(const PlannerOptions& options = {}) : planner(options) {}

  void step(Event event) {
    const Now now{wall, SteadyInstant{wall.time_since_epoch()} + steady_ahead};
    for (auto& action : planner.step(now, std::move(event))) actions.push_back(std::move(action));
  }
  void at(Instant when) {
    wall = when;
    step(Woke{});
  }
  void acquire(std::vector<PlannedJob> jobs, Instant cursor = start) {
    step(ShardsAcquired{Fence{11}, 42, {{shard_no, cursor, 0}}, std::move(jobs)});
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> taken;
    std::erase_if(actions, [&](Action& action) {
      if (auto* found = std::get_if<T>(&action)) {
        taken.push_back(std::move(*found));
        return true;
      }
      return false;
    });
    return taken;
  }
  // Commits all batches asked for so far; items are done, claims get fresh run numbers.
  std::vector<Item> commit() {
    std::vector<Item> items;
    for (auto& asked : take<Commit>()) {
      BatchCommitted committed{.at = wall};
      for (const auto& item : asked.content.items) {
        ItemOutcome outcome;
        if (std::holds_alternative<Claim>(item)) outcome.run = RunNo{++last_run};
        committed.outcomes.push_back(outcome);
        items.push_back(item);
      }
      step(BatchDone{asked.batch, committed, 2ms});
    }
    return items;
  }
  void answer_reads() {
    for (const auto& asked : take<ReadOpenRuns>()) step(RunsRead{asked.read, {}, true});
  }
  // Wakes the machine whenever it asks to, until `until`, committing at once.
  std::vector<Item> run_until(Instant until) {
    std::vector<Item> items;
    for (;;) {
      for (auto& item : commit()) items.push_back(std::move(item));
      answer_reads();
      const auto wakes = take<WakeAt>();
      if (!wakes.empty()) wake = wakes.back().at;
      if (wake > until) break;
      wall = std::max(wall, wake);
      wake = Instant::max();
      step(Woke{});
    }
    wall = until;
    return items;
  }

  Planner planner;
  Instant wall = start;
  Instant wake = Instant::max();
  Duration steady_ahead{};
  std::vector<Action> actions;
  std::int64_t last_run = 0;
};

PlannedJob every(Duration length, std::int64_t no = job_no.value) {
  return {.no = JobNo{no},
          .shard = shard_no,
          .revision = 1,
          .schedule = cron::Interval{length, start},
          .changed_at = start - 1h,
          .planned = true};
}

template <class T>
std::vector<T> of(const std::vector<Item>& items) {
  std::vector<T> found;
  for (const auto& item : items) {
    if (const auto* one = std::get_if<T>(&item)) found.push_back(*one);
  }
  return found;
}

std::vector<Instant> dues_of(const std::vector<Send>& sends) {
  std::vector<Instant> dues;
  for (const auto& send : sends) dues.push_back(send.run.due);
  return dues;
}

std::vector<Instant> dues_of(const std::vector<Claim>& claims) {
  std::vector<Instant> dues;
  for (const auto& claim : claims) dues.push_back(claim.due);
  return dues;
}

TEST(Planner, ClaimsALeadAheadAndSendsAtTheInstant) {
  Machine machine;
  machine.acquire({every(10s)});
  machine.run_until(start + 9s);
  EXPECT_TRUE(machine.take<Send>().empty());
  const auto items = machine.run_until(start + 9'999'999us);
  ASSERT_EQ(of<Claim>(items).size(), 1U);
  EXPECT_EQ(of<Claim>(items)[0].due, start + 10s);
  EXPECT_TRUE(machine.take<Send>().empty());
  machine.run_until(start + 10s);
  const auto sends = machine.take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  EXPECT_EQ(sends[0].run.due, start + 10s);
  EXPECT_EQ(sends[0].run.attempt, 1);
  EXPECT_EQ(sends[0].run.fence, Fence{11});
}

TEST(Planner, RecordsASuccessOnce) {
  Machine machine;
  machine.acquire({every(10s)});
  machine.run_until(start + 10s);
  const auto sends = machine.take<Send>();
  ASSERT_EQ(sends.size(), 1U);
  machine.step(AttemptEnded{sends[0].run.no, 1, {.fate = Fate::answered, .status = 200}});
  EXPECT_TRUE(of<Outcome>(machine.commit()).empty()) << "others may join its commit";
  const auto outcomes = of<Outcome>(machine.run_until(start + 10s + PlannerOptions{}.outcome_wait));
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(std::get<Outcome::End>(outcomes[0].next).verdict, Verdict::succeeded);
  EXPECT_EQ(machine.planner.stats().in_flight, 0U);
}

TEST(Planner, LetsOutcomesThatAreCloseShareACommit) {
  Machine machine;
  machine.acquire({every(10s, 1), every(10s, 2)});
  machine.run_until(start + 10s);
  const auto sends = machine.take<Send>();
  ASSERT_EQ(sends.size(), 2U);
  machine.step(AttemptEnded{sends[0].run.no, 1, {.fate = Fate::answered, .status = 200}});
  machine.run_until(start + 10s + 5ms);
  machine.step(AttemptEnded{sends[1].run.no, 1, {.fate = Fate::answered, .status = 200}});
  EXPECT_EQ(of<Outcome>(machine.run_until(start + 10s + 9ms)).size(), 0U);
  EXPECT_EQ(of<Outcome>(machine.run_until(start + 10s + 10ms)).size(), 2U);
}

std::vector<Item> commit_all(Machine& machine) {
  std::vector<Item> items;
  for (auto batch = machine.commit(); !batch.empty(); batch = machine.commit()) {
    std::ranges::move(batch, std::back_inserter(items));
  }
  return items;
}

// ---- new jobs -----------------------------------------------------------------------------------

// Where nothing was due the cursor stands still, and is behind the instants that a new job owes.
std::vector<Item> told_of_a_job_due_at(Instant due, Instant told_at) {
  Machine machine;
  machine.acquire({});
  machine.run_until(told_at);
  PlannedJob job = every(1h);
  job.schedule = cron::Interval{1h, due};
  job.changed_at = due - 20ms;
  job.change = 1;
  job.planned = false;
  job.last_change = Replan::Change::created;
  job.catch_up.mode = CatchUpMode::skip;
  machine.step(ChangesRead{{job}, {}, {{shard_no, 1}}});
  const auto items = commit_all(machine);
  EXPECT_EQ(machine.take<Send>().size(), of<Claim>(items).size()) << "at once";
  return items;
}

TEST(Planner, RunsWhatANewJobOwesThoughItHeardOfItALittleLate) {
  for (const Duration late : {0ms, 15ms, 1000ms}) {
    const auto items = told_of_a_job_due_at(start + 30s, start + 30s + late);
    ASSERT_EQ(of<Claim>(items).size(), 1U) << late.count();
    EXPECT_EQ(of<Claim>(items)[0].due, start + 30s);
    EXPECT_TRUE(of<Skip>(items).empty()) << late.count();
  }
  const auto items = told_of_a_job_due_at(start + 30s, start + 31'100ms);
  EXPECT_TRUE(of<Claim>(items).empty());
  EXPECT_EQ(of<Skip>(items).size(), 1U) << "that is missed";
}

// ---- edits that nobody had seen ---------------------------------------------------------------

// Created at 3 s, due at 10 s and 20 s, edited at 25 s; found at 30 s by the first who owns it.
PlannedJob edited(Replan::Change change, Reason withdrawn) {
  PlannedJob job = every(10s);
  job.revision = 2;
  job.changed_at = start + 25s;
  job.planned = false;
  job.paused = change == Replan::Change::paused;
  job.deleted = change == Replan::Change::deleted;
  job.last_change = change;
  job.catch_up.mode = CatchUpMode::all;
  job.owed_before = {{1, job.schedule, start + 3s, start + 25s, withdrawn}};
  return job;
}

std::vector<Item> found_at_30s(Machine& machine, const PlannedJob& job) {
  machine.run_until(start + 30s);
  machine.acquire({job});
  return commit_all(machine);
}

TEST(Planner, HoldsWhatAPausedJobOwedBeforeAnybodySawIt) {
  Machine machine;
  const auto items = found_at_30s(machine, edited(Replan::Change::paused, Reason::none));
  EXPECT_EQ(dues_of(of<Claim>(items)), (std::vector{start + 10s, start + 20s}));
  EXPECT_EQ(of<Claim>(items).at(0).revision, 2);
  EXPECT_TRUE(machine.take<Send>().empty());
  EXPECT_TRUE(of<Replan>(items).at(0).skips.empty());
}

TEST(Planner, ClaimsNothingAnewThatHasARunInFlight) {
  Machine machine;
  PlannedJob job = every(10s);
  machine.acquire({job});
  machine.run_until(start + 10s);
  EXPECT_EQ(dues_of(machine.take<Send>()), std::vector{start + 10s});
  job = edited(Replan::Change::paused, Reason::none);
  job.changed_at = job.owed_before[0].until = start + 15s;
  job.change = 1;
  machine.wall = start + 15s;
  machine.step(ChangesRead{{job}, {}, {{shard_no, 1}}});
  const auto items = commit_all(machine);
  EXPECT_EQ(of<Replan>(items).at(0).in_flight.size(), 1U);
  EXPECT_TRUE(of<Claim>(items).empty());
}

TEST(Planner, SendsItLateWhereTheJobWasResumedSince) {
  Machine machine;
  found_at_30s(machine, edited(Replan::Change::resumed, Reason::none));
  EXPECT_EQ(dues_of(machine.take<Send>()), (std::vector{start + 10s, start + 20s, start + 30s}));
}

TEST(Planner, SkipsWhatAChangeWithdrewBeforeAnybodySawIt) {
  for (const auto& [change, reason] : {std::pair{Replan::Change::changed, Reason::changed},
                                       std::pair{Replan::Change::deleted, Reason::deleted}}) {
    Machine machine;
    const auto items = found_at_30s(machine, edited(change, reason));
    const auto skips = of<Replan>(items).at(0).skips;
    ASSERT_EQ(skips.size(), 1U);
    EXPECT_EQ(skips[0].revision, 1);
    EXPECT_EQ(skips[0].from, start + 3s);
    EXPECT_EQ(skips[0].to, start + 25s);
    EXPECT_EQ(skips[0].reason, reason);
    const bool deleted = change == Replan::Change::deleted;
    EXPECT_EQ(of<Claim>(items).size(), deleted ? 0U : 1U) << "what it owes itself";
  }
}

// ---- a stop -------------------------------------------------------------------------------------

TEST(Planner, TakesBackAtAStopWhatItHadBegunAtMostOnce) {
  PlannedJob job = every(10s);
  job.delivery = DeliveryMode::at_most_once;
  Machine machine;
  machine.acquire({job});
  EXPECT_EQ(of<Begin>(machine.run_until(start + 9'990ms)).size(), 1U);
  machine.step(DrainStarted{});
  EXPECT_TRUE(machine.take<Drained>().empty());
  const auto items = machine.commit();
  ASSERT_EQ(items.size(), 1U);
  EXPECT_TRUE(of<Begin>(items).at(0).taken_back);
  EXPECT_EQ(machine.take<Drained>().size(), 1U);
  machine.at(start + 11s);
  EXPECT_TRUE(machine.take<Send>().empty());
}

// ---- much at one instant ------------------------------------------------------------------------

TEST(Planner, ClaimsAHerdEarlierThanALoneJob) {
  Machine lone;
  lone.acquire({every(10s)});
  EXPECT_TRUE(of<Claim>(lone.run_until(start + 8'500ms)).empty());
  Machine herd;
  std::vector<PlannedJob> jobs;
  for (int no = 1; no <= 50'000; ++no) jobs.push_back(every(10s, no));
  herd.acquire(jobs);
  EXPECT_EQ(of<Claim>(herd.run_until(start + 8'500ms)).size(), jobs.size()) << "a second longer";
}

TEST(Planner, LeavesRoomBesideADestinationThatAnswersNothing) {
  Machine machine({.armed_max = 100, .armed_per_destination_max = 10});
  std::vector<PlannedJob> jobs;
  for (int no = 1; no <= 200; ++no) jobs.push_back(every(10s, no));
  machine.acquire(jobs);
  machine.run_until(start + 9'900ms);
  EXPECT_EQ(machine.planner.stats().armed, 50U) << "half of the room";
}

// ---- new rules of zones -------------------------------------------------------------------------

PlannedJob every_from(Instant anchor) {
  PlannedJob job = every(10s);
  job.schedule = cron::Interval{10s, anchor};
  return job;
}

TEST(PlannerNewRules, TheNextOccurrencesAreTheNewOnes) {
  Machine machine;
  machine.acquire({every_from(start)});
  machine.run_until(start + 12s);
  machine.take<Send>();
  machine.step(SchedulesChanged{{every_from(start + 3s)}});
  machine.run_until(start + 34s);
  EXPECT_EQ(dues_of(machine.take<Send>()), (std::vector{start + 13s, start + 23s, start + 33s}));
}

TEST(PlannerNewRules, WhatIsClaimedAheadAndNoLongerOwedEndsCancelled) {
  Machine machine;
  machine.acquire({every_from(start)});
  machine.run_until(start + 9'500ms);  // that of 10 s is claimed
  machine.step(SchedulesChanged{{every_from(start + 5s)}});
  const auto items = machine.run_until(start + 20s);
  const auto ends = of<End>(items);
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].verdict, Verdict::cancelled);
  EXPECT_EQ(ends[0].reason, Reason::changed);
  EXPECT_EQ(dues_of(machine.take<Send>()), std::vector{start + 15s});
}

TEST(PlannerNewRules, WhatTheCursorHasPassedAndIsOwedNowIsClaimed) {
  Machine machine;
  machine.acquire({every_from(start)});
  machine.run_until(start + 9'500ms);                           // the cursor is near 10.4 s
  machine.step(SchedulesChanged{{every_from(start - 300ms)}});  // owes 9.7 s
  const auto claims = of<Claim>(machine.run_until(start + 10s));
  ASSERT_FALSE(claims.empty());
  EXPECT_EQ(claims[0].due, start + 9'700ms);
  EXPECT_EQ(dues_of(machine.take<Send>()), std::vector{start + 9'700ms});
}

TEST(PlannerNewRules, WhatBothRulesOweIsSentOnce) {
  Machine machine;
  machine.acquire({every_from(start)});
  machine.run_until(start + 9'500ms);
  machine.step(SchedulesChanged{{every_from(start)}});
  for (auto& asked : machine.take<Commit>()) {  // the store finds the claim there already
    BatchCommitted committed{.at = machine.wall};
    for (const auto& item : asked.content.items) {
      committed.outcomes.push_back(
          {std::holds_alternative<Claim>(item) ? ItemStatus::present : ItemStatus::done, {}});
    }
    machine.step(BatchDone{asked.batch, committed, 2ms});
  }
  machine.run_until(start + 20s);
  EXPECT_EQ(dues_of(machine.take<Send>()), (std::vector{start + 10s, start + 20s}));
}

TEST(PlannerNewRules, AJobInAnotherRevisionIsLeftToItsChange) {
  Machine machine;
  machine.acquire({every_from(start)});
  PlannedJob newer = every_from(start + 5s);
  newer.revision = 2;
  machine.step(SchedulesChanged{{newer}});
  machine.run_until(start + 10s);
  EXPECT_EQ(dues_of(machine.take<Send>()), std::vector{start + 10s});
}

}  // namespace
}  // namespace cronally::core
