// Leases: which node may act for which shard, until when, and under which fence.
//
// A node says at intervals that it lives (Heartbeat). The store answers in one transaction, by its
// own clock: it extends what the node holds, gives it free shards up to its fair share under one
// new fence, and names shards that others lack. What is decided there is decided here, from
// values, so that every store decides alike:
//
//   fair share   ceil(shards / nodes that live and do not drain); 0 for a node that drains
//   free         nobody's, or its lease ended, or its holder no longer says that it holds it
//
// Example, 64 shards: A alone holds 64. B comes: fair is 32, A is asked for its last 32 and gives
// them back when it has let go of them (Release); B is lacking, looks again soon, and takes them.
// A dies: B's fair share is 64 from the end of A's lease on, and it takes the rest.
//
// How long a node trusts its leases by its own clock is core/lease_keeper.h.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace cronally::core {

inline constexpr Duration lease_ttl_default = std::chrono::seconds{5};
inline constexpr Duration lease_ttl_min = std::chrono::seconds{2};

struct Lease {
  ShardNo shard;
  Fence fence;
  friend auto operator<=>(const Lease&, const Lease&) = default;
};

// What a node says. `holds`: the leases it still trusts; whatever else the table has under its
// name is free from here on (a grant whose answer was lost, a lease it stopped to trust), since
// nobody acts for it. A shard that comes back to the node comes under a new fence.
struct Heartbeat {
  NodeId node;
  Duration ttl = lease_ttl_default;  // it and its leases live so long from the transaction on
  bool draining = false;             // takes nothing more, and is asked for all
  std::vector<Lease> holds;
  // What it remembers of the store, by which a store that was put back in time notices that
  // (core/journal.h). A node that still puts back what was forgotten is granted nothing.
  std::int64_t generation = 0;  // 0: none was heard of yet
  std::vector<std::pair<ShardNo, Instant>> cursors{};
  bool putting_back = false;
  // While it is quiet: who lived when the store was last heard of before. They are waited for.
  std::vector<NodeId> peers{};
};

// The store's clock, as a question of its own found it: the shorter that took, the nearer it is.
// Asked before the transaction, so leases that it extends or grants are trusted from `asked` on.
struct ClockSample {
  SteadyInstant asked;
  SteadyInstant answered;
  Instant at;
};

struct HeartbeatAnswer {
  Instant at;                    // the store's clock in the transaction
  bool endless = false;          // one holder: its leases stand as long as its process
  Fence fence;                   // of `granted`
  std::vector<ShardNo> granted;  // its own from here on; read them before acting
  std::vector<ShardNo> kept;     // of `holds`: extended. The others of `holds` are lost
  std::vector<ShardNo> asked;    // of `kept`: to be released, as soon as nothing is under way
  int lacking = 0;               // of the fair share, which others hold and will give back
  // By the node's steady clock. Where there is none, `at` was read somewhere within the heartbeat.
  std::optional<ClockSample> clock{};
  // Of a store that can forget: how often it was put back in time, and until when nobody is granted
  // anything because of that. 0: it cannot.
  std::int64_t generation = 0;
  Instant quiet_until{};
  std::vector<NodeId> living{};  // who lives, this node too
};

// A request that is out while its shard is released: nobody else touches the run until then.
struct LeftRun {
  RunNo run;
  ShardNo shard;
  std::int32_t attempt = 1;
  Instant until;
};

// What a node gives back. Each shard counts while its lease carries the fence; repeating it is
// harmless.
struct Release {
  std::vector<Lease> shards;
  std::vector<LeftRun> left;
};

// ---- The decision -----------------------------------------------------------------------------

// The tables, as the store reads them in the heartbeat's transaction. Rows of the node itself may
// be among the nodes or not.
struct NodeRow {
  NodeId node;
  bool draining = false;
  Instant ends;       // its last heartbeat + ttl
  Instant beat_at{};  // its last heartbeat; none where others only told of it
  // Generations, of a store that can forget (core/journal.h, quiet_until): for which it has put
  // everything back, nullopt where its version does not say; and for which a peer told of it.
  std::optional<std::int64_t> back{};
  std::int64_t awaited = 0;
};
struct LeaseRow {
  ShardNo shard;
  NodeId holder;  // nobody's after a release or when it was freed: a late heartbeat finds nothing
  Fence fence;
  Instant ends;  // at or before the store's clock: free
};

struct LeaseDecision {
  std::vector<ShardNo> kept;
  std::vector<ShardNo> take;
  std::vector<ShardNo> freed;  // its own that it no longer holds, and does not take
  std::vector<ShardNo> asked;
  int lacking = 0;
};

// `leases` holds one row for each shard that was ever held; the others are free.
LeaseDecision decide_leases(const Heartbeat& said, Instant now, const std::vector<NodeRow>& nodes,
                            const std::vector<LeaseRow>& leases);

}  // namespace cronally::core
