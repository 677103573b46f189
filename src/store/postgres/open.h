// Opens the PostgreSQL store (DESIGN §4): libpq in pipeline mode, three connections that write (two
// for the machine's batches, one for edits), a few that read, one that listens. Everything it keeps
// is in the schema `cronally` of the database that the address names.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "store/database.h"

namespace cronally::store {

namespace postgres {
class Hosts;
}  // namespace postgres

// What a process says of itself in the table of nodes, for those who look after a cluster.
struct NodeAbout {
  std::string name;  // of its host
  std::string version;
  std::string tzdata;
};

struct PostgresOptions {
  // postgres://user@host1,host2/database or keywords and values (libpq, "Connection Strings"); with
  // several hosts, the one that takes writes.
  std::string address;
  std::shared_ptr<const runtime::Clock> clock;  // for its steady time alone: the database's decides
  runtime::Health* health = nullptr;            // where "database" is posted; may be null
  std::function<NodeAbout()> about{};  // asked at each heartbeat, by its thread; may be empty
  // What was learned of the servers by what else this process does there; null: nothing.
  std::shared_ptr<postgres::Hosts> hosts{};
};

// Runs pending migrations, then opens. The message says what to do, and never holds the password.
// Codes:
//   database_unreachable  no host answers, or none takes writes now: it may come back
//   database_refused      it answers, and will not have us: no such database, a wrong password, a
//                         right that is missing
//   database_address      the address is none
//   database_newer        made by a newer Cronally
//   database_unsuitable   older than PostgreSQL 13, not UTF-8, or behind a pooler that hands each
//                         transaction another session
Result<std::unique_ptr<Database>> open_postgres(const PostgresOptions& options);

}  // namespace cronally::store
