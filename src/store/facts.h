// What can be known of a database without changing it, as values: postgres/survey and sqlite/survey
// gather them, judge.h says what they mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/journal.h"

namespace cronally::store {

// Who looks: this program, on this host.
struct SelfFacts {
  std::string version;
  std::string tzdata;  // "unknown" where there is none
  Instant now;
  std::optional<Error> key{};  // why master.key does not open what is sealed; nullopt: it does
};

// An account's signing secret, sealed: what master.key must open.
struct SealedSecret {
  AccountId account;
  std::string sealed;
};

struct PostgresFacts {
  std::string host;      // "db1:5432"
  int version = 0;       // 150018
  bool standby = false;  // it takes no writes

  bool fsync = true;
  bool full_page_writes = true;
  bool autovacuum = true;
  std::string synchronous_commit = "on";
  std::string synchronous_standby_names{};

  struct Standby {
    std::string name;
    std::string sync_state;  // sync, quorum, potential, async; empty: this user may not see it
    std::optional<std::int64_t> behind{};  // bytes of log that it has not flushed
  };
  std::vector<Standby> standbys{};
  bool patroni = false;

  // A pooler stands between; transactions of one connection may run in different sessions.
  bool pooled = false;
  bool sessions_change = false;

  int schema = 0;  // 0: none yet
  int schema_known = 0;

  // Of each host of the address that answers, in its order.
  struct Clock {
    std::string host;
    Duration ahead{};       // of ours
    Duration round_trip{};  // the smallest of several: `ahead` is known to half of it
    std::string error{};    // why it could not be asked
    // Which server takes writes there, told from others by when it began, in microseconds; none: a
    // standby.
    std::optional<core::ServerMark> primary{};
    std::int64_t began = 0;
  };
  std::vector<Clock> clocks{};

  struct Node {
    NodeId id;
    std::string name;
    std::string version;  // empty: of a Cronally that did not say
    std::string tzdata;
    bool live = false;
    bool draining = false;
    Duration beat_age{};
    Duration ttl{};
    std::int64_t shards = 0;
  };
  std::vector<Node> nodes{};
  std::int64_t shards_free = 0;  // no node that lives holds them
  Duration planning_behind{};    // since the oldest cursor of a shard
  Duration sending_behind{};     // since the oldest request that nobody took up was owed

  struct DeadRows {
    std::string table;
    std::int64_t live = 0;
    std::int64_t dead = 0;
  };
  std::vector<DeadRows> dead{};  // tables that are mostly dead rows
  std::vector<SealedSecret> sealed{};
};

struct SqliteFacts {
  std::string file;
  bool exists = false;
  std::string unreadable{};  // why it cannot be opened or read; the rest is then unknown
  std::string running{};     // who holds the lock; empty: nobody, and nobody can until we have done
  std::string moved{};       // where the data went, and what to do
  int schema = 0;
  int schema_known = 0;
  std::string integrity{};  // "ok", or what is wrong; empty: not looked at, a server runs
  std::string journal_mode{};
  std::int64_t size = 0;
  std::int64_t log_size = 0;  // of the -wal file
  std::int64_t free = 0;      // bytes on its disk
  Instant last_commit{};
  std::vector<SealedSecret> sealed{};
};

}  // namespace cronally::store
