// Which of an address's servers this process works with. All connections of a store are made here,
// so that what one of them learns of a server holds for the others.
//
// libpq takes the first host that calls itself writable. So does a primary that has been replaced
// without knowing it, because what watches over it is frozen or cut off: it answers reads, and
// leaves every COMMIT unanswered, since its synchronous standby follows another by now. Two rules
// tell such a server from the primary.
//
// Timelines. A standby that is promoted begins a timeline, a higher number than any before
// (PostgreSQL's manual, "Timelines"). A commit is what only a primary can do; so the highest
// timeline on which a transaction of this process committed is followed, and a server of the same
// cluster on a lower one is outdated: no connection to it is used any more, for reads neither, and
// the next host is tried. While nothing of ours has committed on a new timeline, all stay where
// they are. A server's timeline is that of the log it writes to (server_identity()), not that of
// its last checkpoint, which a server that was just promoted has yet to make.
//
// Order. A host that left a COMMIT, or anything else, unanswered past its deadline is tried after
// all others from then on, and no idle connection to it is used. Hosts that were silent follow in
// the order in which they were. With one host nothing changes but that its connections are new.
//
// A cluster that was put back in time must be followed nevertheless:
//
// * Another system identifier: made anew, from a dump perhaps. New connections take it at once,
//   for its timelines do not compare; it is followed with the first commit.
// * A timeline that fell: old files in place, or promoted without the history that tells which
//   timelines were used. Taken once for put_back_after no host was found but such: longer than a
//   failover, for during one the old primary may be the only one that answers. A process that
//   starts has nothing to compare with, and takes it at once.
//
// What a database has forgotten then is noticed by heartbeats (docs/design/journal.md). Nothing is
// written to a server before one has looked at it.
//
// A process that starts has seen no commit. So its first connection is made by asking all hosts;
// where several servers take writes, the one on the highest timeline that commits is followed.
//
// Example, address "db1,db2", system 7: all is on db1, timeline 3. db2 is promoted, db1 goes on.
// The heartbeat's COMMIT hangs on db1 for 2.5 s: from here on db2 is tried first. The heartbeat is
// done again on db2 and commits: timeline 4 is followed. A reader that lies idle on db1 is dropped
// at its next use; should db2 refuse connections for a while, db1 takes one, on timeline 3:
// refused.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/journal.h"
#include "runtime/clock.h"
#include "store/postgres/address.h"
#include "store/postgres/connection.h"

namespace cronally::store::postgres {

inline constexpr Duration put_back_after = std::chrono::seconds{60};

// ---- The decisions, pure ------------------------------------------------------------------------

// The server that is followed, by the first rule.
class Followed {
 public:
  // A transaction committed there. True: until now another server was followed.
  bool committed(const core::ServerMark& server);
  // Whether a new connection to it may be used, and not only where there is no better.
  bool takes(const core::ServerMark& server) const;
  // Whether one may still be used that was made when changes() was `made`.
  bool keeps(const core::ServerMark& server, std::int64_t made) const;
  std::int64_t changes() const { return changes_; }  // how often another server came to be followed
  // Every host was tried at `now`, and one took a connection, this outdated one. True: for long
  // enough, and it is followed from here on.
  bool yields(const core::ServerMark& server, SteadyInstant now);
  // A server that takes() says yes to took a connection.
  void found() { outdated_since_.reset(); }

 private:
  void follow(const core::ServerMark& server);

  std::optional<core::ServerMark> server_;  // none: nothing has committed yet
  std::int64_t changes_ = 0;
  std::optional<SteadyInstant> outdated_since_;
};

// The order in which hosts are tried, by the second rule.
class HostOrder {
 public:
  // The host left something unanswered.
  void silent(const Host& host);
  // Grows whenever this host is silent.
  std::int64_t silences(const Host& host) const;
  // Hosts that were not silent as they came, then the others, the last one last. All addresses of a
  // name stand together: they may be the same server.
  std::vector<Host> order(std::vector<Host> hosts) const;

 private:
  std::int64_t last_of(const std::string& key) const;

  std::map<std::string, std::int64_t> last_;  // by name, and by name and number
  std::int64_t count_ = 0;
};

// A server that takes writes, and whether its host was silent before.
struct Writable {
  core::ServerMark server;
  bool silent = false;
};

// In which order such servers, given as their hosts stand in the address, are tried by who has seen
// no commit: those that were silent last, clusters as they come, the highest timeline first.
std::vector<std::size_t> order_of(const std::vector<Writable>& servers);

// ---- The connections of a store -----------------------------------------------------------------

// Thread-safe. Outlives its connections.
class Hosts {
 public:
  // To the first host, in the order of the second rule, that takes writes and is not outdated. Each
  // address of a host has connect_max() of address.h, all together have until `by`; so has every
  // exchange of the connection, until end_by() is called anew. Throws PgError, lost, with what each
  // host said. Names are resolved by the system, in its time.
  std::unique_ptr<Connection> connect(ConnectionOptions options,
                                      SteadyInstant by = SteadyInstant::max());

  // The first of a process: all hosts are asked side by side, so that one which swallows packets
  // costs a second and not its whole time; it counts as silent. Of several servers that take
  // writes, the one on the highest timeline of its cluster that commits a transaction, which is
  // followed from here on; clusters come in the order of the address. Throws as connect(), with the
  // SQLSTATE of a host that gave one. One thread at a time.
  std::unique_ptr<Connection> connect_first(ConnectionOptions options);

  // Whether a connection of connect() may be used by who begins something.
  bool keeps(const Connection& db) const;

  // A transaction that wrote has committed on it, without a warning (Connection::take_warned()).
  void committed(const Connection& db);

  // A heartbeat has looked whether this server was put back in time. A batch that came first would
  // move the cursors by which that is noticed.
  void judged(const Connection& db);
  // Whether the last heartbeat was on this server, and the server has not begun anew since.
  bool is_judged(const Connection& db) const;
  // Or there was no heartbeat of this process yet: it made its account, or moves a store.
  bool takes_edits(const Connection& db) const;
  // Waits until the last heartbeat was on this server, or `by`. False: that is over, or a heartbeat
  // was on another server meanwhile, to which a new connection may lead.
  bool await_judged(const Connection& db, SteadyInstant by);

 private:
  struct Look;
  std::vector<Host> in_order(const std::string& address) const;
  std::vector<std::unique_ptr<Connection>> ask_all(const ConnectionOptions& options);
  std::unique_ptr<Connection> first_to_commit(std::vector<std::unique_ptr<Connection>> found);
  std::unique_ptr<Connection> connect_to(const Host& host, const ConnectionOptions& options,
                                         SteadyInstant by);
  void silent(const Host& host);

  const runtime::SystemClock clock_{runtime::SystemClock::Hooks::ignore};
  mutable std::mutex mutex_;
  Followed followed_;
  HostOrder order_;
  std::condition_variable judgement_;
  std::int64_t judged_ = 0;  // began so; 0: there was no heartbeat
  std::int64_t judgements_ = 0;
  std::vector<std::future<void>> asked_;  // hosts that may not have answered yet
};

}  // namespace cronally::store::postgres
