#include "store/sqlite/connection.h"

#include <cstring>

#include "base/check.h"
#include "store/sqlite/sql.h"

namespace cronally::store::sqlite {

namespace {

[[noreturn]] void raise(sqlite3* db, int code) {
  throw SqliteError(code, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

// SQLite counts every allocation under one lock of the process unless told not to, before its
// first use (https://sqlite.org/malloc.html, "Memory usage statistics").
void configure_sqlite() {
  static const int configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  (void)configured;
}

}  // namespace

// ---- Statement --------------------------------------------------------------------------------

Statement::~Statement() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) raise(db_, code);
}

Statement& Statement::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, next_++, value));
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  check(sqlite3_bind_text64(statement_, next_++, text.data(), text.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  // A null pointer would bind NULL, even with length 0.
  check(sqlite3_bind_blob64(statement_, next_++, bytes.empty() ? "" : bytes.data(), bytes.size(),
                            SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null() {
  check(sqlite3_bind_null(statement_, next_++));
  return *this;
}

Statement& Statement::bind(const Uuid& id) {
  check(
      sqlite3_bind_blob64(statement_, next_++, id.bytes.data(), id.bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

bool Statement::step() {
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) raise(db_, sqlite3_extended_errcode(db_));
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

bool Statement::null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int Statement::columns() const { return sqlite3_column_count(statement_); }

bool Statement::number(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_INTEGER;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::view(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes ? std::string_view(static_cast<const char*>(bytes), size) : std::string_view();
}

Uuid Statement::uuid(int column) const {
  Uuid id;
  CHECK(sqlite3_column_bytes(statement_, column) == static_cast<int>(id.bytes.size()),
        "ids are 16 bytes");
  std::memcpy(id.bytes.data(), sqlite3_column_blob(statement_, column), id.bytes.size());
  return id;
}

// ---- Connection -------------------------------------------------------------------------------

Connection::Connection(const std::filesystem::path& file, Mode mode) {
  configure_sqlite();
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  int code = sqlite3_open_v2(file.c_str(), &db_, flags, nullptr);
  if (code != SQLITE_OK) {
    SqliteError error(code, db_ ? sqlite3_errmsg(db_) : sqlite3_errstr(code));
    sqlite3_close(db_);
    throw error;
  }
}

Connection::~Connection() {
  prepared_.clear();
  sqlite3_close(db_);
}

sqlite3_stmt* Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) raise(db_, code);
  return statement;
}

Statement Connection::use(std::string_view name) {
  if (clock_) deadline_ = clock_->steady() + limit_;
  auto found = prepared_.find(name);
  if (found == prepared_.end()) {
    auto entry = statement_named(name);  // its name lives as long as the program
    found = prepared_.try_emplace(entry.name).first;
    found->second.reset(prepare(entry.sql));
  }
  CHECK(!sqlite3_stmt_busy(found->second.get()), "a statement is used by one reader at a time");
  return {db_, found->second.get()};
}

void Connection::execute(const std::string& sql) {
  int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) raise(db_, code);
}

std::int64_t Connection::value_of(const std::string& sql) {
  std::unique_ptr<sqlite3_stmt, Finalize> owner(prepare(sql));
  Statement query(db_, owner.get());
  return query.step() ? query.integer(0) : 0;
}

// The clock decides, not the handler's count of instructions: that one goes on from one execution
// of a cached statement to the next, and would end a short one now and then.
void Connection::limit_statements(std::shared_ptr<const runtime::Clock> clock, Duration length) {
  constexpr int instructions_per_look = 10'000;  // some 100 us
  clock_ = std::move(clock);
  limit_ = length;
  deadline_ = clock_->steady() + limit_;
  sqlite3_progress_handler(db_, instructions_per_look, interrupts, this);
}

int Connection::interrupts(void* connection) {
  const auto* self = static_cast<const Connection*>(connection);
  return self->clock_->steady() >= self->deadline_ ? 1 : 0;
}

}  // namespace cronally::store::sqlite
