// Which client library of PostgreSQL runs in this process; for `version` and bug reports.
#pragma once

#include <string>

namespace cronally::store {

// "15.18" (PQlibVersion).
std::string libpq_version();

}  // namespace cronally::store
