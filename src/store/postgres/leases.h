// Who may act for which shard: heartbeats and releases, on a connection of their own, so that no
// batch and no edit makes a lease end.
//
// What is decided is core/lease.h's; the tables are `node` (who lives until when) and `shard_lease`
// (who holds what under which fence). A lease ends with its holder's life: keeping 64 of them is
// one row. A shard that a batch is being written for is not taken; where its writer is frozen, the
// server ends that transaction after a second.
//
// Here it is noticed, too, that the database was put back in time (docs/design/journal.md).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "core/journal.h"
#include "core/lease.h"
#include "runtime/clock.h"
#include "store/postgres/connection.h"
#include "store/postgres/hosts.h"
#include "store/postgres/open.h"

namespace cronally::store::postgres {

// Thread-safe.
class Leases {
 public:
  // `clock`: whose steady time heartbeats go by. `about`: as PostgresOptions has it.
  Leases(ConnectionOptions options, Hosts& hosts, std::shared_ptr<const runtime::Clock> clock,
         std::function<NodeAbout()> about = {})
      : options_(std::move(options)),
        hosts_(hosts),
        clock_(std::move(clock)),
        about_(std::move(about)) {}

  // As Spine has them. Unavailable where the database does not answer: whether it counted is not
  // known, and the next one decides.
  core::HeartbeatAnswer heartbeat(const core::Heartbeat& said);
  void release(NodeId node, const core::Release& what);

 private:
  template <class Work>
  void in_transaction(Work work);
  static void decide(Connection& db, const core::Heartbeat& said, core::HeartbeatAnswer& answer);
  static bool judge(Connection& db, const core::Heartbeat& said, core::HeartbeatAnswer& answer);
  static void revoke(Connection& db, const core::ServerMark& now, std::int64_t rise, Duration ttl,
                     core::HeartbeatAnswer& answer);
  static void take(Connection& db, const core::Heartbeat& said, const core::LeaseDecision& decided,
                   core::HeartbeatAnswer& answer);

  core::ClockSample begin(Connection& db, bool fresh) const;

  const ConnectionOptions options_;
  Hosts& hosts_;
  const std::shared_ptr<const runtime::Clock> clock_;
  const std::function<NodeAbout()> about_;
  std::mutex mutex_;
  std::unique_ptr<Connection> db_;
};

}  // namespace cronally::store::postgres
