// What there is to know of a PostgreSQL database and of what surrounds it, gathered without
// changing anything.
#pragma once

#include <string>

#include "base/result.h"
#include "runtime/clock.h"
#include "store/facts.h"

namespace cronally::store {

// Asks the server that takes writes, or, where none does, one that answers; and each host of the
// address for its clock, which takes up to 3 s where a host does not answer. `clock` is ours. What
// the user of the address may not see is left out. Code "database_unreachable"; the message never
// holds the password.
Result<PostgresFacts> survey_postgres(const std::string& address, const runtime::Clock& clock);

}  // namespace cronally::store
