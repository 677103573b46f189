#include "store/sqlite/survey.h"

#include <sys/stat.h>

#include "store/sqlite/connection.h"
#include "store/sqlite/export.h"
#include "store/sqlite/sql.h"

namespace cronally::store {

namespace fs = std::filesystem;
using sqlite::Connection;
using sqlite::SqliteError;

namespace {

std::int64_t size_of(const fs::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 ? status.st_size : 0;
}

std::string text_of(Connection& db, std::string_view statement) {
  auto row = db.use(statement);
  return row.step() ? row.text(0) : "";
}

void read(Connection& db, const fs::path& file, SqliteFacts& facts) {
  sqlite3_busy_timeout(db.handle(), 1000);
  facts.schema = static_cast<int>(db.value_of("PRAGMA user_version"));
  facts.journal_mode = text_of(db, "survey_journal_mode");
  if (facts.running.empty()) facts.integrity = text_of(db, "survey_quick_check");
  if (facts.schema == 0 || facts.schema > facts.schema_known) return;
  if (const auto mark = moved_mark_of(db)) facts.moved = moved_text(file, *mark);
  if (auto meta = db.use("meta_mark"); meta.step()) facts.last_commit = meta.instant(1);
  auto accounts = db.use("survey_accounts");
  while (accounts.step()) {
    facts.sealed.push_back({.account = {accounts.uuid(0)}, .sealed = accounts.text(1)});
  }
}

}  // namespace

SqliteFacts survey_sqlite(const fs::path& file, const std::string& running) {
  SqliteFacts facts{.file = file.string(), .running = running};
  std::error_code ignored;
  facts.exists = fs::exists(file, ignored);
  facts.schema_known = static_cast<int>(sqlite::migrations().size());
  if (!facts.exists) return facts;
  facts.size = size_of(file);
  facts.log_size = size_of(file.string() + "-wal");
  const auto space = fs::space(file.has_parent_path() ? file.parent_path() : ".", ignored);
  facts.free = static_cast<std::int64_t>(space.available);
  try {
    Connection db(file, Connection::Mode::read);
    read(db, file, facts);
  } catch (const SqliteError& error) {
    facts.unreadable = "'" + file.string() + "' cannot be read: " + error.what();
  }
  return facts;
}

}  // namespace cronally::store
