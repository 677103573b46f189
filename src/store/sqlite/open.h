// Opens the SQLite store of a data directory: WAL, synchronous=FULL, one connection and thread
// for all writes and checkpoints, at most 4 read-only connections (DESIGN §4).
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "store/database.h"

namespace cronally::store {

struct SqliteOptions {
  std::filesystem::path file;                   // created 0600 when missing
  std::shared_ptr<const runtime::Clock> clock;  // what every statement's time comes from
  std::filesystem::path ballast{};              // 32 MiB for a full disk; empty: none is kept
  runtime::Health* health = nullptr;            // where "database" is posted; may be null
};

// Runs pending migrations, then opens. The caller holds the lock of the data directory (FileLock)
// before and for as long as the database lives. Codes: "database_corrupt", "database_newer" (made
// by a newer Cronally), "database_moved" (its data went to another store, sqlite/export.h),
// "database_unreadable" (permissions, no such directory, a file or disk that is read-only or full);
// the message names the file and the remedy.
Result<std::unique_ptr<Database>> open_sqlite(const SqliteOptions& options);

}  // namespace cronally::store
