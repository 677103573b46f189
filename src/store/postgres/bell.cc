#include "store/postgres/bell.h"

#include <algorithm>
#include <iterator>

namespace cronally::store::postgres {

namespace {

std::size_t place(ShardNo shard) { return static_cast<std::size_t>(shard.value); }

}  // namespace

void Effects::add(Effects&& more) {
  std::ranges::move(more.changes, std::back_inserter(changes));
  std::ranges::move(more.seen, std::back_inserter(seen));
  runs |= more.runs;
  requested |= more.requested;
}

void Bell::ring(const Effects& effects) {
  {
    std::lock_guard lock(mutex_);
    for (auto [shard, change] : effects.changes) {
      auto& known = changes_.at(place(shard));
      known = std::max(known, change);
    }
    for (auto [shard, seen] : effects.seen) {
      auto& known = seen_.at(place(shard));
      known = std::max(known, seen);
    }
    if (effects.runs) ++run_tick_;
    if (effects.requested) ++requests_;
  }
  rung_.notify_all();
}

void Bell::forget() {
  std::lock_guard lock(mutex_);
  changes_.fill(0);
  seen_.fill(0);
}

void Bell::interrupt() {
  {
    std::lock_guard lock(mutex_);
    ++interrupts_;
  }
  rung_.notify_all();
}

std::uint64_t Bell::run_tick() const {
  std::lock_guard lock(mutex_);
  return run_tick_;
}

std::uint64_t Bell::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

std::array<std::int64_t, shard_count> Bell::changes() const {
  std::lock_guard lock(mutex_);
  return changes_;
}

std::int64_t Bell::seen(ShardNo shard) const {
  std::lock_guard lock(mutex_);
  return seen_.at(place(shard));
}

bool Bell::wait_seen(ShardNo shard, std::int64_t change, Duration timeout) {
  std::unique_lock lock(mutex_);
  return rung_.wait_for(lock, timeout, [&] { return seen_.at(place(shard)) >= change; });
}

bool Bell::wait_news(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                     std::uint64_t requests_known, std::uint64_t& interrupts_known,
                     Duration timeout) {
  const auto news = [&] {
    if (requests_ != requests_known) return true;
    return std::ranges::any_of(
        since, [&](const auto& known) { return changes_.at(place(known.first)) > known.second; });
  };
  std::unique_lock lock(mutex_);
  rung_.wait_for(lock, timeout, [&] { return interrupts_ != interrupts_known || news(); });
  interrupts_known = interrupts_;
  return news();
}

}  // namespace cronally::store::postgres
