// The files of a restore: a backup becomes a data directory's database, and a crash at any moment
// leaves the old one or the new one, whole.
//
//   stage     copies the backup beside the database and checks the copy
//   (callers open the copy with open_sqlite, settle it, and close it)
//   swap_in   keeps the old database aside and renames the copy over it
//
// The caller holds the lock of the data directory throughout. Errors carry "file_error" unless
// said otherwise; each message names the file and what to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace cronally::store {

// How far a database has come.
struct SqliteMark {
  std::int64_t generation = 0;
  Instant last_commit;  // the newest clock that any commit carried
};

struct OpenRunRef {
  RunNo run;
  ShardNo shard;
};

// Copies `backup` to a file beside `file`, over what an earlier restore left there, and reads all
// of it (PRAGMA integrity_check). Returns the copy's path. Codes: "file_missing",
// "backup_unfinished" (a -wal with content stands beside it: it is a live database and not a
// backup), "database_corrupt" (damaged), "not_a_backup" (something else).
Result<std::filesystem::path> stage_backup(const std::filesystem::path& backup,
                                           const std::filesystem::path& file);

// Removes a staged copy that is not wanted any more; harmless after swap_in.
void discard_staged(const std::filesystem::path& staged);

// Of a database that nobody has open; nullopt when it cannot be read.
std::optional<SqliteMark> mark_of_sqlite(const std::filesystem::path& file);

// The generation of a restored database, above every fence that was issued before (DESIGN §1):
// max(stored, the replaced store's, days since 2026-01-01) + 1. Where there is no replaced store
// that can be asked, + 256: it may have been restored so often since the backup.
std::int64_t restored_generation(const SqliteMark& stored,
                                 const std::optional<SqliteMark>& replaced, Instant now);
void set_generation(const std::filesystem::path& file, std::int64_t generation);

// Every run that has not ended, also those that a pause holds.
std::vector<OpenRunRef> open_runs_of(const std::filesystem::path& file);

// Makes `staged` the database `file`. Returns where the replaced one is kept (with its -wal, if
// that could not be folded in), or nullopt when there was none.
Result<std::optional<std::filesystem::path>> swap_in(const std::filesystem::path& staged,
                                                     const std::filesystem::path& file,
                                                     Instant now);

}  // namespace cronally::store
