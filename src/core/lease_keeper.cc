#include "core/lease_keeper.h"

#include <algorithm>

#include "base/check.h"

namespace cronally::core {
namespace {

// Often enough that a node that drains is rid of its shards within a second; a third of the time to
// live where that is short.
constexpr Duration heartbeat_every = std::chrono::milliseconds{500};
// A shard that another node is about to release is looked for again after this.
constexpr Duration lacking_every = std::chrono::milliseconds{100};

std::size_t index_of(ShardNo shard) { return static_cast<std::size_t>(shard.value); }

}  // namespace

Heartbeat LeaseKeeper::heartbeat(SteadyInstant now) {
  CHECK(!asked_at_, "one heartbeat is under way at a time");
  asked_at_ = now;
  drain_said_ = draining_;
  Heartbeat said{.node = node_, .ttl = ttl_, .draining = draining_, .holds = {}};
  for (const auto& [shard, fence] : held_) said.holds.push_back({shard, fence});
  return said;
}

LeaseKeeper::News LeaseKeeper::answered(const HeartbeatAnswer& answer, SteadyInstant now) {
  News news{.fence = answer.fence, .at = answer.at};
  CHECK(asked_at_.has_value(), "an answer follows a heartbeat");
  const SteadyInstant asked_at = *asked_at_;
  drain_told_ = drain_said_;
  const auto clock = answer.clock.value_or(ClockSample{asked_at, now, answer.at});
  if (!counts(clock) && !answer.endless) {
    gave_up(now);
    return news;
  }
  asked_at_.reset();
  next_at_ = asked_at + (answer.lacking > 0 ? lacking_every : std::min(heartbeat_every, ttl_ / 3));
  endless_ = answer.endless;
  trusted_until_ = std::max(trusted_until_, clock.asked + trust_of(ttl_));
  ShardSet kept;
  for (const ShardNo shard : answer.kept) kept.set(index_of(shard));
  std::erase_if(held_, [&](const auto& lease) {
    const bool gone = !kept.test(index_of(lease.first));
    if (gone) news.lost.set(index_of(lease.first));
    return gone;
  });
  // What it stopped to hold since it asked is not its own, whatever the answer says.
  for (const ShardNo shard : answer.asked) {
    if (held_.contains(shard)) news.asked.set(index_of(shard));
  }
  for (const ShardNo shard : answer.granted) {
    if (held_.contains(shard)) news.lost.set(index_of(shard));
    held_[shard] = answer.fence;
    news.granted.set(index_of(shard));
  }
  return news;
}

void LeaseKeeper::gave_up(SteadyInstant now) {
  asked_at_.reset();
  next_at_ = now + lacking_every;
}

ShardSet LeaseKeeper::expired(SteadyInstant now) {
  if (trusts(now)) return {};
  const ShardSet gone = held();
  held_.clear();
  return gone;
}

void LeaseKeeper::released(const Release& release) {
  for (const Lease& lease : release.shards) {
    const auto found = held_.find(lease.shard);
    if (found != held_.end() && found->second == lease.fence) held_.erase(found);
  }
}

bool LeaseKeeper::trusts(ShardNo shard, Fence fence, SteadyInstant now) const {
  const auto found = held_.find(shard);
  return found != held_.end() && found->second == fence && trusts(now);
}

ShardSet LeaseKeeper::held() const {
  ShardSet all;
  for (const auto& [shard, fence] : held_) all.set(index_of(shard));
  return all;
}

std::optional<SteadyInstant> LeaseKeeper::next_at() const {
  if (asked_at_ || endless_) return std::nullopt;
  return next_at_;
}

}  // namespace cronally::core
