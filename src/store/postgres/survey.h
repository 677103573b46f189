// What there is to know of a PostgreSQL database and of what surrounds it, gathered without
// changing anything.
#pragma once

#include <string>

#include "base/result.h"
#include "runtime/clock.h"
#include "store/facts.h"

namespace cronally::store {

// Asks each host of the address for its clock and whether it takes writes, which takes up to 3 s
// where a host does not answer; and then the server that takes writes, of several the one on the
// highest timeline, or, where none does, one that answers. It learns nothing from what a Cronally
// knows of the hosts (hosts.h), and finds no commit out, for that would be a change. `clock` is
// ours. What the user of the address may not see is left out. Code "database_unreachable"; the
// message never holds the password.
Result<PostgresFacts> survey_postgres(const std::string& address, const runtime::Clock& clock);

}  // namespace cronally::store
