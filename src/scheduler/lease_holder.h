// The node's side of its leases: heartbeats, what the machine must hear of them, and the time that
// goes with them. The decisions are core/lease_keeper's and core/cluster_time's; here they get a
// thread, a lock and a store. Where the store has one holder there is one heartbeat, at the start,
// and the rest costs nothing.
//
// Builds with the CMake option CRONALLY_TEST_HOOKS trust leases for a day where the variable
// CRONALLY_TEST_UNFENCED is set, and the PostgreSQL store then writes batches under any fence: the
// proof's control, in which a node that was frozen must be seen to double (docs/proof.md).
//
// Whoever changes what is held posts the event for it under the same lock, so that the machine
// hears of a loss and of a grant in the order in which they came about.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "core/cluster_time.h"
#include "core/lease_keeper.h"
#include "runtime/clock.h"
#include "scheduler/inbox.h"
#include "scheduler/journal.h"
#include "store/database.h"

namespace cronally::scheduler {

class LeaseHolder {
 public:
  struct Granted {
    Fence fence;
    ShardSet shards;
    Instant at;  // by the store's clock
  };

  // All outlive it. `journal`: tells the store what this node remembers; null where there is none.
  LeaseHolder(NodeId node, Duration ttl, store::Spine& spine, const runtime::Clock& clock,
              Inbox& inbox, Journal* journal = nullptr);

  // One heartbeat: blocks, throws Unavailable. What was lost or asked for is posted; what was
  // granted waits for take_granted().
  void beat();
  // Beats until the stop, through outages of the store. Not where leases are endless.
  void run(const std::stop_token& stop);
  bool endless() const { return endless_; }

  // What metrics and readiness tell of it.
  struct Standing {
    int held = 0;
    std::uint64_t lost = 0;    // shards, since the start; not what was handed over
    Duration heartbeat_age{};  // since the newest one that counted was asked
    bool trusted = false;      // by this node's clock its leases stand, or it would hold some
  };
  Standing standing() const;
  // Of all nodes, the one that does what is to be done once: who is trusted with the first shard.
  bool leads() const;

  // What was granted since the last call and is not read yet.
  std::vector<Granted> take_granted();
  // Posts the event with those of its shards that are still held under its fence, and their jobs.
  void post_acquired(core::ShardsAcquired event);
  // As above for an event that waited in the inbox.
  void retain_held(core::ShardsAcquired& event);

  // Shards that are not trusted any more: the machine hears of them before anything else.
  ShardSet expired();
  // How long until expired() has some to tell of, if no heartbeat is answered; Duration::max():
  // it never will.
  Duration trusted_for() const;
  // The last look before a first byte leaves; any thread. The trust may have begun anew under
  // another fence before the machine heard of the loss: so the lease is named.
  bool may_send(const core::Lease& lease) const;
  // Where leases end the wall clock is the store's, as this node knows it.
  Now now() const;
  Instant sent_until(const Granted& granted) const;

  // The store has taken these back.
  void released(const core::Release& release);
  // All shards are to go; the next heartbeat says so, at once.
  void drain();
  // Waits until they are gone and the store knows that nothing is to come back, or `timeout`.
  void await_released(Duration timeout);

 private:
  std::optional<Duration> until_next() const;

  const Duration ttl_;
  store::Spine& spine_;
  const runtime::Clock& clock_;
  Inbox& inbox_;
  Journal* const journal_;
  mutable std::mutex mutex_;
  std::condition_variable_any hurried_;
  std::condition_variable_any released_;
  bool hurry_ = false;
  std::uint64_t lost_ = 0;
  SteadyInstant counted_from_{};  // of the newest heartbeat that counted
  std::atomic<bool> endless_ = false;
  core::LeaseKeeper keeper_;
  core::ClusterTime time_;
  std::vector<Granted> granted_;
};

}  // namespace cronally::scheduler
