// What there is to know of a data directory's SQLite database, gathered without changing anything.
#pragma once

#include <filesystem>
#include <string>

#include "store/facts.h"

namespace cronally::store {

// `running`: who holds the directory's lock; empty: the caller holds it. While a server runs, the
// file is not read through, since a long read keeps its log from being written back.
SqliteFacts survey_sqlite(const std::filesystem::path& file, const std::string& running);

}  // namespace cronally::store
