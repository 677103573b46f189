#include "store/sqlite/open.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/files.h"
#include "store/sqlite/accounts.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/export.h"
#include "store/sqlite/jobs.h"
#include "store/sqlite/ledger.h"
#include "store/sqlite/retention.h"
#include "store/sqlite/spine.h"
#include "store/sqlite/sql.h"
#include "store/sqlite/version.h"

namespace cronally::store {

namespace {

using sqlite::Connection;
using sqlite::SqliteError;

class SqliteDatabase : public Database {
 public:
  SqliteDatabase(const SqliteOptions& options, std::unique_ptr<Connection> connection)
      : engine_(
            options.file, std::move(connection), options.clock,
            {.file = options.file,
             .ballast = options.ballast.empty() ? std::nullopt
                                                : std::optional(sqlite::Ballast(options.ballast)),
             .health = options.health}) {}

  Spine& spine() override { return spine_; }
  Jobs& jobs() override { return jobs_; }
  Ledger& ledger() override { return ledger_; }
  Accounts& accounts() override { return accounts_; }
  Notices& notices() override { return notices_; }
  Retention& retention() override { return retention_; }
  std::uint64_t run_change_tick() const override { return engine_.bell.run_tick(); }
  void backup(const std::string& to) override;
  std::string engine() const override { return "SQLite " + sqlite_version(); }

  sqlite::Engine& parts() { return engine_; }

 private:
  void copy_into(const std::string& to);

  sqlite::Engine engine_;
  sqlite::SqliteSpine spine_{engine_};
  sqlite::SqliteJobs jobs_{engine_};
  sqlite::SqliteLedger ledger_{engine_};
  sqlite::SqliteAccounts accounts_{engine_};
  sqlite::SqliteNotices notices_{engine_};
  sqlite::SqliteRetention retention_{engine_};
};

// Pages copied between two commits: 64 of 4 KiB take well under a millisecond.
constexpr int backup_pages = 64;

void SqliteDatabase::backup(const std::string& to) {
  runtime::Fd file(::open(to.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    throw Unavailable("the backup file '" + to + "' cannot be made: " + std::strerror(errno));
  }
  try {
    copy_into(to);
    if (::fsync(file.get()) != 0) throw SqliteError(SQLITE_IOERR_FSYNC, std::strerror(errno));
  } catch (const SqliteError& error) {
    ::unlink(to.c_str());  // half a backup is worse than none
    throw Unavailable(std::string("the backup failed: ") + error.what());
  }
}

void SqliteDatabase::copy_into(const std::string& to) {
  Connection copy(to, Connection::Mode::write);
  // No journal and no fsync of its own: a copy that fails is removed, one that ends is synced on
  // the caller's thread and not on the writer's.
  copy.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  sqlite3_backup* backup = nullptr;
  int code = SQLITE_OK;
  engine_.writer.between([&](Connection& db) {
    backup = sqlite3_backup_init(copy.handle(), "main", db.handle(), "main");
    if (!backup) code = sqlite3_errcode(copy.handle());
  });
  while (code == SQLITE_OK) {
    engine_.writer.between([&](Connection&) { code = sqlite3_backup_step(backup, backup_pages); });
  }
  engine_.writer.between([&](Connection&) { sqlite3_backup_finish(backup); });
  if (code != SQLITE_DONE) throw SqliteError(code, sqlite3_errstr(code));
}

// The number of days since 2026-01-01 starts a database's generation: fences of a database made
// later are greater than those of one made before (DESIGN §1, fence).
std::int64_t first_generation(Instant now) {
  constexpr auto origin = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};
  auto days = std::chrono::floor<std::chrono::days>(now - origin).count();
  return std::max<std::int64_t>(days, 0) + 1;
}

void fill_new_database(Connection& db, const runtime::Clock& clock) {
  const auto [now, steady] = clock.now();
  db.use("meta_insert")
      .bind(first_generation(now))
      .bind(now)
      .bind(steady.time_since_epoch().count())
      .bind(clock.boot())
      .run();
  for (int shard = 0; shard < shard_count; ++shard) {
    db.use("shard_insert").bind(shard).bind(now).run();
  }
}

Result<void> migrate(Connection& db, const runtime::Clock& clock,
                     const std::filesystem::path& file) {
  const auto migrations = sqlite::migrations();
  auto version = static_cast<std::size_t>(db.value_of("PRAGMA user_version"));
  if (version > migrations.size()) {
    return fail("database_newer", "'" + file.string() +
                                      "' was written by a newer Cronally (schema " +
                                      std::to_string(version) + "); start that version");
  }
  for (; version < migrations.size(); ++version) {
    db.execute("BEGIN IMMEDIATE");
    db.execute(std::string(migrations[version]));
    if (version == 0) fill_new_database(db, clock);
    db.execute("PRAGMA user_version = " + std::to_string(version + 1));
    db.execute("COMMIT");
  }
  return {};
}

void configure(Connection& db) {
  std::string synchronous = "FULL";
#ifdef CRONALLY_TEST_HOOKS
  if (const char* hook = std::getenv("CRONALLY_TEST_SQLITE_SYNCHRONOUS")) synchronous = hook;
#endif
  db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = " + synchronous +
             "; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -16384;"
             "PRAGMA journal_size_limit = 67108864;"
             "PRAGMA temp_store = MEMORY");
}

// Readable by its owner alone from its first moment; SQLite gives -wal and -shm the same mode.
// Whatever keeps it from being made, opening it says.
void create_private(const std::filesystem::path& file) {
  runtime::Fd made(::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
}

Error open_error(const SqliteError& error, const std::filesystem::path& file) {
  const std::string name = "'" + file.string() + "'";
  if (error.primary() == SQLITE_NOTADB || error.primary() == SQLITE_CORRUPT) {
    return {"database_corrupt", name + " is damaged (" + error.what() +
                                    "); put a backup in its place with `cronally restore FILE`"};
  }
  if (error.primary() == SQLITE_FULL) {
    return {"database_unreadable", name + " cannot be opened: the disk is full; free space"};
  }
  return {"database_unreadable",
          name + " cannot be opened (" + error.what() + "); check the path and its permissions"};
}

}  // namespace

Result<std::unique_ptr<Database>> open_sqlite(const SqliteOptions& options) {
  try {
    create_private(options.file);
    auto connection = std::make_unique<Connection>(options.file, Connection::Mode::write);
    if (sqlite3_db_readonly(connection->handle(), "main") == 1) {
      throw SqliteError(SQLITE_READONLY, "the file or its disk is read-only");
    }
    configure(*connection);
    if (auto migrated = migrate(*connection, *options.clock, options.file); !migrated) {
      return fail(migrated.error());
    }
    if (const auto mark = moved_mark_of(*connection)) {
      return fail("database_moved", moved_text(options.file, *mark));
    }
    std::vector<std::array<std::int64_t, 3>> shards;
    {
      auto rows = connection->use("shards_read");
      while (rows.step()) shards.push_back({rows.integer(0), rows.integer(3), rows.integer(4)});
    }
    auto database = std::make_unique<SqliteDatabase>(options, std::move(connection));
    for (const auto& [shard, change, seen] : shards) {
      database->parts().bell.start({shard}, change, seen);
    }
    return database;
  } catch (const SqliteError& error) {
    return fail(open_error(error, options.file));
  }
}

}  // namespace cronally::store
