#include "store/sqlite/retention.h"

#include <algorithm>

#include "base/check.h"

namespace cronally::store::sqlite {

namespace {

// A deleted run dirties a page of its job's index: 128 of them are about 0.5 MiB of log, so that
// who commits behind a portion waits for little more than its fsync.
constexpr std::int64_t rows_per_portion = 128;
// Runs looked at for them: open ones may stand before those that go.
constexpr std::int64_t looks_per_portion = 4'096;

std::int64_t kept(Connection& db) {
  auto meta = db.use("meta_read");
  CHECK(meta.step(), "the database has its meta row");
  return meta.integer(7);
}

// Reads the run's place in its job's index, so that the writer will not wait for the disk.
void touch(Connection& db, const Statement& run) {
  auto place = db.use("run_touch");
  place.bind(run.integer(3)).bind(run.integer(1)).bind(run.text(4)).run();
}

}  // namespace

std::int64_t SqliteRetention::runs_kept() {
  return engine_.readers.read([](Connection& db) { return kept(db); });
}

Pruned SqliteRetention::prune(const Keep& keep) {
  std::lock_guard lock(mutex_);
  const Instant now = engine_.clock->wall();
  const auto portion = engine_.readers.read([&](Connection& db) { return find(db, keep, now); });
  position_ = portion.more_runs ? portion.position : Position{};
  Pruned pruned;
  if (!portion.empty()) {
    engine_.writer.write([&](Transaction& transaction) { pruned = erase(transaction, portion); },
                         Need::little);
  }
  pruned.more =
      portion.more_runs || pruned.spans == rows_per_portion || pruned.keys == rows_per_portion;
  return pruned;
}

SqliteRetention::Portion SqliteRetention::find(Connection& db, const Keep& keep,
                                               Instant now) const {
  Portion portion;
  find_runs(db, keep, now, portion);
  {
    auto spans = db.use("spans_oldest");
    spans.bind(now - keep.runs_age).bind(rows_per_portion);
    while (spans.step()) portion.spans.push_back(spans.integer(0));
  }
  auto keys = db.use("keys_oldest");
  keys.bind(now - std::max(keep.keys_age, keep.runs_age)).bind(rows_per_portion);
  while (keys.step()) portion.keys.emplace_back(JobNo{keys.integer(0)}, keys.text(1));
  return portion;
}

// Oldest due first: those past their age, and as many as are too many.
void SqliteRetention::find_runs(Connection& db, const Keep& keep, Instant now,
                                Portion& portion) const {
  auto excess = kept(db) - keep.runs_max;
  const auto aged = us_of(now - keep.runs_age);
  std::int64_t looked_at = 0;
  auto rows = db.use("runs_oldest");
  rows.bind(std::min(us_of(now - Keep::young_age), excess > 0 ? us_of(now) : aged))
      .bind(position_.due)
      .bind(position_.run)
      .bind(looks_per_portion);
  while (std::ssize(portion.runs) < rows_per_portion && rows.step()) {
    if (rows.integer(1) > aged && excess <= 0) return;
    ++looked_at;
    portion.position = {.due = rows.integer(1), .run = rows.integer(0)};
    if (rows.as<core::RunState>(2) != core::RunState::ended) continue;
    portion.runs.push_back({rows.integer(0)});
    touch(db, rows);
    --excess;
  }
  portion.more_runs =
      looked_at == looks_per_portion || std::ssize(portion.runs) == rows_per_portion;
}

// What is found stays so: an ended run never changes, and only this prunes.
Pruned SqliteRetention::erase(Transaction& transaction, const Portion& portion) {
  auto& db = transaction.db();
  for (const auto run : portion.runs) {
    db.use("run_prune").bind(run).run();
    db.use("attempts_prune").bind(run).run();
  }
  transaction.runs_removed(std::ssize(portion.runs));
  for (const auto span : portion.spans) db.use("span_prune").bind(span).run();
  for (const auto& [job, key] : portion.keys) db.use("key_prune").bind(job).bind(key).run();
  return {.runs = std::ssize(portion.runs),
          .spans = std::ssize(portion.spans),
          .keys = std::ssize(portion.keys)};
}

}  // namespace cronally::store::sqlite
