#include "scheduler/lease_holder.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "runtime/log.h"

namespace cronally::scheduler {

namespace log = runtime::log;

namespace {

// How long a lease is trusted, which the store keeps for `ttl`.
Duration trust_of(Duration ttl) {
#ifdef CRONALLY_TEST_HOOKS
  if (std::getenv("CRONALLY_TEST_UNFENCED")) return std::chrono::days{1};
#endif
  return ttl;
}

}  // namespace

LeaseHolder::LeaseHolder(NodeId node, Duration ttl, store::Spine& spine,
                         const runtime::Clock& clock, Inbox& inbox, Journal* journal)
    : ttl_(ttl),
      spine_(spine),
      clock_(clock),
      inbox_(inbox),
      journal_(journal),
      keeper_(node, trust_of(ttl)) {}

void LeaseHolder::beat() {
  core::Heartbeat said;
  SteadyInstant asked;
  {
    std::lock_guard lock(mutex_);
    asked = clock_.steady();
    said = keeper_.heartbeat(asked);
    said.ttl = ttl_;
  }
  if (journal_) journal_->tell(said);
  core::HeartbeatAnswer answer;
  try {
    answer = spine_.heartbeat(said);
  } catch (const Unavailable&) {
    std::lock_guard lock(mutex_);
    keeper_.gave_up(clock_.steady());
    throw;
  }
  if (journal_) journal_->heard(answer);
  std::lock_guard lock(mutex_);
  const SteadyInstant now = clock_.steady();
  endless_ = answer.endless;
  const auto clock = answer.clock.value_or(core::ClockSample{asked, now, answer.at});
  if (core::LeaseKeeper::counts(clock)) {
    time_.add(clock.asked, clock.answered, clock.at);
    counted_from_ = clock.asked;
  }
  // What was not trusted any more when the answer came is not trusted again by it.
  ShardSet lost = keeper_.expired(now);
  const auto news = keeper_.answered(answer, now);
  if (keeper_.left()) released_.notify_all();
  lost |= news.lost;
  if (lost.any()) {
    log::warning("scheduler", "shards lost", {{"node", said.node}, {"shards", lost.count()}});
    lost_ += lost.count();
    inbox_.post(core::ShardsLost{lost});
  }
  if (news.granted.any()) granted_.push_back({news.fence, news.granted, news.at});
  if (news.asked.any()) inbox_.post(core::ShardsAsked{news.asked});
}

void LeaseHolder::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      const auto wait = until_next();
      if (!wait) return;
      hurried_.wait_for(lock, stop, *wait, [this] { return hurry_; });
      hurry_ = false;
    }
    if (stop.stop_requested()) return;
    try {
      beat();
    } catch (const Unavailable&) {
      continue;  // the store says so on the board; the keeper says when to ask again
    }
    if (std::lock_guard lock(mutex_); !granted_.empty()) spine_.interrupt_waits();
  }
}

// Under the lock.
std::optional<Duration> LeaseHolder::until_next() const {
  const auto at = keeper_.next_at();
  if (!at) return std::nullopt;
  return std::max(Duration::zero(), *at - clock_.steady());
}

std::vector<LeaseHolder::Granted> LeaseHolder::take_granted() {
  std::lock_guard lock(mutex_);
  return std::exchange(granted_, {});
}

void LeaseHolder::post_acquired(core::ShardsAcquired event) {
  std::lock_guard lock(mutex_);
  const SteadyInstant now = clock_.steady();
  ShardSet held;
  std::erase_if(event.shards, [&](const auto& grant) {
    const bool trusted = keeper_.trusts(grant.shard, event.fence, now);
    if (trusted) held.set(static_cast<std::size_t>(grant.shard.value));
    return !trusted;
  });
  std::erase_if(event.jobs, [&](const core::PlannedJob& job) {
    return !held.test(static_cast<std::size_t>(job.shard.value));
  });
  if (!event.shards.empty()) inbox_.post(std::move(event));
}

void LeaseHolder::retain_held(core::ShardsAcquired& event) {
  if (endless_) return;
  std::lock_guard lock(mutex_);
  const SteadyInstant now = clock_.steady();
  const auto foreign = [&](ShardNo shard) { return !keeper_.trusts(shard, event.fence, now); };
  std::erase_if(event.shards, [&](const auto& grant) { return foreign(grant.shard); });
  std::erase_if(event.jobs, [&](const auto& job) { return foreign(job.shard); });
}

ShardSet LeaseHolder::expired() {
  if (endless_) return {};
  std::lock_guard lock(mutex_);
  const auto gone = keeper_.expired(clock_.steady());
  if (gone.any()) {
    log::warning("scheduler", "leases ended: no heartbeat was answered in time",
                 {{"shards", gone.count()}});
    lost_ += gone.count();
    released_.notify_all();
  }
  return gone;
}

Duration LeaseHolder::trusted_for() const {
  std::lock_guard lock(mutex_);
  if (endless_ || keeper_.held().none()) return Duration::max();
  return keeper_.trusted_until() - clock_.steady();
}

LeaseHolder::Standing LeaseHolder::standing() const {
  std::lock_guard lock(mutex_);
  const SteadyInstant now = clock_.steady();
  return {.held = static_cast<int>(keeper_.held().count()),
          .lost = lost_,
          .heartbeat_age = endless_ ? Duration{} : now - counted_from_,
          .trusted = keeper_.trusts(now)};
}

bool LeaseHolder::leads() const {
  std::lock_guard lock(mutex_);
  return keeper_.held().test(0) && keeper_.trusts(clock_.steady());
}

bool LeaseHolder::may_send(const core::Lease& lease) const {
  if (endless_) return true;
  std::lock_guard lock(mutex_);
  return keeper_.trusts(lease.shard, lease.fence, clock_.steady());
}

Now LeaseHolder::now() const {
  const Now host = clock_.now();
  if (endless_) return host;
  std::lock_guard lock(mutex_);
  return {time_.at(host.steady).value_or(host.wall), host.steady};
}

Instant LeaseHolder::sent_until(const Granted& granted) const {
  return endless_ ? instant_min : granted.at + core::LeaseKeeper::clock_error_max;
}

void LeaseHolder::released(const core::Release& release) {
  {
    std::lock_guard lock(mutex_);
    keeper_.released(release);
  }
  released_.notify_all();
}

void LeaseHolder::await_released(Duration timeout) {
  std::unique_lock lock(mutex_);
  released_.wait_for(lock, timeout, [this] { return keeper_.left(); });
}

void LeaseHolder::drain() {
  {
    std::lock_guard lock(mutex_);
    keeper_.drain();
    hurry_ = true;
  }
  hurried_.notify_all();
}

}  // namespace cronally::scheduler
