#include "store/sqlite/version.h"

#include <sqlite3.h>

namespace cronally::store {

std::string sqlite_version() { return sqlite3_libversion(); }

}  // namespace cronally::store
