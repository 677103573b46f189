#include "store/sqlite/ledger.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <unordered_set>
#include <utility>

#include "store/cursor.h"
#include "store/sqlite/job_match.h"
#include "store/sqlite/rows.h"

namespace cronally::store::sqlite {

namespace {

constexpr auto integer_max = std::numeric_limits<std::int64_t>::max();

// Change numbers of one commit order for the whole store: one number says all that a cursor of
// one number per shard would.
Page<core::Run> newest_changes(Connection& db) {
  auto newest = db.use("change_newest");
  newest.step();
  return {.items = {}, .next_cursor = write_cursor<1>({newest.integer(0)})};
}

// Where a run stands in lists: newest due first, then newest number.
using Place = std::pair<std::int64_t, std::int64_t>;

// One page of a list of runs: the runs before `before` that the filter wants, newest first.
class RunList {
 public:
  RunList(Connection& db, AccountNo account, const RunFilter& filter, Place before)
      : db_(db),
        account_(account),
        filter_(filter),
        before_(before),
        match_(db, account, filter.labels, filter.name_prefix) {
    if (filter.until) before_ = std::min(before_, Place{us_of(*filter.until), integer_min});
    if (filter.since) since_ = us_of(*filter.since);
  }

  std::vector<core::Run> read() {
    if (filter_.job) return of_job();
    if (const auto jobs = match_.few(db_)) return of_jobs(*jobs);
    if (filter_.verdict) return rows("run_list_by_verdict", std::nullopt);
    const bool open = filter_.state && *filter_.state != core::RunState::ended;
    return rows(open ? "run_list_open" : "run_list", std::nullopt);
  }

 private:
  static constexpr auto integer_min = std::numeric_limits<std::int64_t>::min();

  std::int64_t limit() const { return static_cast<std::int64_t>(filter_.limit) + 1; }

  std::vector<core::Run> rows(std::string_view statement, std::optional<JobNo> job) {
    std::vector<core::Run> runs;
    auto rows = db_.use(statement);
    rows.bind(account_).bind(before_.first).bind(before_.second).bind(since_);
    rows.bind(filter_.verdict).bind(filter_.state);
    match_.bind_labels(rows);
    match_.bind_names(rows);
    rows.bind(limit());
    if (statement == "run_list_of_job" || statement == "run_list_by_verdict") rows.bind(job);
    while (rows.step()) runs.push_back(full_run(db_, rows));
    return runs;
  }

  // A rare verdict is looked for among the runs that have it, not among those of the job.
  std::vector<core::Run> of_job() {
    JobNo job{};
    {
      auto row = db_.use("job_no_of");
      row.bind(account_).bind(*filter_.job);
      if (!row.step()) return {};
      job = {row.integer(0)};
    }
    return rows(
        filter_.verdict && rare(*filter_.verdict) ? "run_list_by_verdict" : "run_list_of_job", job);
  }

  bool rare(core::Verdict verdict) {
    constexpr std::int64_t rare_max = 20'000;
    auto row = db_.use("runs_of_verdict");
    row.bind(verdict).bind(since_).bind(before_.first).bind(rare_max);
    return row.step() && row.integer(0) < rare_max;
  }

  // Asks each job for its newest runs, and no further than what is on the page already.
  std::vector<core::Run> of_jobs(const std::vector<JobNo>& jobs) {
    std::priority_queue<Place, std::vector<Place>, std::greater<>> newest;  // the oldest on top
    for (const auto job : jobs) {
      auto rows = db_.use("run_places_of_job");
      rows.bind(job).bind(before_.first).bind(before_.second).bind(since_);
      rows.bind(filter_.verdict).bind(filter_.state).bind(limit());
      while (rows.step()) {
        const Place place{rows.integer(0), rows.integer(1)};
        const bool full = std::ssize(newest) == limit();
        if (full && place < newest.top()) break;
        if (full) newest.pop();
        newest.push(place);
      }
      if (std::ssize(newest) == limit()) since_ = std::max(since_, newest.top().first);
    }
    std::vector<core::Run> runs;
    for (; !newest.empty(); newest.pop()) {
      auto row = db_.use("run_by_no");
      row.bind(newest.top().second);
      if (row.step()) runs.push_back(full_run(db_, row));
    }
    std::ranges::reverse(runs);
    return runs;
  }

  Connection& db_;
  const AccountNo account_;
  const RunFilter& filter_;
  Place before_;
  std::int64_t since_ = integer_min;
  const JobMatch match_;
};

}  // namespace

std::optional<core::Run> SqliteLedger::find_run(AccountNo account, RunId run) {
  auto at = uuid_v7_instant(run.value);
  if (!at) return std::nullopt;
  return engine_.readers.read([&](Connection& db) -> std::optional<core::Run> {
    auto row = db.use("run_by_id");
    row.bind(account).bind(*at).bind(*at + std::chrono::milliseconds{1}).bind(run);
    if (!row.step()) return std::nullopt;
    return full_run(db, row);
  });
}

Result<Page<core::Run>> SqliteLedger::list_runs(AccountNo account, const RunFilter& filter) {
  std::array<std::int64_t, 2> before{integer_max, integer_max};
  if (filter.cursor) {
    auto cursor = read_cursor<2>(*filter.cursor);
    if (!cursor) return fail(cursor.error());
    before = *cursor;
  }
  return engine_.readers.read([&](Connection& db) -> Result<Page<core::Run>> {
    Page<core::Run> page;
    page.items = RunList(db, account, filter, {before[0], before[1]}).read();
    if (page.items.size() > filter.limit) {
      page.items.pop_back();
      const auto& last = page.items.back();
      page.next_cursor = write_cursor<2>({us_of(last.due), last.no.value});
    }
    return page;
  });
}

Result<Page<core::Run>> SqliteLedger::run_changes(AccountNo account,
                                                  std::optional<std::string> after,
                                                  const RunFilter& filter) {
  std::int64_t since = 0;
  if (after) {
    auto cursor = read_cursor<1>(*after);
    if (!cursor) return fail(cursor.error());
    since = (*cursor)[0];
  }
  return engine_.readers.read([&](Connection& db) -> Result<Page<core::Run>> {
    if (!after) return newest_changes(db);
    {
      auto meta = db.use("meta_read");
      if (meta.step() && since < meta.integer(3)) {
        return fail("cursor_expired",
                    "changes are kept for 10 minutes; list the runs, then start without a cursor");
      }
    }
    Page<core::Run> page;
    const JobMatch match(db, account, filter.labels, filter.name_prefix);
    std::unordered_set<RunNo> told;
    // Over changes that are not wanted to the end of the log: an empty page means that there is
    // nothing to tell before the next commit.
    for (bool more = true; more && page.items.empty();) {
      auto rows = db.use("changes_after");
      rows.bind(account).bind(since).bind(filter.job).bind(filter.verdict).bind(filter.state);
      match.bind_labels(rows);
      match.bind_names(rows);
      rows.bind(static_cast<std::int64_t>(filter.limit));
      more = false;
      while (rows.step()) {
        more = true;
        since = rows.integer(0);
        // A run deleted meanwhile (its job was changed before it began) is not told of.
        bool wanted = !rows.null(1) && rows.flag(16);
        if (wanted && told.insert(RunNo{rows.integer(1)}).second) {
          page.items.push_back(full_run(db, rows, 1));
          page.items.back().change = since;
        }
      }
    }
    page.next_cursor = write_cursor<1>({since});
    return page;
  });
}

std::vector<core::SkippedSpan> SqliteLedger::list_skipped(AccountNo account,
                                                          std::optional<JobId> job,
                                                          std::size_t limit) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<core::SkippedSpan> spans;
    auto rows = db.use("skipped_list");
    rows.bind(account).bind(job).bind(static_cast<std::int64_t>(limit));
    while (rows.step()) {
      core::SkippedSpan span{.job = {rows.uuid(0)},
                             .revision = static_cast<Revision>(rows.integer(1)),
                             .from = rows.instant(2),
                             .to = rows.instant(3),
                             .reason = rows.as<core::Reason>(4)};
      if (!rows.null(5)) span.count = rows.integer(5);
      spans.push_back(span);
    }
    return spans;
  });
}

}  // namespace cronally::store::sqlite
