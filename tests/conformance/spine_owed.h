// What a definition owed that was replaced before any owner planned it: what the store tells of it
// (core::OwedBefore), and what the replan of the newest revision writes.
#pragma once

#include "base/text.h"
#include "tests/conformance/store_fixture.h"

namespace cronally::store {
// How a failing expectation shows one.
inline void PrintTo(const OwedBefore& owed, std::ostream* out) {
  *out << "revision " << owed.revision << " '" << owed.schedule << "' ("
       << format_instant(owed.from) << ", " << format_instant(owed.until) << "] withdrawn "
       << static_cast<int>(owed.withdrawn);
}
}  // namespace cronally::store

namespace cronally::conformance {

using core::Reason;

class SpineOwed : public StoreTest {
 protected:
  using Kind = core::Replan::Change;

  // Of the one job there is, as an owner is told of it who begins, and by the change alike.
  std::vector<store::OwedBefore> owed() {
    acquire();
    const auto told = all_changes();
    EXPECT_THAT(told.jobs, SizeIs(1));
    EXPECT_THAT(grant.jobs, SizeIs(1));
    if (told.jobs.size() != 1 || grant.jobs.size() != 1) return {};
    EXPECT_EQ(told.jobs[0].owed_before.size(), grant.jobs[0].owed_before.size());
    return grant.jobs[0].owed_before;
  }
  void cursor_to(const core::Job& job, Instant cursor) {
    EXPECT_EQ(commit_one(core::Advance{job.shard, cursor, 0}), ItemStatus::done);
  }
  core::Job reschedule(const core::Job& job, const std::string& schedule) {
    return change(job, [&](auto& edited) { edited.schedule = schedule; });
  }
  core::Replan skipping(const core::Job& job, Kind kind, Revision of, Duration from, Duration to) {
    auto item = replan(job, kind);
    item.skips = {{job.no, job.shard, of, at(from), at(to), Reason::changed}};
    return item;
  }
  // Of the spans, (from, to].
  std::vector<std::pair<Instant, Instant>> skipped() {
    std::vector<std::pair<Instant, Instant>> spans;
    for (const auto& span : world->skipped()) spans.emplace_back(span.from, span.to);
    std::ranges::sort(spans);
    return spans;
  }
  static std::pair<Instant, Instant> span(Instant from, Instant to) { return {from, to}; }
};

MATCHER_P5(Owes, revision, from, until, schedule, withdrawn, "") {
  return arg.revision == revision && arg.from == from && arg.until == until &&
         arg.schedule == schedule && arg.withdrawn == withdrawn;
}

// ---- what is told -----------------------------------------------------------------------------

TEST_P(SpineOwed, IsAllOfWhatWasMadeAndPausedUnseen) {
  auto job = create("report");
  world->clock().advance(5s);
  auto paused = pause(job);
  EXPECT_THAT(owed(),
              ElementsAre(Owes(1, job.updated_at, paused.updated_at, "@every 1s", Reason::none)));
}

TEST_P(SpineOwed, IsNothingOfANewJob) {
  create("report");
  EXPECT_THAT(owed(), IsEmpty());
}

TEST_P(SpineOwed, BeginsAtTheCursorWhereItWasPlanned) {
  auto job = create("report");
  replanned(job, Kind::created);
  cursor_to(job, at(2s));
  world->clock().advance(5s);
  auto paused = pause(job);
  EXPECT_THAT(owed(), ElementsAre(Owes(1, at(2s), paused.updated_at, "@every 1s", Reason::none)));
}

TEST_P(SpineOwed, IsNothingWhereTheCursorWasAhead) {
  auto job = create("report");
  replanned(job, Kind::created);
  world->clock().advance(5s);
  cursor_to(job, at(7s));
  auto changed = reschedule(job, "@every 2s");
  cursor_to(changed, at(9s));
  EXPECT_THAT(owed(), IsEmpty());
}

TEST_P(SpineOwed, IsNothingOnceItIsReplanned) {
  auto job = create("report");
  world->clock().advance(5s);
  auto paused = pause(job);
  replanned(paused, Kind::paused);
  EXPECT_THAT(owed(), IsEmpty());
  world->clock().advance(5s);
  auto resumed = resume(paused);
  EXPECT_THAT(owed(), IsEmpty()) << "paused it owed nothing";
}

TEST_P(SpineOwed, IsWithdrawnByAChange) {
  auto job = create("report");
  world->clock().advance(5s);
  auto changed = reschedule(job, "@every 2s");
  EXPECT_THAT(owed(), ElementsAre(Owes(1, job.updated_at, changed.updated_at, "@every 1s",
                                       Reason::changed)));
}

TEST_P(SpineOwed, IsWithdrawnByADelete) {
  auto job = create("report");
  world->clock().advance(5s);
  auto removed = remove(job);
  EXPECT_THAT(owed(), ElementsAre(Owes(1, job.updated_at, removed.updated_at, "@every 1s",
                                       Reason::deleted)));
}

TEST_P(SpineOwed, IsToldOfEachOfSeveralEdits) {
  auto job = create("report");
  replanned(job, Kind::created);
  cursor_to(job, at(2s));
  world->clock().advance(5s);
  auto changed = reschedule(job, "@every 2s");
  world->clock().advance(5s);
  cursor_to(job, at(9s));  // by who has not seen the change: nothing of it is claimed
  auto paused = pause(changed);
  world->clock().advance(5s);
  auto resumed = resume(paused);
  world->clock().advance(5s);
  auto removed = remove(resumed);
  world->reopen();
  EXPECT_THAT(
      owed(),
      ElementsAre(Owes(1, at(2s), changed.updated_at, "@every 1s", Reason::changed),
                  Owes(2, changed.updated_at, paused.updated_at, "@every 2s", Reason::deleted),
                  Owes(4, resumed.updated_at, removed.updated_at, "@every 2s", Reason::deleted)));
}

TEST_P(SpineOwed, IsToldWhereAJobIsReplacedByName) {
  auto job = create("report");
  world->clock().advance(5s);
  auto edited = definition("report");
  edited.schedule = "@every 3s";
  ASSERT_TRUE(jobs().create_jobs(world->account(), {{fresh_job_id(), edited, {}}},
                                 store::Existing::replace, std::nullopt));
  auto found = jobs().find_job(world->account(), job.id);
  EXPECT_THAT(owed(), ElementsAre(Owes(1, job.updated_at, found->updated_at, "@every 1s",
                                       Reason::changed)));
}

// ---- what is claimed --------------------------------------------------------------------------

TEST_P(SpineOwed, IsClaimedAndHeldByThePause) {
  auto job = create("report");
  world->clock().advance(5s);
  auto paused = pause(job);
  auto held = claim(paused, at(3s));
  auto outcomes = commit({replan(paused, Kind::paused), held});
  EXPECT_EQ(outcomes.at(1).status, ItemStatus::done);
  EXPECT_EQ(commit_one(held), ItemStatus::done) << "the same once more";
  EXPECT_EQ(commit_one(claim(paused, at(3s))), ItemStatus::present);
  EXPECT_EQ(commit_one(claim(paused, at(6s))), ItemStatus::stale) << "owed by nobody";
  EXPECT_EQ(commit_one(claim(job, at(4s))), ItemStatus::stale) << "by a revision of before";
  EXPECT_THAT(open_runs(), IsEmpty());
  auto resumed = resume(paused);
  replanned(resumed, Kind::resumed);
  EXPECT_THAT(open_numbers(), ElementsAre(outcomes.at(1).run));
}

TEST_P(SpineOwed, IsNotClaimedForADeletedJob) {
  auto job = create("report");
  world->clock().advance(5s);
  auto removed = remove(job);
  EXPECT_EQ(commit_one(claim(removed, at(3s))), ItemStatus::stale);
}

// ---- what is skipped --------------------------------------------------------------------------

TEST_P(SpineOwed, IsSkippedByTheReplanUnderTheRevisionThatOwedIt) {
  auto job = create("report");
  world->clock().advance(5s);
  auto changed = reschedule(job, "@every 2s");
  auto item = skipping(changed, Kind::changed, 1, 0s, 5s);
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  const auto spans = world->skipped();
  ASSERT_THAT(spans, SizeIs(1)) << "once, though the batch came twice";
  EXPECT_EQ(spans[0].job, job.id);
  EXPECT_EQ(spans[0].revision, 1);
  EXPECT_EQ(spans[0].from, at(0s));
  EXPECT_EQ(spans[0].to, at(5s));
  EXPECT_EQ(spans[0].reason, Reason::changed);
  const auto uncounted = spine().uncounted_spans(10);
  ASSERT_THAT(uncounted, SizeIs(1));
  EXPECT_EQ(uncounted[0].job.schedule, "@every 1s");
}

TEST_P(SpineOwed, IsNotSkippedByAReplanThatIsStale) {
  auto job = create("report");
  world->clock().advance(5s);
  auto changed = reschedule(job, "@every 2s");
  reschedule(changed, "@every 3s");
  EXPECT_EQ(commit_one(skipping(changed, Kind::changed, 1, 0s, 5s)), ItemStatus::stale);
  EXPECT_THAT(skipped(), IsEmpty());
}

TEST_P(SpineOwed, IsNotSkippedWhereItHasARun) {
  auto job = create("report");
  replanned(job, Kind::created);
  claimed(job, at(1s));
  claimed(job, at(2s));
  auto last = claimed(job, at(3s));
  commit({success(last)});
  world->clock().advance(5s);
  auto changed = reschedule(job, "@every 2s");
  EXPECT_EQ(commit_one(skipping(changed, Kind::changed, 1, 0s, 5s)), ItemStatus::done);
  EXPECT_THAT(skipped(), ElementsAre(span(at(0s), at(1s) - 1us), span(at(1s), at(2s) - 1us),
                                     span(at(2s), at(3s) - 1us), span(at(3s), at(5s))));
}

TEST_P(SpineOwed, IsNotSkippedTwice) {
  auto job = create("report");
  commit({replan(job, Kind::created),
          core::Skip{job.no, job.shard, 1, at(-1s), at(1s), Reason::catch_up_window},
          core::Skip{job.no, job.shard, 1, at(2s), at(3s), Reason::catch_up_window}});
  world->clock().advance(5s);
  auto changed = reschedule(job, "@every 2s");
  EXPECT_EQ(commit_one(skipping(changed, Kind::changed, 1, 0s, 5s)), ItemStatus::done);
  EXPECT_THAT(skipped(), ElementsAre(span(at(-1s), at(1s)), span(at(1s), at(2s)),
                                     span(at(2s), at(3s)), span(at(3s), at(5s))));
}

}  // namespace cronally::conformance
