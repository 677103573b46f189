// What the ledger shows of runs: by id, in lists, as changes since a cursor, and as skipped spans.
#pragma once

#include <set>

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

// For stores whose `database` is not null.
class LedgerLists : public StoreTest {
 protected:
  using Change = core::Replan::Change;

  store::Database& database() { return *world->database(); }
  store::Ledger& ledger() { return database().ledger(); }
  AccountNo account() const { return world->account(); }

  // A job that may be claimed for, and `count` runs of it, due a second apart from `first` on.
  std::vector<core::OpenRun> claimed_row(const core::Job& job, Instant first, int count) {
    std::vector<core::OpenRun> runs;
    for (int i = 0; i < count; ++i) runs.push_back(claimed(job, first + i * 1s));
    return runs;
  }

  std::vector<RunId> listed(const store::RunFilter& filter) {
    auto page = ledger().list_runs(account(), filter);
    EXPECT_TRUE(page) << (page ? "" : page.error().message);
    return page ? ids_of(page->items) : std::vector<RunId>{};
  }
  static std::vector<RunId> ids_of(const std::vector<core::Run>& runs) {
    std::vector<RunId> all;
    for (const auto& run : runs) all.push_back(run.id);
    return all;
  }

  std::string cursor_now() {
    auto page = ledger().run_changes(account(), std::nullopt, {});
    EXPECT_TRUE(page);
    return page->next_cursor.value_or("");
  }
  store::Page<core::Run> changes_since(const std::string& cursor, const store::RunFilter& filter) {
    auto page = ledger().run_changes(account(), cursor, filter);
    EXPECT_TRUE(page) << (page ? "" : page.error().message);
    return page.value_or(store::Page<core::Run>{});
  }
  std::string code_of_changes(const std::string& cursor) {
    auto page = ledger().run_changes(account(), cursor, {});
    return page ? "no error" : page.error().code;
  }
};
// ---- one run ------------------------------------------------------------------------------------

TEST_P(LedgerLists, ARunIsFoundByItsIdWithAllItsAttempts) {
  auto job = create("report");
  auto run = claimed(job, at(-1s));
  commit({failure(run, at(1s))});
  commit({success(open_run(run.no))});
  auto found = ledger().find_run(account(), run.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, run.id);
  EXPECT_EQ(found->no, run.no);
  EXPECT_EQ(found->job, job.id);
  EXPECT_EQ(found->job_no, job.no);
  EXPECT_EQ(found->job_name, "report");
  EXPECT_EQ(found->revision, 1);
  EXPECT_EQ(found->kind, core::RunKind::scheduled);
  EXPECT_EQ(found->key, "");
  EXPECT_EQ(found->scheduled_at, at(-1s));
  EXPECT_EQ(found->due, at(-1s));
  EXPECT_EQ(found->state, core::RunState::ended);
  EXPECT_EQ(found->verdict, core::Verdict::succeeded);
  EXPECT_EQ(found->reason, core::Reason::none);
  EXPECT_EQ(found->fence, fence);
  EXPECT_EQ(found->ended_at, at(0s));
  ASSERT_THAT(found->attempts, SizeIs(2));
  EXPECT_EQ(found->attempts[0].number, 1);
  EXPECT_EQ(found->attempts[0].result.status, 500);
  EXPECT_EQ(found->attempts[0].fence, fence);
  EXPECT_EQ(found->attempts[0].node, node);
  EXPECT_EQ(found->attempts[1].number, 2);
  EXPECT_EQ(found->attempts[1].result.status, 200);
  EXPECT_EQ(found->attempts[1].result.response, "answer 200");
}

TEST_P(LedgerLists, TheIdOfEveryKindOfRunLeadsToIt) {
  auto job = create("report");
  world->clock().advance(1234567us);
  auto scheduled = claimed(job, at(999us));
  auto manual = request(job, "manual:1");
  ASSERT_TRUE(ledger().find_run(account(), scheduled.id));
  auto found = ledger().find_run(account(), manual.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->no, manual.no);
  EXPECT_EQ(found->key, "manual:1");
  EXPECT_EQ(found->kind, core::RunKind::manual);
  EXPECT_EQ(found->state, core::RunState::requested);
  EXPECT_FALSE(found->verdict);
  EXPECT_FALSE(found->ended_at);
}

TEST_P(LedgerLists, ARunOfNoIdOrOfAnotherAccountIsNotFound) {
  auto run = claimed(create("report"), at(0s));
  EXPECT_FALSE(ledger().find_run({account().value + 1}, run.id));
  EXPECT_FALSE(ledger().find_run(account(), RunId{uuid_v7(at(0s), 99, 99)}));
  EXPECT_FALSE(ledger().find_run(account(), RunId{uuid_v4(99, 99)}));
}

// ---- lists --------------------------------------------------------------------------------------

TEST_P(LedgerLists, RunsAreListedNewestDueFirst) {
  auto job = create("report");
  auto late = claimed(job, at(2s));
  auto early = claimed(job, at(-2s));
  auto middle = claimed(job, at(0s));
  EXPECT_THAT(listed({}), ElementsAre(late.id, middle.id, early.id));
  EXPECT_THAT(ledger().list_runs({account().value + 1}, {})->items, IsEmpty());
}

TEST_P(LedgerLists, PagesPartTheListAlsoAmongRunsOfOneInstant) {
  std::vector<core::OpenRun> runs;
  for (int i = 0; i < 7; ++i) {
    runs.push_back(claimed(create("job " + std::to_string(i)), at(i < 5 ? 0s : 1s)));
  }
  auto whole = listed({});
  ASSERT_THAT(whole, SizeIs(7));
  std::vector<RunId> joined;
  store::RunFilter filter{.limit = 2};
  int pages = 0;
  do {
    auto page = ledger().list_runs(account(), filter);
    ASSERT_TRUE(page);
    for (const auto& run : page->items) joined.push_back(run.id);
    filter.cursor = page->next_cursor;
    ASSERT_LT(++pages, 10);
  } while (filter.cursor);
  EXPECT_EQ(joined, whole);
  EXPECT_EQ(pages, 4);
}

TEST_P(LedgerLists, ALastPageThatIsFullHasNoCursor) {
  claimed_row(create("report"), at(-2s), 2);
  EXPECT_FALSE(ledger().list_runs(account(), {.limit = 2})->next_cursor);
}

TEST_P(LedgerLists, RunsThatArriveWhileOnePagesAreNeitherDoubledNorShifted) {
  auto job = create("report");
  auto runs = claimed_row(job, at(-4s), 4);
  auto first = ledger().list_runs(account(), {.limit = 2});
  claimed(job, at(1s));
  auto second = listed({.cursor = first->next_cursor, .limit = 2});
  EXPECT_THAT(second, ElementsAre(runs[1].id, runs[0].id));
}

TEST_P(LedgerLists, RunsAreFilteredByEverythingAFilterHas) {
  auto tagged = definition("tagged job");
  tagged.labels = {{"team", "ops"}, {"tier", "1"}};
  auto first = create(tagged);
  auto second = create("other job");
  auto won = claimed(first, at(-3s));
  auto lost = claimed(first, at(-2s));
  auto open = claimed(second, at(-1s));
  auto asked = request(second, "manual:1");
  commit({success(won),
          outcome(lost, 410, core::Outcome::End{core::Verdict::failed, core::Reason::gone})});
  using Filter = store::RunFilter;
  struct Row {
    const char* what;
    Filter filter;
    std::vector<RunId> expected;
  };
  const std::vector<Row> rows{
      {"job", {.job = first.id}, {lost.id, won.id}},
      {"unknown job", {.job = fresh_job_id()}, {}},
      {"verdict", {.verdict = core::Verdict::succeeded}, {won.id}},
      {"verdict of none", {.verdict = core::Verdict::unknown}, {}},
      {"state", {.state = core::RunState::claimed}, {open.id}},
      {"requested", {.state = core::RunState::requested}, {asked.id}},
      {"since is inclusive", {.since = at(-2s)}, {asked.id, open.id, lost.id}},
      {"until is exclusive", {.until = at(-1s)}, {lost.id, won.id}},
      {"both", {.since = at(-2s), .until = at(-1s)}, {lost.id}},
      {"a label", {.labels = {{"team", "ops"}}}, {lost.id, won.id}},
      {"both labels", {.labels = {{"team", "ops"}, {"tier", "1"}}}, {lost.id, won.id}},
      {"a label's other value", {.labels = {{"team", "dev"}}}, {}},
      {"one label of two", {.labels = {{"team", "ops"}, {"tier", "2"}}}, {}},
      {"prefix", {.name_prefix = "tagged"}, {lost.id, won.id}},
      {"prefix, letter by letter", {.name_prefix = "TAGGED"}, {}},
      {"a wildcard is a letter", {.name_prefix = "%"}, {}},
      {"combined", {.job = first.id, .verdict = core::Verdict::failed}, {lost.id}},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(listed(row.filter), row.expected);
  }
}

// Filters on jobs go along the jobs when these are few, and along the runs when they are many.
TEST_P(LedgerLists, RunsOfSeveralJobsComeInOneOrderAndInPages) {
  std::vector<core::Job> tagged;
  for (int i = 0; i < 4; ++i) {
    auto made = definition("tagged/" + std::to_string(i));
    made.labels = {{"team", "ops"}, {"n", std::to_string(i % 2)}};
    tagged.push_back(create(made));
  }
  auto other = create("other");
  std::vector<RunId> expected;
  for (int second = -9; second < 0; ++second) {
    claimed(other, at(second * 1s));
    auto& job = tagged.at(static_cast<std::size_t>(second + 9) % 4);
    expected.insert(expected.begin(), claimed(job, at(second * 1s)).id);
  }
  for (store::RunFilter filter : {store::RunFilter{.labels = {{"team", "ops"}}},
                                  store::RunFilter{.name_prefix = "tagged/"}}) {
    EXPECT_EQ(listed(filter), expected);
    std::vector<RunId> joined;
    filter.limit = 2;
    do {
      auto page = ledger().list_runs(account(), filter);
      ASSERT_TRUE(page);
      ASSERT_LE(page->items.size(), 2U);
      for (const auto& run : page->items) joined.push_back(run.id);
      filter.cursor = page->next_cursor;
    } while (filter.cursor);
    EXPECT_EQ(joined, expected);
  }
  EXPECT_THAT(listed({.labels = {{"team", "ops"}, {"n", "1"}}, .name_prefix = "tagged/1"}),
              ElementsAre(expected.at(3), expected.at(7)));
  EXPECT_THAT(listed({.since = at(-3s), .until = at(-1s), .labels = {{"team", "ops"}}}),
              ElementsAre(expected.at(1), expected.at(2)));
}

TEST_P(LedgerLists, RunsOfADeletedJobAreStillFoundByItsNameAndLabels) {
  auto made = definition("gone");
  made.labels = {{"team", "ops"}};
  auto job = create(made);
  auto run = claimed(job, at(-1s));
  commit({success(run)});
  replanned(remove(job), Change::deleted);
  create("gone");
  EXPECT_THAT(listed({.labels = {{"team", "ops"}}}), ElementsAre(run.id));
  EXPECT_THAT(listed({.name_prefix = "gone"}), ElementsAre(run.id));
  EXPECT_THAT(jobs().list_jobs(account(), {.labels = {{"team", "ops"}}})->items, IsEmpty());
  EXPECT_THAT(jobs().list_jobs(account(), {.name_prefix = "gone"})->items, SizeIs(1));
}

TEST_P(LedgerLists, RunsOfADeletedJobStayInTheLedger) {
  auto job = create("report");
  auto run = claimed(job, at(-1s));
  commit({success(run)});
  replanned(remove(job), Change::deleted);
  EXPECT_THAT(listed({.job = job.id}), ElementsAre(run.id));
  EXPECT_TRUE(ledger().find_run(account(), run.id));
}

TEST_P(LedgerLists, ACursorThatNoListGaveIsRefused) {
  for (std::string cursor : {"", "x", "!!!!", "MQ", "MS4yLjM", "LTE", "'; DROP TABLE run"}) {
    SCOPED_TRACE(cursor);
    auto page = ledger().list_runs(account(), {.cursor = cursor});
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, "invalid_cursor");
  }
}

// ---- jobs ---------------------------------------------------------------------------------------

TEST_P(LedgerLists, JobsAreListedNewestFirstInPages) {
  std::vector<std::string> expected;
  for (int i = 0; i < 5; ++i) {
    auto name = "job " + std::to_string(i);
    create(name);
    expected.insert(expected.begin(), name);
  }
  std::vector<std::string> joined;
  store::JobFilter filter{.limit = 2};
  do {
    auto page = jobs().list_jobs(account(), filter);
    ASSERT_TRUE(page);
    ASSERT_LE(page->items.size(), 2U);
    for (const auto& job : page->items) joined.push_back(job.definition.name);
    filter.cursor = page->next_cursor;
  } while (filter.cursor);
  EXPECT_EQ(joined, expected);
  EXPECT_EQ(jobs().list_jobs(account(), {.cursor = "x"}).error().code, "invalid_cursor");
  EXPECT_THAT(jobs().list_jobs({account().value + 1}, {})->items, IsEmpty());
}

TEST_P(LedgerLists, JobsAreFilteredByPrefixAndLabels) {
  auto first = definition("a/one");
  first.labels = {{"team", "ops"}, {"quote\"d", "it's"}};
  auto second = definition("a/two");
  second.labels = {{"team", "dev"}};
  create(first);
  create(second);
  create("b");
  auto names = [&](const store::JobFilter& filter) {
    std::vector<std::string> found;
    for (const auto& job : jobs().list_jobs(account(), filter)->items) {
      found.push_back(job.definition.name);
    }
    return found;
  };
  EXPECT_THAT(names({.name_prefix = "a/"}), ElementsAre("a/two", "a/one"));
  EXPECT_THAT(names({.name_prefix = "a/one and more"}), IsEmpty());
  EXPECT_THAT(names({.labels = {{"team", "ops"}}}), ElementsAre("a/one"));
  EXPECT_THAT(names({.labels = {{"quote\"d", "it's"}}}), ElementsAre("a/one"));
  EXPECT_THAT(names({.name_prefix = "a", .labels = {{"team", "dev"}}}), ElementsAre("a/two"));
  EXPECT_THAT(names({.labels = {{"team", ""}}}), IsEmpty());
}

TEST_P(LedgerLists, ListsShowTheNewestNameAndLabels) {
  auto job = create("before");
  auto run = claimed(job, at(0s));
  change(job, [](auto& edited) {
    edited.name = "after";
    edited.labels = {{"new", "yes"}};
  });
  EXPECT_EQ(ledger().find_run(account(), run.id)->job_name, "after");
  EXPECT_THAT(listed({.labels = {{"new", "yes"}}, .name_prefix = "after"}), ElementsAre(run.id));
  EXPECT_EQ(jobs().list_jobs(account(), {.labels = {{"new", "yes"}}})->items.size(), 1U);
}

TEST_P(LedgerLists, ALabelThatWasTakenOffNoLongerLeadsToTheJob) {
  auto made = definition("report");
  made.labels = {{"kept", "1"}, {"off", "1"}, {"turned", "1"}};
  auto job = create(made);
  change(job, [](auto& edited) { edited.labels = {{"kept", "1"}, {"turned", "2"}}; });
  auto found = [&](const std::string& key, const std::string& value) {
    return jobs().list_jobs(account(), {.labels = {{key, value}}})->items.size();
  };
  EXPECT_EQ(found("kept", "1"), 1U);
  EXPECT_EQ(found("off", "1"), 0U);
  EXPECT_EQ(found("turned", "1"), 0U);
  EXPECT_EQ(found("turned", "2"), 1U);
}

TEST_P(LedgerLists, PagesOfFilteredJobsMissNone) {
  std::vector<std::string> expected;
  for (int i = 0; i < 9; ++i) {
    auto made = definition((i % 3 ? "a/" : "b/") + std::to_string(i));
    made.labels = {{"parity", i % 2 ? "odd" : "even"}};
    create(made);
    if (i % 3 && i % 2) expected.insert(expected.begin(), made.name);
  }
  std::vector<std::string> joined;
  store::JobFilter filter{.name_prefix = "a/", .labels = {{"parity", "odd"}}, .limit = 1};
  do {
    auto page = jobs().list_jobs(account(), filter);
    ASSERT_TRUE(page);
    for (const auto& job : page->items) joined.push_back(job.definition.name);
    filter.cursor = page->next_cursor;
  } while (filter.cursor);
  EXPECT_EQ(joined, expected);
}

TEST_P(LedgerLists, ADeletedJobLeavesTheLists) {
  auto job = create("report");
  remove(job);
  EXPECT_THAT(jobs().list_jobs(account(), {})->items, IsEmpty());
}

// ---- changes ------------------------------------------------------------------------------------

TEST_P(LedgerLists, WithoutACursorThereAreNoChangesAndTheCursorOfNow) {
  claimed(create("report"), at(0s));
  auto page = ledger().run_changes(account(), std::nullopt, {});
  ASSERT_TRUE(page);
  EXPECT_THAT(page->items, IsEmpty());
  ASSERT_TRUE(page->next_cursor);
  EXPECT_THAT(changes_since(*page->next_cursor, {}).items, IsEmpty());
}

TEST_P(LedgerLists, EachRunChangedSinceIsToldOldestChangeFirstAsItIsNow) {
  auto job = create("report");
  auto before = claimed(job, at(-5s));
  auto cursor = cursor_now();
  auto first = claimed(job, at(-4s));
  auto second = claimed(job, at(-3s));
  auto asked = request(job, "manual:1");
  commit({success(before)});
  auto page = changes_since(cursor, {});
  EXPECT_THAT(ids_of(page.items), ElementsAre(first.id, second.id, asked.id, before.id));
  EXPECT_EQ(page.items.back().verdict, core::Verdict::succeeded);
  EXPECT_THAT(page.items.back().attempts, SizeIs(1));
  EXPECT_THAT(changes_since(page.next_cursor.value(), {}).items, IsEmpty());
}

TEST_P(LedgerLists, ARunThatChangedOftenIsToldOnce) {
  auto job = create("report");
  auto cursor = cursor_now();
  auto run = claimed(job, at(-1s));
  commit({failure(run, at(1s))});
  commit({success(open_run(run.no))});
  auto page = changes_since(cursor, {});
  EXPECT_THAT(ids_of(page.items), ElementsAre(run.id));
  EXPECT_THAT(page.items.at(0).attempts, SizeIs(2));
}

TEST_P(LedgerLists, EveryWriteToARunIsAChange) {
  auto job = create("report");
  replanned(job, Change::created);
  auto begun = claimed(job, at(-9s));
  auto ended = claimed(job, at(-8s));
  auto taken = claimed(job, at(-7s));
  auto asked = request(job, "manual:1");
  auto told = [&](const std::string& cursor) { return ids_of(changes_since(cursor, {}).items); };
  auto cursor = cursor_now();
  commit({core::Begin{begun.no, job.shard, 1}});
  EXPECT_THAT(told(cursor), ElementsAre(begun.id));
  cursor = cursor_now();
  commit({core::Accept{asked.no, job.shard}});
  EXPECT_THAT(told(cursor), ElementsAre(asked.id));
  cursor = cursor_now();
  commit({core::End{ended.no, job.shard, core::Verdict::failed, core::Reason::expired}});
  EXPECT_THAT(told(cursor), ElementsAre(ended.id));
  acquire();
  cursor = cursor_now();
  commit({core::Takeover{taken.no, job.shard, 1, true}});
  EXPECT_THAT(told(cursor), ElementsAre(taken.id));
}

TEST_P(LedgerLists, ChangesComeInPagesThatMissNothing) {
  auto job = create("report");
  auto cursor = cursor_now();
  auto runs = claimed_row(job, at(-9s), 9);
  std::set<RunId> told;
  for (int pages = 0; told.size() < runs.size(); ++pages) {
    ASSERT_LT(pages, 10);
    auto page = changes_since(cursor, {.limit = 2});
    ASSERT_LE(page.items.size(), 2U);
    for (const auto& run : page.items) EXPECT_TRUE(told.insert(run.id).second);
    cursor = page.next_cursor.value();
  }
}

TEST_P(LedgerLists, ChangesAreFiltered) {
  auto tagged = definition("tagged");
  tagged.labels = {{"team", "ops"}};
  auto first = create(tagged);
  auto second = create("other");
  auto cursor = cursor_now();
  auto run = claimed(first, at(-1s));
  auto other = claimed(second, at(-1s));
  commit({success(other)});
  auto told = [&](const store::RunFilter& filter) {
    return ids_of(changes_since(cursor, filter).items);
  };
  EXPECT_THAT(told({.job = first.id}), ElementsAre(run.id));
  EXPECT_THAT(told({.verdict = core::Verdict::succeeded}), ElementsAre(other.id));
  EXPECT_THAT(told({.state = core::RunState::claimed}), ElementsAre(run.id));
  EXPECT_THAT(told({.labels = {{"team", "ops"}}}), ElementsAre(run.id));
  EXPECT_THAT(told({.name_prefix = "oth"}), ElementsAre(other.id));
  EXPECT_THAT(ledger().run_changes({account().value + 1}, cursor, {})->items, IsEmpty());
}

TEST_P(LedgerLists, ACursorAdvancesAlsoPastWhatTheFilterLeavesOut) {
  auto first = create("first");
  auto second = create("second");
  auto cursor = cursor_now();
  claimed_row(first, at(-5s), 5);
  auto wanted = claimed(second, at(-1s));
  std::vector<RunId> told;
  for (int pages = 0; told.empty(); ++pages) {
    ASSERT_LT(pages, 10);
    auto page = changes_since(cursor, {.job = second.id, .limit = 2});
    told = ids_of(page.items);
    cursor = page.next_cursor.value();
  }
  EXPECT_THAT(told, ElementsAre(wanted.id));
}

TEST_P(LedgerLists, AWithdrawnOccurrenceIsNotToldOf) {
  auto job = create("report");
  auto cursor = cursor_now();
  claimed(job, at(2s));
  auto paused = pause(job);
  replanned(paused, Change::paused);
  EXPECT_THAT(changes_since(cursor, {}).items, IsEmpty());
}

TEST_P(LedgerLists, ACursorOfARestartGoesOn) {
  auto job = create("report");
  auto cursor = cursor_now();
  auto run = claimed(job, at(-1s));
  world->reopen();
  EXPECT_THAT(ids_of(changes_since(cursor, {}).items), ElementsAre(run.id));
}

TEST_P(LedgerLists, ACursorIsKeptTenMinutesAndThenExpires) {
  auto job = create("report");
  auto cursor = cursor_now();
  auto run = claimed(job, at(-1s));
  world->clock().advance(9min + 59s);
  auto later = claimed(job, at(2s));
  EXPECT_THAT(ids_of(changes_since(cursor, {}).items), ElementsAre(run.id, later.id));
  world->clock().advance(2s);
  auto fresh = cursor_now();
  commit({});
  world->clock().advance(10s);
  commit({});
  EXPECT_EQ(code_of_changes(cursor), "cursor_expired");
  EXPECT_EQ(code_of_changes(fresh), "no error");
}

TEST_P(LedgerLists, ACursorOfChangesThatNobodyGaveIsRefused) {
  for (std::string cursor : {"", "x", "MS4y", "9999999999999999999999"}) {
    SCOPED_TRACE(cursor);
    EXPECT_EQ(code_of_changes(cursor), "invalid_cursor");
  }
}

TEST_P(LedgerLists, TheTickGrowsWithEveryCommitThatChangedARun) {
  auto job = create("report");
  auto tick = database().run_change_tick();
  create("another");
  commit({core::Advance{job.shard, at(0s), 0}});
  EXPECT_EQ(database().run_change_tick(), tick) << "no run changed";
  auto run = claimed(job, at(-1s));
  auto claimed_tick = database().run_change_tick();
  EXPECT_GT(claimed_tick, tick);
  commit({success(run)});
  EXPECT_GT(database().run_change_tick(), claimed_tick);
}

// ---- skipped spans ------------------------------------------------------------------------------

TEST_P(LedgerLists, SkippedSpansAreListedNewestFirst) {
  auto first = create("first");
  auto second = create("second");
  auto skip = [&](const core::Job& job, Duration from, Duration to, core::Reason reason) {
    return core::Skip{job.no, job.shard, 1, at(from), at(to), reason};
  };
  commit({skip(first, -9s, -8s, core::Reason::catch_up_window),
          skip(second, -7s, -6s, core::Reason::catch_up_skip),
          skip(first, -5s, -4s, core::Reason::catch_up_latest)});
  auto all = ledger().list_skipped(account(), std::nullopt, 10);
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].from, at(-5s));
  EXPECT_EQ(all[0].to, at(-4s));
  EXPECT_EQ(all[0].job, first.id);
  EXPECT_EQ(all[0].reason, core::Reason::catch_up_latest);
  EXPECT_EQ(all[0].revision, 1);
  EXPECT_FALSE(all[0].count) << "counted later, in the background";
  EXPECT_EQ(all[1].job, second.id);
  EXPECT_THAT(ledger().list_skipped(account(), first.id, 10), SizeIs(2));
  EXPECT_THAT(ledger().list_skipped(account(), std::nullopt, 1), SizeIs(1));
  EXPECT_THAT(ledger().list_skipped({account().value + 1}, std::nullopt, 10), IsEmpty());
}

TEST_P(LedgerLists, SpansAreCountedOldestFirstUnderTheirOwnRevision) {
  auto made = definition("report");
  made.schedule = "*/5 * * * *";
  made.zone = "Europe/Riga";
  made.dst = cron::Dst::skip;
  auto job = create(made);
  commit({core::Skip{job.no, job.shard, 1, at(-9s), at(-8s), core::Reason::catch_up_window},
          core::Skip{job.no, job.shard, 1, at(-7s), at(-6s), core::Reason::catch_up_window}});
  change(job, [](auto& edited) {
    edited.schedule = "@every 1h";
    edited.zone = "UTC";
    edited.name = "renamed";
  });
  auto spans = spine().uncounted_spans(10);
  ASSERT_THAT(spans, SizeIs(2));
  EXPECT_EQ(spans[0].from, at(-9s));
  EXPECT_EQ(spans[0].to, at(-8s));
  EXPECT_EQ(spans[0].job.schedule, "*/5 * * * *");
  EXPECT_EQ(spans[0].job.zone, "Europe/Riga");
  EXPECT_EQ(spans[0].job.dst, cron::Dst::skip);
  EXPECT_EQ(spans[0].job.name, "report") << "H hashes the name of then";
  EXPECT_EQ(spans[0].job.anchor, job.anchor);
  EXPECT_THAT(spine().uncounted_spans(1), SizeIs(1));

  spine().set_span_counts({{spans[0].no, 12}, {spans[1].no, 0}});
  EXPECT_THAT(spine().uncounted_spans(10), IsEmpty());
  auto listed = ledger().list_skipped(account(), job.id, 10);
  EXPECT_EQ(listed.at(1).count, 12);
  EXPECT_EQ(listed.at(0).count, 0);
}

}  // namespace cronally::conformance
