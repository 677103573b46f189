// What a node believes of its own leases. Pure: heartbeats go out and answers come in, with the
// node's steady clock; who drives it does the talking.
//
//   heartbeat(now)          what to say now; one is under way at a time
//   answered(...)           what follows from the answer: shards granted, lost, asked for
//   gave_up(now)            no answer came in time, or the store is away
//   expired(now)            what it stops to trust by the clock alone: step this before anything
//   trusts(now)             the last look before the first byte of a request leaves
//
// Every heartbeat names all that is held, so all leases are trusted until the same moment: the
// steady clock from BEFORE the newest heartbeat that was answered, plus three fifths of the time to
// live. The rest is for drift, and for what left and is under way (docs/design/leases.md). A
// process that was frozen wakes up after it and finds that it trusts nothing. BEFORE is when the
// store's clock was asked for, which the store does before the transaction that it counts the time
// to live from.
//
// A heartbeat whose look at the store's clock took longer than `answer_max` counts as none: it says
// too little about that clock, which what a successor takes for sent is judged by (core/planner.h,
// sent_until). How long the rest of the answer took does not matter: nothing is trusted for longer
// because of it, and what was trusted may have ended meanwhile. (A store far away needs that: its
// transaction takes another round trip, and may wait for those of other nodes.)
#pragma once

#include <map>
#include <optional>

#include "core/lease.h"

namespace cronally::core {

class LeaseKeeper {
 public:
  // How far this node's cluster time may be off while it holds leases: half of `answer_max`, and
  // drift. Successors add it to the time of their grant.
  static constexpr Duration answer_max = std::chrono::seconds{1};
  static constexpr Duration clock_error_max = answer_max / 2 + std::chrono::milliseconds{100};

  static constexpr Duration trust_of(Duration ttl) { return ttl * 3 / 5; }

  LeaseKeeper(NodeId node, Duration ttl) : node_(node), ttl_(ttl) {}

  struct News {
    Fence fence;  // of `granted`
    ShardSet granted;
    ShardSet lost;
    ShardSet asked;
    Instant at;  // the store's clock
  };

  // What to say; `asked_at` is kept as the moment from which an answer counts.
  Heartbeat heartbeat(SteadyInstant now);
  News answered(const HeartbeatAnswer& answer, SteadyInstant now);
  void gave_up(SteadyInstant now);
  // Whether a heartbeat with this look at the store's clock counts.
  static bool counts(const ClockSample& clock) {
    return clock.answered - clock.asked <= answer_max;
  }

  // Shards that are not trusted any more; they are forgotten by this.
  ShardSet expired(SteadyInstant now);
  // The store has taken them back. Until then they are named in heartbeats, so that nobody else
  // gets them before what the release says is written.
  void released(const Release& release);
  void drain() { draining_ = true; }
  // It drains, the store has heard of it, and nothing is held: it may end. Who ends before it has
  // said so counts among those that live for as long as its last heartbeat says, and its share of
  // the shards is nobody's meanwhile.
  bool left() const { return drain_told_ && held_.empty(); }

  bool trusts(SteadyInstant now) const { return endless_ || now < trusted_until_; }
  // Whether the shard is held under this fence, and trusted.
  bool trusts(ShardNo shard, Fence fence, SteadyInstant now) const;
  ShardSet held() const;
  SteadyInstant trusted_until() const { return trusted_until_; }
  // When to say the next heartbeat; nullopt while one is under way, or never again.
  std::optional<SteadyInstant> next_at() const;

 private:
  const NodeId node_;
  const Duration ttl_;
  bool draining_ = false;
  bool drain_said_ = false;  // by the newest heartbeat
  bool drain_told_ = false;
  bool endless_ = false;
  std::map<ShardNo, Fence> held_;
  std::optional<SteadyInstant> asked_at_;  // of the heartbeat under way
  SteadyInstant next_at_{};
  SteadyInstant trusted_until_ = SteadyInstant::min();
};

}  // namespace cronally::core
