#include "store/sqlite/ledger.h"

#include <limits>
#include <unordered_set>

#include "store/sqlite/cursor.h"
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

void bind_job_filter(Statement& statement, const RunFilter& filter) {
  statement.bind(filter.name_prefix).bind(write_labels(filter.labels));
}

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
    auto rows = db.use(filter.job ? "run_list_of_job" : "run_list");
    rows.bind(account)
        .bind(before[0])
        .bind(before[1])
        .bind(filter.job)
        .bind(filter.verdict)
        .bind(filter.state)
        .bind(filter.since)
        .bind(filter.until);
    bind_job_filter(rows, filter);
    rows.bind(static_cast<std::int64_t>(filter.limit) + 1);
    while (rows.step()) page.items.push_back(full_run(db, rows));
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
    std::unordered_set<RunNo> told;
    // Over changes that are not wanted to the end of the log: an empty page means that there is
    // nothing to tell before the next commit.
    for (bool more = true; more && page.items.empty();) {
      auto rows = db.use("changes_after");
      rows.bind(since).bind(account).bind(filter.job).bind(filter.verdict).bind(filter.state);
      bind_job_filter(rows, filter);
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
