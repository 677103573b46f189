#include "store/sqlite/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include "base/text.h"
#include "runtime/files.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/sql.h"

namespace cronally::store {

namespace fs = std::filesystem;
using sqlite::Connection;
using sqlite::SqliteError;

namespace {

fs::path with(const fs::path& file, const std::string& suffix) { return file.string() + suffix; }

std::unexpected<Error> file_error(const std::string& what, const fs::path& path) {
  const int number = errno;
  return fail("file_error", "cannot " + what + " '" + path.string() +
                                "': " + std::strerror(number) +
                                (number == ENOSPC ? "; a restore needs room for a second database"
                                                  : "; check the path and its permissions"));
}

bool holds_something(const fs::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 && status.st_size > 0;
}

Result<void> sync(const fs::path& path, int flags) {
  const runtime::Fd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return file_error("sync", path);
  return {};
}

Result<void> sync_directory_of(const fs::path& file) {
  return sync(file.has_parent_path() ? file.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
}

void remove_database(const fs::path& file) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink(with(file, suffix).c_str());
}

Result<void> copy_bytes(const fs::path& from, const fs::path& to) {
  const runtime::Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source && errno == ENOENT) {
    return fail("file_missing", "there is no file '" + from.string() + "'");
  }
  if (!source) return file_error("open", from);
  const runtime::Fd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) return file_error("create", to);
  std::string piece(1 << 20, '\0');
  while (true) {
    const ssize_t count = ::read(source.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error("read", from);
    if (count == 0) return {};
    for (ssize_t done = 0; done < count;) {
      const ssize_t written =
          ::write(target.get(), piece.data() + done, static_cast<std::size_t>(count - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return file_error("write", to);
      done += written;
    }
  }
}

Result<void> check(const fs::path& staged, const fs::path& backup) {
  const std::string name = "'" + backup.string() + "'";
  const auto damaged = [&](const std::string& how) {
    return fail("database_corrupt",
                name + " is damaged (" + how + "); take an older backup. Nothing was changed");
  };
  try {
    Connection db(staged, Connection::Mode::write);
    if (db.value_of("SELECT count(*) FROM sqlite_schema WHERE name IN ('meta', 'job', 'run')") !=
        3) {
      return fail("not_a_backup", name + " is no database of Cronally; nothing was changed");
    }
    const auto findings =
        db.value_of("SELECT count(*) FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'");
    if (findings != 0) return damaged("its pages contradict each other");
  } catch (const SqliteError& error) {
    if (error.primary() == SQLITE_NOTADB) {
      return fail("not_a_backup", name + " is no database; nothing was changed");
    }
    return damaged(error.what());
  }
  return {};
}

// Brings what is in the log into the file. A damaged database keeps its log, and both go aside.
void fold_log(const fs::path& file) {
  try {
    Connection db(file, Connection::Mode::write);
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const SqliteError&) {
    return;
  }
}

fs::path free_name(const fs::path& file, Instant now) {
  std::string stamp;
  for (const char letter : format_instant(std::chrono::floor<std::chrono::seconds>(now))) {
    if (letter != '-' && letter != ':') stamp += letter;
  }
  const auto first = with(file, ".replaced-" + stamp);
  auto name = first;
  for (int i = 2; fs::exists(name); ++i) name = with(first, "-" + std::to_string(i));
  return name;
}

// A second name for the old file: the rename that follows replaces the first one atomically, so
// that there is a database at every moment. A log that is left would be read into the new file.
Result<void> keep_aside(const fs::path& file, const fs::path& aside) {
  if (::link(file.c_str(), aside.c_str()) != 0) {
    return file_error("keep the old database as", aside);
  }
  const auto log = with(file, "-wal");
  if (holds_something(log) && ::link(log.c_str(), with(aside, "-wal").c_str()) != 0) {
    return file_error("keep the old database's log as", with(aside, "-wal"));
  }
  return sync_directory_of(file);
}

}  // namespace

Result<fs::path> stage_backup(const fs::path& backup, const fs::path& file) {
  std::error_code ignored;
  if (fs::equivalent(backup, file, ignored)) {
    return fail("not_a_backup", "'" + backup.string() + "' is this data directory's own database");
  }
  if (holds_something(with(backup, "-wal"))) {
    return fail("backup_unfinished",
                "'" + backup.string() +
                    "' has a -wal beside it, so it is a database in use and its newest writes are "
                    "not in it; make a copy with `cronally backup`");
  }
  const auto staged = with(file, ".restoring");
  remove_database(staged);
  auto done = copy_bytes(backup, staged);
  if (done) done = check(staged, backup);
  if (done) return staged;
  remove_database(staged);
  return fail(done.error());
}

void discard_staged(const fs::path& staged) { remove_database(staged); }

std::optional<SqliteMark> mark_of_sqlite(const fs::path& file) {
  if (!fs::exists(file)) return std::nullopt;
  try {
    Connection db(file, Connection::Mode::write);
    auto meta = db.use("meta_mark");
    if (!meta.step()) return std::nullopt;
    return SqliteMark{.generation = meta.integer(0), .last_commit = meta.instant(1)};
  } catch (const SqliteError&) {
    return std::nullopt;
  }
}

std::int64_t restored_generation(const SqliteMark& stored,
                                 const std::optional<SqliteMark>& replaced, Instant now) {
  constexpr auto origin = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};
  constexpr std::int64_t unasked = 256;
  const std::int64_t days = std::chrono::floor<std::chrono::days>(now - origin).count();
  const auto known = std::max(stored.generation, days);
  return replaced ? std::max(known, replaced->generation) + 1 : known + unasked;
}

void set_generation(const fs::path& file, std::int64_t generation) {
  Connection db(file, Connection::Mode::write);
  db.use("meta_generation").bind(generation).run();
}

std::vector<OpenRunRef> open_runs_of(const fs::path& file) {
  Connection db(file, Connection::Mode::write);
  std::vector<OpenRunRef> open;
  auto rows = db.use("open_runs_all");
  while (rows.step()) open.push_back({{rows.integer(0)}, {rows.integer(1)}});
  return open;
}

Result<std::optional<fs::path>> swap_in(const fs::path& staged, const fs::path& file, Instant now) {
  if (holds_something(with(staged, "-wal"))) {
    return fail("file_error", "'" + staged.string() + "' was not closed in order; try again");
  }
  if (auto synced = sync(staged, O_RDWR); !synced) return fail(synced.error());
  std::optional<fs::path> aside;
  if (fs::exists(file)) {
    fold_log(file);
    aside = free_name(file, now);
    if (auto kept = keep_aside(file, *aside); !kept) return fail(kept.error());
  }
  ::unlink(with(file, "-wal").c_str());
  ::unlink(with(file, "-shm").c_str());
  if (auto synced = sync_directory_of(file); !synced) return fail(synced.error());
  if (::rename(staged.c_str(), file.c_str()) != 0) return file_error("replace", file);
  if (auto synced = sync_directory_of(file); !synced) return fail(synced.error());
  return aside;
}

}  // namespace cronally::store
