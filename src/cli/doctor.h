// What `doctor` looks at, also for a server that starts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "store/finding.h"

namespace cronally::cli {

// Examines the database of this address, and whether the directory's master.key opens what is
// sealed in it. Changes nothing. Takes up to 3 s for each host that does not answer.
std::vector<store::Finding> examine_postgres(const std::string& address,
                                             const std::filesystem::path& data_dir);

// The same of the directory's SQLite database. It holds the lock of the directory meanwhile,
// unless a server does.
std::vector<store::Finding> examine_sqlite(const std::filesystem::path& data_dir);

// Logs each finding that is not ok.
void log_findings(const std::vector<store::Finding>& findings);

}  // namespace cronally::cli
