// One SQLite connection and its statements. Hides the C interface; nothing else includes sqlite3.
//
// A failed call throws Unavailable with SQLite's text, except where a method says otherwise.
// Not thread-safe: one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/time.h"
#include "base/uuid.h"
#include "runtime/clock.h"

namespace cronally::store::sqlite {

// SQLite's own result code, for the few callers that choose on it (full, corrupt).
class SqliteError : public std::exception {
 public:
  SqliteError(int code, std::string text) : code_(code), text_(std::move(text)) {}
  int code() const { return code_; }  // extended
  int primary() const { return code_ & 0xff; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  int code_;
  std::string text_;
};

// A prepared statement at work: bind from left to right, then step. Resets itself at the end.
//
//   auto query = connection.use("job_by_name");
//   query.bind(account).bind(name);
//   if (query.step()) id = query.uuid(0);
class Statement {
 public:
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  Statement(Statement&& other) noexcept
      : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)), next_(other.next_) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_null();
  Statement& bind(bool value) { return bind(std::int64_t{value}); }
  Statement& bind(int value) { return bind(std::int64_t{value}); }
  Statement& bind(const char* text) { return bind(std::string_view(text)); }
  Statement& bind(const std::string& text) { return bind(std::string_view(text)); }
  Statement& bind(Instant at) { return bind(us_of(at)); }
  Statement& bind(Duration length) { return bind(std::int64_t{length.count()}); }
  Statement& bind(const Uuid& id);
  template <class Tag>
  Statement& bind(const StrongNo<Tag>& no) {
    return bind(no.value);
  }
  template <class Tag>
  Statement& bind(const StrongId<Tag>& id) {
    return bind(id.value);
  }
  template <class T>
  Statement& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }
  template <class E>
    requires std::is_enum_v<E>
  Statement& bind(E value) {
    return bind(static_cast<std::int64_t>(value));
  }

  bool step();  // true: a row
  void run();   // to the end, expecting no row that matters

  int columns() const;
  bool null(int column) const;
  bool number(int column) const;  // an integer, and neither text nor blob
  std::int64_t integer(int column) const;
  std::string_view view(int column) const;  // text or blob, valid until the next step()
  std::string text(int column) const { return std::string(view(column)); }
  Uuid uuid(int column) const;
  Instant instant(int column) const { return instant_from_us(integer(column)); }
  Duration duration(int column) const { return Duration{integer(column)}; }
  bool flag(int column) const { return integer(column) != 0; }
  template <class E>
  E as(int column) const {
    return static_cast<E>(integer(column));
  }
  std::optional<Instant> maybe_instant(int column) const {
    return null(column) ? std::nullopt : std::optional(instant(column));
  }

 private:
  void check(int code) const;

  sqlite3* db_;
  sqlite3_stmt* statement_;
  int next_ = 1;
};

class Connection {
 public:
  enum class Mode { write, read };

  // Code of a SqliteError: SQLITE_CANTOPEN, SQLITE_NOTADB, …
  Connection(const std::filesystem::path& file, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A named statement of statements.sql, prepared once.
  Statement use(std::string_view name);
  // A text of one or more statements; for pragmas and migrations.
  void execute(const std::string& sql);
  std::int64_t value_of(const std::string& sql);

  std::int64_t changes() const { return sqlite3_changes64(db_); }
  std::int64_t last_row() const { return sqlite3_last_insert_rowid(db_); }
  sqlite3* handle() const { return db_; }

  // From here on a statement that runs longer, by `clock`, is interrupted (SQLITE_INTERRUPT),
  // counted from its use(). Read connections have one second, so that no snapshot holds the WAL.
  void limit_statements(std::shared_ptr<const runtime::Clock> clock, Duration length);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  sqlite3_stmt* prepare(std::string_view sql);
  static int interrupts(void* connection);

  sqlite3* db_ = nullptr;
  std::shared_ptr<const runtime::Clock> clock_;  // null: statements have no limit
  Duration limit_{};
  SteadyInstant deadline_{};
  std::unordered_map<std::string_view, std::unique_ptr<sqlite3_stmt, Finalize>> prepared_;
};

}  // namespace cronally::store::sqlite
