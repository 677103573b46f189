// Whether a connection is a session of the server, or a pooler stands between.
#pragma once

#include <cstdint>

#include "store/postgres/connection.h"

namespace cronally::store::postgres {

enum class Sessions : std::uint8_t {
  own,     // the server itself
  pooled,  // a pooler, which gives each connection a session of its own
  change,  // a pooler, which hands each transaction another session
};

// Connects once more with `options`, to see. Throws PgError.
Sessions sessions_of(Connection& db, const ConnectionOptions& options);

}  // namespace cronally::store::postgres
