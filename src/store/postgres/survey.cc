#include "store/postgres/survey.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "store/postgres/address.h"
#include "store/postgres/engine.h"
#include "store/postgres/rows.h"
#include "store/postgres/sessions.h"
#include "store/postgres/sql.h"

namespace cronally::store {

using postgres::Connection;
using postgres::ConnectionOptions;
using postgres::PgError;
using postgres::Row;

namespace {

class Survey {
 public:
  Survey(std::string address, const runtime::Clock& clock)
      : address_(std::move(address)), clock_(clock) {}

  PostgresFacts run() {
    auto options = postgres::connection_options(address_, "doctor");
    for (const auto& host : postgres::hosts_of(address_)) ask(host);
    options.instead = primary_;
    auto db = connect(options);
    facts_.host = db->host();
    facts_.version = db->server_version();
    facts_.schema_known = static_cast<int>(postgres::migrations().size());
    read_sessions(*db, options);
    if (facts_.sessions_change) {  // nothing prepared would be found again, as clocks were not
      facts_.clocks.clear();
      return std::move(facts_);
    }
    read_settings(*db);
    read_replication(*db);
    read_schema(*db);
    if (facts_.schema > 0) read_cronally(*db);
    return std::move(facts_);
  }

 private:
  // A standby is better than nobody: it can say that it is one.
  static std::unique_ptr<Connection> connect(ConnectionOptions& options) {
    try {
      return std::make_unique<Connection>(options);
    } catch (const PgError& error) {
      options.instead.emplace_back("target_session_attrs", "any");
      try {
        return std::make_unique<Connection>(options);
      } catch (const PgError&) {
        throw error;
      }
    }
  }

  void read_settings(Connection& db) {
    const auto rows = db.run("survey_settings");
    const Row row = rows[0];
    facts_.standby = row.flag(0);
    facts_.fsync = row.flag(1);
    facts_.full_page_writes = row.flag(2);
    facts_.autovacuum = row.flag(3);
    facts_.synchronous_commit = row.text(4);
    facts_.synchronous_standby_names = row.text(5);
    facts_.patroni = row.flag(6);
  }

  void read_replication(Connection& db) {
    for (const Row row : db.run("survey_standbys")) {
      PostgresFacts::Standby standby{.name = row.text(0), .sync_state = row.text(1)};
      if (!row.null(2)) standby.behind = row.integer(2);
      facts_.standbys.push_back(std::move(standby));
    }
  }

  void read_sessions(Connection& db, const ConnectionOptions& options) {
    const auto sessions = postgres::sessions_of(db, options);
    facts_.pooled = sessions != postgres::Sessions::own;
    facts_.sessions_change = sessions == postgres::Sessions::change;
  }

  void read_schema(Connection& db) {
    if (!db.run("survey_schema_any")[0].flag(0)) return;
    facts_.schema = static_cast<int>(db.run("survey_schema")[0].integer(0));
  }

  void read_cronally(Connection& db) {
    for (const Row row : db.run("accounts_read")) {
      facts_.sealed.push_back({.account = {row.uuid(1)}, .sealed = row.text(3)});
    }
    const auto rows = db.run({{"survey_shards"}, {"behind_read"}, {"survey_dead"}});
    facts_.shards_free = rows[0][0].integer(0);
    const auto behind = postgres::behind_of(rows[1]);
    facts_.planning_behind = behind.planning;
    facts_.sending_behind = behind.sending;
    for (const Row row : rows[2]) {
      facts_.dead.push_back({.table = row.text(0), .live = row.integer(1), .dead = row.integer(2)});
    }
    if (!db.run("survey_nodes_named")[0].flag(0)) return;  // an older schema
    for (const Row row : db.run("survey_nodes")) {
      facts_.nodes.push_back({.id = {row.uuid(0)},
                              .name = row.text(1),
                              .version = row.text(2),
                              .tzdata = row.text(3),
                              .live = row.flag(4),
                              .draining = row.flag(5),
                              .beat_age = row.duration(6),
                              .ttl = row.duration(7),
                              .shards = row.integer(8)});
    }
  }

  // And remembers the host on the highest timeline of those that take writes.
  void ask(const postgres::Host& host) {
    auto found = clock_of(host);
    const auto better = [&](const PostgresFacts::Clock& other) {
      return other.primary && (other.primary->system != found.primary->system ||
                               other.primary->timeline >= found.primary->timeline);
    };
    if (found.primary && std::ranges::none_of(facts_.clocks, better)) primary_ = host.keywords();
    facts_.clocks.push_back(std::move(found));
  }

  PostgresFacts::Clock clock_of(const postgres::Host& host) {
    PostgresFacts::Clock found{.host = host.text()};
    auto options = postgres::connection_options(address_, "doctor");
    options.instead = host.keywords();
    options.instead.emplace_back("target_session_attrs", "any");
    try {
      Connection db(options);
      look(db, found);
      sample(db, found);
    } catch (const PgError& error) {
      found.error = error.what();
    }
    return found;
  }

  // No prepared statement: the schema and the sessions are not known yet.
  static void look(Connection& db, PostgresFacts::Clock& found) {
    const auto rows = db.execute(
        "SELECT system_identifier, CASE WHEN NOT pg_is_in_recovery() THEN "
        "('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint "
        "END, (extract(epoch FROM pg_postmaster_start_time()) * 1e6)::bigint "
        "FROM pg_control_system()");
    const Row row = rows[0];
    if (row.null(1)) return;
    found.primary = {row.integer(0), row.integer(1)};
    found.began = row.integer(2);
  }

  // The smallest round trip of a few says most. The first one is not counted: it prepares.
  void sample(Connection& db, PostgresFacts::Clock& found) {
    constexpr int samples = 8;
    db.run("survey_clock");
    found.round_trip = Duration::max();
    for (int i = 0; i < samples; ++i) {
      const auto before = clock_.now();
      const auto theirs = db.run("survey_clock")[0].instant(0);
      const auto trip = clock_.now().steady - before.steady;
      if (trip >= found.round_trip) continue;
      found.round_trip = trip;
      found.ahead = theirs - (before.wall + trip / 2);
    }
  }

  const std::string address_;
  const runtime::Clock& clock_;
  PostgresFacts facts_;
  std::vector<std::pair<std::string, std::string>> primary_;  // its keywords, if there is one
};

}  // namespace

Result<PostgresFacts> survey_postgres(const std::string& address, const runtime::Clock& clock) {
  try {
    return Survey(address, clock).run();
  } catch (const PgError& error) {
    return fail("database_unreachable",
                std::string("the database cannot be examined: ") + error.what());
  }
}

}  // namespace cronally::store
