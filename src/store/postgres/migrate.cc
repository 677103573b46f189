#include "store/postgres/migrate.h"

#include <string>
#include <utility>

#include "store/postgres/sql.h"

namespace cronally::store::postgres {

namespace {

// Undoes what is open, also when an exception passes.
class OpenTransaction {
 public:
  explicit OpenTransaction(Connection& db) : db_(db) { db_.execute("BEGIN"); }
  ~OpenTransaction() {
    try {
      if (db_.in_transaction()) db_.execute("ROLLBACK");
    } catch (const PgError&) {
      // The connection is lost, and with it the transaction.
    }
  }
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;
  void commit() { db_.execute("COMMIT"); }

 private:
  Connection& db_;
};

std::size_t version_of(Connection& db) {
  const auto rows = db.execute("SELECT coalesce(max(version), 0)::bigint FROM schema_version");
  return static_cast<std::size_t>(rows[0].integer(0));
}

// Whether the newest version is there already: what every start but the first of a version finds,
// without the right to create anything.
bool is_current(Connection& db) {
  const auto rows = db.execute("SELECT to_regclass('cronally.schema_version') IS NOT NULL");
  return rows[0].flag(0) && version_of(db) == migrations().size();
}

}  // namespace

Result<void> migrate(Connection& db) {
  if (is_current(db)) return {};
  // Time enough for another node's migration, and for statements that build.
  db.execute(std::vector<std::string>{"SET statement_timeout = '10min'", "SET lock_timeout = 0"});
  db.limit_exchanges(std::chrono::minutes{10});
  while (true) {
    OpenTransaction transaction(db);
    db.execute(std::vector<std::string>{
        "SELECT pg_advisory_xact_lock(hashtext('cronally.migrate'))",
        "CREATE SCHEMA IF NOT EXISTS cronally",
        "CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, "
        "at timestamptz NOT NULL DEFAULT clock_timestamp())"});
    const auto version = version_of(db);
    if (version > migrations().size()) {
      return fail("database_newer", "the database was written by a newer Cronally (schema " +
                                        std::to_string(version) + "); start that version");
    }
    if (version == migrations().size()) {
      transaction.commit();
      return {};
    }
    for (const auto& statement : statements_of(migrations()[version])) db.execute(statement);
    db.run("schema_version_insert",
           std::move(Params().add(static_cast<std::int64_t>(version + 1))));
    transaction.commit();
  }
}

}  // namespace cronally::store::postgres
