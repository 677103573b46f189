// Brings the schema of a database up to this version.
#pragma once

#include "base/result.h"
#include "store/postgres/connection.h"

namespace cronally::store::postgres {

// Each migration is one transaction under a lock: a death at any statement of it leaves the version
// before, and of several nodes that start together one migrates while the others wait. Codes:
// "database_newer" (made by a newer Cronally).
Result<void> migrate(Connection& db);

}  // namespace cronally::store::postgres
