#include "store/postgres/sessions.h"

namespace cronally::store::postgres {

namespace {

// No prepared statement: behind such a pooler it would be missed.
std::int64_t session_of(Connection& db) {
  return db.execute("SELECT pg_backend_pid()::bigint")[0].integer(0);
}

// Whether transactions of one connection run in different sessions, as another connection shows
// that has a transaction open in between. A pool that turns its sessions round shows it after some
// rounds.
bool sessions_change(Connection& db, const ConnectionOptions& options) {
  constexpr int rounds = 10;
  Connection other(options);
  const auto session = session_of(db);
  for (int round = 0; round < rounds; ++round) {
    other.execute("BEGIN");
    const auto others = session_of(other);
    const auto now = session_of(db);
    other.execute("ROLLBACK");
    if (others == session || now != session) return true;
  }
  return false;
}

}  // namespace

// Who answers under the number of the process itself is the server.
Sessions sessions_of(Connection& db, const ConnectionOptions& options) {
  if (session_of(db) == db.backend()) return Sessions::own;
  bool change = true;
  try {
    change = sessions_change(db, options);
  } catch (const PgError&) {
    // Where each statement has a session of its own, there is no BEGIN at all.
  }
  return change ? Sessions::change : Sessions::pooled;
}

}  // namespace cronally::store::postgres
