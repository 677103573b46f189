// Which SQLite runs in this process; for `version` and bug reports.
#pragma once

#include <string>

namespace cronally::store {

// "3.40.1" (sqlite3_libversion).
std::string sqlite_version();

}  // namespace cronally::store
