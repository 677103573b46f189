#include "store/postgres/transaction.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace cronally::store::postgres {

using namespace std::chrono_literals;

namespace {

// A block of numbers: a process that ends leaves the rest of one unused.
constexpr int block_shift = 16;

Instant start_of(std::int64_t day) { return Instant{std::chrono::days{day}}; }

}  // namespace

std::int64_t day_of(Instant at) {
  return std::chrono::floor<std::chrono::days>(at).time_since_epoch().count();
}

std::int64_t day_of(RunNo run) { return run.value >> run_day_shift; }

void DueBounds::cover(RunNo run) {
  const auto day = day_of(run);
  from = std::min(from, start_of(day));
  until = std::max(until, start_of(day + 1));
}

Params& DueBounds::add_to(Params& params) const { return params.add(from).add(until); }

RunNo RunNumbers::next(Connection& db, Instant due) {
  if (next_ == end_) {
    const std::int64_t before = end_;
    do next_ = db.run("run_block_next")[0].integer(0) << block_shift;
    while (next_ < before);
    end_ = next_ + (std::int64_t{1} << block_shift);
  }
  constexpr std::int64_t low_bits = (std::int64_t{1} << run_day_shift) - 1;
  return {day_of(due) << run_day_shift | (next_++ & low_bits)};
}

void RunLog::add(RunLog&& more) {
  std::ranges::move(more.changed, std::back_inserter(changed));
  std::ranges::move(more.last, std::back_inserter(last));
  for (std::size_t shard = 0; shard < added.size(); ++shard) added[shard] += more.added[shard];
}

bool RunLog::empty() const {
  return changed.empty() && std::ranges::all_of(added, [](auto count) { return count == 0; });
}

std::vector<Rows> Transaction::open(std::vector<Call> calls) {
  auto all = std::exchange(shared_.begin, {});
  const auto before = static_cast<std::ptrdiff_t>(all.size());
  std::ranges::move(calls, std::back_inserter(all));
  auto rows = shared_.db.run(std::move(all));
  if (before > 0) shared_.now = rows[static_cast<std::size_t>(before - 1)][0].instant(0);
  rows.erase(rows.begin(), rows.begin() + before);
  return rows;
}

Instant Transaction::stamp() {
  shared_.last_stamp = std::max(shared_.now, shared_.last_stamp + 1us);
  return shared_.last_stamp;
}

RunNo Transaction::next_run(Instant due) {
  if (!shared_.days.contains(day_of(due))) throw MissingDay{day_of(due)};
  return shared_.numbers.next(shared_.db, due);
}

void Transaction::need_day_of(RunNo run) const {
  if (!shared_.days.contains(day_of(run))) throw MissingDay{day_of(run)};
}

std::array<std::int64_t, shard_count> Transaction::shards_changed(
    const std::array<std::int64_t, shard_count>& counts) {
  Numbers shards;
  Numbers raised;
  for (std::size_t shard = 0; shard < counts.size(); ++shard) {
    if (counts[shard] == 0) continue;
    shards.add(static_cast<std::int64_t>(shard));
    raised.add(counts[shard]);
  }
  Params params;
  params.add(shards).add(raised);
  std::array<std::int64_t, shard_count> before{};
  for (const Row row : db().run("shards_change", std::move(params))) {
    const ShardNo shard{row.integer(0)};
    const auto at = static_cast<std::size_t>(shard.value);
    before.at(at) = row.integer(1) - counts[at];
    effects_.changes.emplace_back(shard, row.integer(1));
  }
  return before;
}

}  // namespace cronally::store::postgres
