#include "store/postgres/open.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/batch.h"
#include "store/postgres/accounts.h"
#include "store/postgres/engine.h"
#include "store/postgres/jobs.h"
#include "store/postgres/ledger.h"
#include "store/postgres/migrate.h"
#include "store/postgres/retention.h"
#include "store/postgres/sessions.h"
#include "store/postgres/spine.h"

namespace cronally::store {

namespace {

using postgres::Connection;
using postgres::ConnectionOptions;
using postgres::Params;
using postgres::PgError;
using postgres::refusal_states;
using postgres::Row;

class PostgresDatabase : public Database {
 public:
  PostgresDatabase(const PostgresOptions& options, std::shared_ptr<postgres::Hosts> hosts,
                   Instant resume_at, std::string version)
      : engine_(options.address, options.clock, std::move(hosts), options.health, options.about,
                resume_at),
        version_(std::move(version)) {}

  Spine& spine() override { return spine_; }
  Jobs& jobs() override { return jobs_; }
  Ledger& ledger() override { return ledger_; }
  Accounts& accounts() override { return accounts_; }
  Notices& notices() override { return notices_; }
  Retention& retention() override { return retention_; }
  std::uint64_t run_change_tick() const override { return engine_.bell.run_tick(); }
  [[noreturn]] void backup(const std::string& to) override;
  std::string engine() const override { return version_; }

  postgres::Engine& parts() { return engine_; }

 private:
  postgres::Engine engine_;
  postgres::PostgresSpine spine_{engine_};
  postgres::PostgresJobs jobs_{engine_};
  postgres::PostgresLedger ledger_{engine_};
  postgres::PostgresAccounts accounts_{engine_};
  postgres::PostgresNotices notices_{engine_};
  postgres::PostgresRetention retention_{engine_};
  const std::string version_;
};

void PostgresDatabase::backup(const std::string&) {
  throw Unavailable(
      "the data is in " + version_ +
          ", which is backed up there: pg_basebackup copies the whole server and follows it, "
          "pg_dump --schema=cronally writes what is Cronally's; keep master.key in another safe "
          "place",
      "backup_elsewhere");
}

constexpr int version_min = 13'00'00;

Error unsuitable(const std::string& why) { return {"database_unsuitable", why}; }

// "PostgreSQL 15.18"
std::string version_text(const Connection& db) {
  const int version = db.server_version();
  return "PostgreSQL " + std::to_string(version / 10'000) + "." + std::to_string(version % 10'000);
}

Result<void> check_server(const Connection& db) {
  if (db.server_version() < version_min) {
    return fail(unsuitable("the server is " + version_text(db) +
                           "; Cronally needs PostgreSQL 13 or a later one"));
  }
  if (const auto encoding = db.parameter("server_encoding"); encoding != "UTF8") {
    return fail(
        unsuitable("the database's encoding is " + encoding + "; make one with ENCODING 'UTF8'"));
  }
  return {};
}

// A pooler that hands each transaction another session loses prepared statements, LISTEN and the
// settings of a session.
Result<void> check_sessions(Connection& db, const ConnectionOptions& options) {
  if (postgres::sessions_of(db, options) != postgres::Sessions::change) return {};
  return fail(unsuitable(
      "between Cronally and the database stands a pooler that hands each transaction another "
      "session (PgBouncer's pool_mode = transaction or statement); use pool_mode = session for "
      "this "
      "database, or the server's own address"));
}

// As ShardsRead::resume_at: what may have been sent before lies below it. Commits of this boot are
// moved on by the steady time since; of another machine or boot, by how far claims reach ahead,
// unless nodes live: then the clock was watched all the time.
Instant read_resume_at(Connection& db, const runtime::Clock& clock) {
  const auto boot = clock.boot();
  const Duration ahead = db.run("nodes_live")[0].integer(0) > 0 ? Duration{} : core::lead_max;
  Instant resume_at = db.run("meta_read")[0].instant(0);
  for (const Row row : db.run("commit_clocks_read")) {
    const SteadyInstant steady{row.duration(2)};
    const bool same_boot = !boot.empty() && row.view(0) == boot;
    resume_at = std::max(resume_at, row.instant(1) + (same_boot ? clock.steady() - steady : ahead));
  }
  return resume_at;
}

// What does not change by itself: who we are and what we may (class 28, 42), which database (3D),
// what the server can do (0A).
bool is_final(const std::string& state) {
  constexpr std::array<std::string_view, 4> classes{"28", "3D", "42", "0A"};
  return std::ranges::any_of(classes, [&](auto each) { return state.starts_with(each); });
}

// `took`: what came quickly is asked why; a host that is silent would be so once more.
Error open_error(const PostgresOptions& options, const PgError& error, Duration took) {
  constexpr Duration quick = std::chrono::seconds{2};  // libpq waits no less for a silent host
  std::vector<std::string> states{error.state()};
  if (error.lost() && took < quick)
    states = refusal_states(postgres::connection_options(options.address, "starts"));
  const std::string why = std::string("the database cannot be opened: ") + error.what();
  if (std::ranges::any_of(states, is_final)) {
    return {"database_refused",
            why +
                "; correct the address, the password (PGPASSWORD, or a file .pgpass) or the "
                "rights of that user"};
  }
  return {"database_unreachable", why +
                                      "; check the address, and that a server which takes writes "
                                      "runs there"};
}

Result<std::unique_ptr<Database>> open_checked(const PostgresOptions& options) {
  auto how = postgres::connection_options(options.address, "starts");
  const auto hosts = options.hosts ? options.hosts : std::make_shared<postgres::Hosts>();
  const auto connection = hosts->connect_first(how);
  Connection& db = *connection;
  how.instead = db.origin().host.keywords();
  if (auto suits = check_server(db); !suits) return fail(suits.error());
  if (auto suits = check_sessions(db, how); !suits) return fail(suits.error());
  if (auto migrated = postgres::migrate(db); !migrated) return fail(migrated.error());
  auto database = std::make_unique<PostgresDatabase>(
      options, hosts, read_resume_at(db, *options.clock), version_text(db));
  db.run("commit_clocks_prune");
  std::int64_t runs = -1;
  postgres::Listener::look(db, database->parts().bell, runs);
  return database;
}

}  // namespace

namespace postgres {

ConnectionOptions connection_options(const std::string& address, const std::string& kind) {
  return {
      .address = address,
      .name = "cronally " + kind,
      .settings = {
          "SET search_path = cronally",
          // An exchange has 5 s; what the server does not answer by then it shall not do either.
          "SET statement_timeout = '4s'",
          "SET lock_timeout = '3s'",
          // A process that is frozen inside a transaction holds locks that others wait for.
          "SET idle_in_transaction_session_timeout = '1s'",
          // One whose way was cut off amid a batch too, and the server is not idle then: it waits
          // for the rest, and does not hear that the process gave up.
          "SET tcp_keepalives_idle = 1",
          "SET tcp_keepalives_interval = 1",
          "SET tcp_keepalives_count = 2",
          "SET tcp_user_timeout = '3s'",
          // Each statement is planned for its parameters: the days it touches, how many rows.
          "SET plan_cache_mode = force_custom_plan",
          "SET jit = off",
      }};
}

ConnectionOptions lease_options(const std::string& address) {
  auto options = connection_options(address, "leases");
  options.exchange_max = std::chrono::milliseconds{2500};
  options.settings.emplace_back("SET statement_timeout = '2s'");
  options.settings.emplace_back("SET lock_timeout = '1s'");
  return options;
}

ConnectionOptions read_options(const std::string& address) {
  auto options = connection_options(address, "reads");
  options.exchange_max = std::chrono::milliseconds{4500};
  return options;
}

ConnectionOptions edit_options(const std::string& address) {
  auto options = connection_options(address, "edits");
  options.exchange_max = std::chrono::milliseconds{4500};
  return options;
}

ConnectionOptions listen_options(const std::string& address) {
  auto options = connection_options(address, "listens");
  options.exchange_max = std::chrono::seconds{3};
  return options;
}

ConnectionOptions counting_options(const std::string& address) {
  auto options = connection_options(address, "counts");
  options.settings.emplace_back("SET statement_timeout = 0");
  options.settings.emplace_back("SET enable_seqscan = on");
  return options;
}

}  // namespace postgres

Result<std::unique_ptr<Database>> open_postgres(const PostgresOptions& options) {
  if (!postgres::is_address(options.address)) {
    return fail("database_address",
                "the address of the database is none that libpq reads; write it as "
                "postgres://user@host1,host2/database");
  }
  const runtime::SystemClock clock{runtime::SystemClock::Hooks::ignore};
  const auto begun = clock.steady();
  try {
    return open_checked(options);
  } catch (const PgError& error) {
    return fail(open_error(options, error, clock.steady() - begun));
  }
}

}  // namespace cronally::store
