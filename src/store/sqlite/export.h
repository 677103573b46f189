// A SQLite store as rows, and the mark that it bears once they are in another store. The caller
// holds the lock of the data directory throughout, and has opened the file with open_sqlite before,
// which brings its schema up to date.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "store/transfer.h"

namespace cronally::store {

namespace sqlite {
class Connection;
}

// Reads and never writes. Throws Unavailable.
std::unique_ptr<TransferSource> export_sqlite(const std::filesystem::path& file);

// While a file bears this, open_sqlite refuses it ("database_moved").
struct MovedMark {
  Uuid move;           // the id under which the other store knows it
  std::string target;  // for people: the address, without its password
  Instant at;
  bool ended = false;  // false: whether the other store has committed it is not known yet
};

// nullopt: it bears none, or cannot be read.
std::optional<MovedMark> moved_mark_of(const std::filesystem::path& file);
// The same of an open database; throws SqliteError.
std::optional<MovedMark> moved_mark_of(sqlite::Connection& db);

// Durable when it returns. The file's generation is raised above `generation`, that of the other
// store, and by what that may grow until then: a database that is once restored in its place goes
// on with greater fences. Throws Unavailable.
void write_moved_mark(const std::filesystem::path& file, const MovedMark& mark,
                      std::int64_t generation);

// Harmless where there is none. Throws Unavailable.
void clear_moved_mark(const std::filesystem::path& file);

// Why a marked file is not served, and what to do.
std::string moved_text(const std::filesystem::path& file, const MovedMark& mark);

}  // namespace cronally::store
