#include "store/postgres/ledger.h"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "store/cursor.h"
#include "store/postgres/job_match.h"
#include "store/postgres/rows.h"
#include "store/postgres/transaction.h"

namespace cronally::store::postgres {

namespace {

constexpr auto integer_max = std::numeric_limits<std::int64_t>::max();
constexpr auto integer_min = std::numeric_limits<std::int64_t>::min();

// A cursor of changes: how far each shard's changes are told.
using Told = std::array<std::int64_t, shard_count>;

// Where a run stands in lists: newest due first, then newest number.
using Place = std::pair<std::int64_t, std::int64_t>;

// One page of a list of runs, and one more: the runs before `before` that the filter wants.
std::vector<core::Run> read_list(Connection& db, AccountNo account, const RunFilter& filter,
                                 Place before) {
  if (filter.until) before = std::min(before, Place{us_of(*filter.until), integer_min});
  const JobMatch match(filter.labels, filter.name_prefix);
  std::optional<std::vector<JobNo>> jobs;
  if (filter.job) {
    jobs.emplace();
    for (const Row row : db.run("job_no_of", std::move(Params().add(account).add(*filter.job)))) {
      jobs->push_back({row.integer(0)});
    }
  } else {
    jobs = match.few(db, account);
  }
  if (jobs && jobs->empty()) return {};
  Params params;
  params.add(account).add(before.first).add(before.second);
  params.add(filter.since ? us_of(*filter.since) : integer_min);
  params.add(filter.verdict).add(filter.state);
  match.add_labels(params);
  match.add_names(params);
  params.add(static_cast<std::int64_t>(filter.limit) + 1);
  std::string_view statement = "run_list";
  if (jobs) {
    Numbers numbers;
    for (const JobNo job : *jobs) numbers.add(job);
    params.add(numbers);
    statement = "run_list_of_jobs";
  } else if (filter.state && *filter.state != core::RunState::ended) {
    statement = "run_list_open";
  }
  return full_runs(db, db.run(statement, std::move(params)));
}

Told read_newest(Connection& db) {
  Told told{};
  for (const Row row : db.run("changes_newest")) {
    told.at(static_cast<std::size_t>(row.integer(0))) = row.integer(1);
  }
  return told;
}

bool expired(Connection& db, const Told& told) {
  for (const Row row : db.run("change_floors")) {
    if (told.at(static_cast<std::size_t>(row.integer(0))) < row.integer(1)) return true;
  }
  return false;
}

// One page of changes after what is told.
class RunChanges {
 public:
  RunChanges(Connection& db, AccountNo account, const RunFilter& filter, Told told)
      : db_(db),
        account_(account),
        filter_(filter),
        match_(filter.labels, filter.name_prefix),
        told_(told) {}

  // Over changes that are not wanted to the end of the log: an empty page means that there is
  // nothing to tell before the next commit.
  Page<core::Run> read() {
    Page<core::Run> page;
    while (page.items.empty()) {
      const auto changes = next_changes();
      if (changes.empty()) break;
      tell(changes, page.items);
    }
    page.next_cursor = write_cursor<shard_count>(told_);
    return page;
  }

 private:
  struct ChangeOfRun {
    RunNo run;
    std::int64_t number;
  };

  std::vector<ChangeOfRun> next_changes() {
    Numbers shards, known;
    for (std::size_t shard = 0; shard < told_.size(); ++shard) {
      shards.add(static_cast<std::int64_t>(shard));
      known.add(told_[shard]);
    }
    Params params;
    params.add(shards).add(known).add(static_cast<std::int64_t>(filter_.limit));
    std::vector<ChangeOfRun> changes;
    for (const Row row : db_.run("changes_after", std::move(params))) {
      told_.at(static_cast<std::size_t>(row.integer(0))) = row.integer(1);
      changes.push_back({.run = {row.integer(2)}, .number = row.integer(1)});
    }
    return changes;
  }

  // A run deleted meanwhile (its job was changed before it began) is not told of.
  void tell(const std::vector<ChangeOfRun>& changes, std::vector<core::Run>& page) {
    Numbers runs;
    DueBounds bounds;
    for (const auto& change : changes) {
      runs.add(change.run);
      bounds.cover(change.run);
    }
    Params params;
    params.add(account_).add(runs);
    bounds.add_to(params);
    params.add(filter_.job).add(filter_.verdict).add(filter_.state);
    match_.add_labels(params);
    match_.add_names(params);
    std::unordered_map<RunNo, core::Run> wanted;
    for (auto& run : full_runs(db_, db_.run("runs_of_changes", std::move(params)))) {
      wanted.emplace(run.no, std::move(run));
    }
    for (const auto& change : changes) {
      const auto found = wanted.find(change.run);
      if (found == wanted.end()) continue;
      found->second.change = change.number;
      page.push_back(std::move(found->second));
      wanted.erase(found);  // told once
    }
  }

  Connection& db_;
  const AccountNo account_;
  const RunFilter& filter_;
  const JobMatch match_;
  Told told_;
};

}  // namespace

std::optional<core::Run> PostgresLedger::find_run(AccountNo account, RunId run) {
  const auto at = uuid_v7_instant(run.value);
  if (!at) return std::nullopt;
  return engine_.readers.read_together([&](Connection& db) -> std::optional<core::Run> {
    Params params;
    params.add(account).add(*at).add(*at + std::chrono::milliseconds{1}).add(run);
    auto runs = full_runs(db, db.run("run_by_id", std::move(params)));
    if (runs.empty()) return std::nullopt;
    return std::move(runs.front());
  });
}

Result<Page<core::Run>> PostgresLedger::list_runs(AccountNo account, const RunFilter& filter) {
  Place before{integer_max, integer_max};
  if (filter.cursor) {
    auto cursor = read_cursor<2>(*filter.cursor);
    if (!cursor) return fail(cursor.error());
    before = {(*cursor)[0], (*cursor)[1]};
  }
  return engine_.readers.read_together([&](Connection& db) -> Result<Page<core::Run>> {
    Page<core::Run> page;
    page.items = read_list(db, account, filter, before);
    if (page.items.size() > filter.limit) {
      page.items.pop_back();
      const auto& last = page.items.back();
      page.next_cursor = write_cursor<2>({us_of(last.due), last.no.value});
    }
    return page;
  });
}

Result<Page<core::Run>> PostgresLedger::run_changes(AccountNo account,
                                                    std::optional<std::string> after,
                                                    const RunFilter& filter) {
  const auto forgotten =
      fail("cursor_expired",
           "changes are kept for 10 minutes; list the runs, then start without a cursor");
  Told told{};
  if (after) {
    if (read_cursor<1>(*after)) return forgotten;  // of the SQLite store that was moved in here
    auto cursor = read_cursor<shard_count>(*after);
    if (!cursor) return fail(cursor.error());
    told = *cursor;
  }
  return engine_.readers.read_together([&](Connection& db) -> Result<Page<core::Run>> {
    if (!after) {
      return Page<core::Run>{.items = {},
                             .next_cursor = write_cursor<shard_count>(read_newest(db))};
    }
    if (expired(db, told)) return forgotten;
    return RunChanges(db, account, filter, told).read();
  });
}

std::vector<core::SkippedSpan> PostgresLedger::list_skipped(AccountNo account,
                                                            std::optional<JobId> job,
                                                            std::size_t limit) {
  return engine_.readers.read([&](Connection& db) {
    Params params;
    params.add(account).add(job).add(static_cast<std::int64_t>(limit));
    std::vector<core::SkippedSpan> spans;
    for (const Row row : db.run("skipped_list", std::move(params))) {
      core::SkippedSpan span{.job = {row.uuid(0)},
                             .revision = static_cast<Revision>(row.integer(1)),
                             .from = row.instant(2),
                             .to = row.instant(3),
                             .reason = row.as<core::Reason>(4)};
      if (!row.null(5)) span.count = row.integer(5);
      spans.push_back(span);
    }
    return spans;
  });
}

}  // namespace cronally::store::postgres
