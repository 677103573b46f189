// Who may act for which shard: heartbeats and releases, on a connection of their own, so that no
// batch and no edit makes a lease end.
//
// What is decided is core/lease.h's; the tables are `node` (who lives until when) and `shard_lease`
// (who holds what under which fence). A lease ends with its holder's life: keeping 64 of them is
// one row. A shard that a batch is being written for is not taken; where its writer is frozen, the
// server ends that transaction after a second.
//
// A database may be far away, so round trips are counted (and a test counts them). A heartbeat is
//
//   1  the clock, alone: only this one's round trip says how far our idea of it may be off
//   2  one transaction that says the node lives and reads the tables, under the lock of heartbeats
//   3  where shards are to be taken or freed, one more, which takes what is still as it was read
//
// and no lock is held while an answer is on its way, so that nodes do not stand in line behind one
// that is far away. A release is one round trip.
//
// Why two transactions grant nothing that one would not: a lease is taken only if its fence and its
// end are those that the decision saw, so its holder has not been heard of since, and what it may
// have sent it sent before the decision's time (HeartbeatAnswer::at). A transaction of a heartbeat
// that was given up, and takes effect late, finds nothing as it was.
//
// Here it is noticed, too, that the database was put back in time (docs/design/journal.md).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/journal.h"
#include "core/lease.h"
#include "runtime/clock.h"
#include "store/postgres/bell.h"
#include "store/postgres/connection.h"
#include "store/postgres/hosts.h"
#include "store/postgres/open.h"

namespace cronally::store::postgres {

// Thread-safe.
class Leases {
 public:
  // `clock`: whose steady time heartbeats go by. `about`: as PostgresOptions has it.
  // `bell` forgets what it was told of whenever the generation has risen.
  Leases(ConnectionOptions options, Hosts& hosts, Bell& bell,
         std::shared_ptr<const runtime::Clock> clock, std::function<NodeAbout()> about = {})
      : options_(std::move(options)),
        hosts_(hosts),
        bell_(bell),
        clock_(std::move(clock)),
        about_(std::move(about)) {}

  // As Spine has them. Unavailable where the database does not answer: whether it counted is not
  // known, and the next one decides.
  core::HeartbeatAnswer heartbeat(const core::Heartbeat& said);
  void release(NodeId node, const core::Release& what);

 private:
  // The tables, as the transaction saw them that said the node lives.
  struct Seen {
    Instant at;
    std::int64_t generation = 0;
    core::ServerMark stored;
    core::ServerMark now;
    core::Quiet quiet;
    bool behind = false;
    std::vector<core::NodeRow> nodes;
    std::vector<core::LeaseRow> leases;
  };

  template <class Work>
  auto locked(Work work);
  template <class Ask>
  auto ask_first(Ask ask);
  core::ClockSample read_clock(Connection& db, bool fresh) const;
  Seen say_alive(const core::Heartbeat& said);
  bool judge(const core::Heartbeat& said, const Seen& seen, core::HeartbeatAnswer& answer);
  void revoke(const Seen& seen, std::int64_t rise, core::HeartbeatAnswer& answer);
  void move(const core::Heartbeat& said, const Seen& seen, const core::LeaseDecision& decided,
            core::HeartbeatAnswer& answer);
  std::vector<Rows> write(std::vector<Call> calls);
  std::vector<Rows> commit(std::vector<Call> calls);

  const ConnectionOptions options_;
  Hosts& hosts_;
  Bell& bell_;
  const std::shared_ptr<const runtime::Clock> clock_;
  const std::function<NodeAbout()> about_;
  std::mutex mutex_;
  std::unique_ptr<Connection> db_;
  std::int64_t generation_ = 0;  // of the last heartbeat; 0: there was none
};

}  // namespace cronally::store::postgres
