#include "store/postgres/retention.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace cronally::store::postgres {

namespace {

// A portion takes some milliseconds; whoever commits behind it waits as long.
constexpr std::int64_t rows_per_portion = 500;
// Runs looked at for them: open ones may stand before those that go.
constexpr std::int64_t looks_per_portion = 4'096;

std::int64_t kept(Connection& db) { return db.run("runs_kept")[0].integer(0); }

}  // namespace

std::int64_t PostgresRetention::runs_kept() { return engine_.readers.read(kept); }

Pruned PostgresRetention::prune(const Keep& keep) {
  std::lock_guard lock(mutex_);
  Pruned pruned;
  Portion portion;
  const auto day = ended_day(keep);
  if (day && drop_day(*day, pruned)) {
    pruned.more = true;
    return pruned;
  }
  engine_.edits.write([&](Transaction& transaction) {
    pruned = {};
    auto& db = transaction.db();
    const auto now = transaction.now();
    Params spans;
    spans.add(now - keep.runs_age).add(rows_per_portion);
    Params keys;
    keys.add(now - std::max(keep.keys_age, keep.runs_age)).add(rows_per_portion);
    const auto rows = db.run({{"spans_prune", std::move(spans)}, {"keys_prune", std::move(keys)}});
    pruned.spans = rows[0].size();
    pruned.keys = rows[1].size();
    // After the keys: one goes in a later portion than its run.
    portion = find_runs(db, keep, now);
    erase_runs(transaction, portion, pruned);
  });
  position_ = portion.more_runs ? portion.position : Position{};
  pruned.more =
      portion.more_runs || pruned.spans == rows_per_portion || pruned.keys == rows_per_portion;
  return pruned;
}

// The oldest day that is wholly past its age and has no open run.
std::optional<std::int64_t> PostgresRetention::ended_day(const Keep& keep) {
  return engine_.readers.read([&](Connection& db) -> std::optional<std::int64_t> {
    const auto aged = db.run("clock_read")[0].instant(0) - keep.runs_age;
    const auto days = db.run("run_days_ended", std::move(Params().add(day_of(aged))));
    return days.empty() ? std::nullopt : std::optional(days[0].integer(0));
  });
}

// Its runs are counted first, on a connection that may take minutes: they only ever grow fewer
// here.
bool PostgresRetention::drop_day(std::int64_t day, Pruned& pruned) {
  std::vector<std::pair<ShardNo, std::int64_t>> counts;
  try {
    const auto db = engine_.hosts.connect(engine_.counting);
    db->limit_exchanges(std::chrono::minutes{10});
    for (const Row row : db->run("run_day_count", std::move(Params().add(day)))) {
      counts.emplace_back(ShardNo{row.integer(0)}, row.integer(1));
    }
  } catch (const PgError& error) {
    throw Unavailable(outage_text(error));
  }
  bool dropped = false;
  engine_.edits.write([&](Transaction& transaction) {
    dropped = transaction.db().run("run_day_drop", std::move(Params().add(day)))[0].flag(0);
    if (!dropped) return;
    for (const auto& [shard, count] : counts) transaction.runs_added(shard, -count);
  });
  if (!dropped) return false;
  for (const auto& [shard, count] : counts) pruned.runs += count;
  return true;
}

// Oldest due first: those past their age, and as many as are too many.
PostgresRetention::Portion PostgresRetention::find_runs(Connection& db, const Keep& keep,
                                                        Instant now) const {
  Portion portion;
  auto excess = kept(db) - keep.runs_max;
  const auto aged = us_of(now - keep.runs_age);
  std::int64_t looked_at = 0;
  Params params;
  params.add(std::min(us_of(now - Keep::young_age), excess > 0 ? us_of(now) : aged));
  params.add(position_.due).add(position_.run).add(looks_per_portion);
  for (const Row row : db.run("runs_oldest", std::move(params))) {
    if (row.integer(1) > aged && excess <= 0) return portion;
    if (static_cast<std::int64_t>(portion.runs.size()) == rows_per_portion) break;
    ++looked_at;
    portion.position = {.due = row.integer(1), .run = row.integer(0)};
    if (!row.flag(3)) continue;
    portion.runs.add(row.integer(0));
    portion.dues.add(row.integer(1));
    --excess;
  }
  portion.more_runs = looked_at == looks_per_portion ||
                      static_cast<std::int64_t>(portion.runs.size()) == rows_per_portion;
  return portion;
}

void PostgresRetention::erase_runs(Transaction& transaction, const Portion& portion,
                                   Pruned& pruned) {
  if (portion.runs.size() == 0) return;
  Params params;
  params.add(portion.runs).add(portion.dues);
  for (const Row row : transaction.db().run("runs_prune", std::move(params))) {
    transaction.runs_added(ShardNo{row.integer(0)}, -1);
    ++pruned.runs;
  }
}

}  // namespace cronally::store::postgres
