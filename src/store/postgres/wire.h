// Parameters and rows in PostgreSQL's binary format: integers are 8 bytes, big-endian, whatever the
// column is (the server casts); ids are uuid, bytes are bytea.
//
//   Params params;
//   params.add(account).add("report");                  // bigint, text
//   Column<std::int64_t> numbers;                       // bigint[], one element for each row
//   for (const auto& item : items) numbers.add(item.job);
//   params.add(numbers);
#pragma once

#include <libpq-fe.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "base/uuid.h"

namespace cronally::store::postgres {

// Types as the catalogue numbers them (pg_type.dat of PostgreSQL's source).
enum class Type : Oid { boolean = 16, bytea = 17, bigint = 20, text = 25, uuid = 2950 };

// Bytes that are no text.
struct Bytes {
  std::string_view value;
};

// How a value is written: its type, and its bytes appended to `out`.
void write_value(std::string& out, std::int64_t value);
void write_value(std::string& out, bool value);
void write_value(std::string& out, std::string_view text);
void write_value(std::string& out, Bytes bytes);
void write_value(std::string& out, const Uuid& id);

// The value of the wire that stands for a value of ours.
inline std::int64_t plain(std::int64_t value) { return value; }
inline std::int64_t plain(int value) { return value; }
inline bool plain(bool value) { return value; }
inline std::string_view plain(std::string_view text) { return text; }
inline std::string_view plain(const std::string& text) { return text; }
inline std::string_view plain(const char* text) { return text; }
inline Bytes plain(Bytes bytes) { return bytes; }
inline Uuid plain(const Uuid& id) { return id; }
inline std::int64_t plain(Instant at) { return us_of(at); }
inline std::int64_t plain(Duration length) { return length.count(); }
template <class Tag>
std::int64_t plain(const StrongNo<Tag>& no) {
  return no.value;
}
template <class Tag>
Uuid plain(const StrongId<Tag>& id) {
  return id.value;
}
template <class E>
  requires std::is_enum_v<E>
std::int64_t plain(E value) {
  return static_cast<std::int64_t>(value);
}

template <class T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, std::int64_t>) return Type::bigint;
  if constexpr (std::is_same_v<T, bool>) return Type::boolean;
  if constexpr (std::is_same_v<T, std::string_view>) return Type::text;
  if constexpr (std::is_same_v<T, Bytes>) return Type::bytea;
  if constexpr (std::is_same_v<T, Uuid>) return Type::uuid;
}

// A one-dimensional array: one column of the rows that a statement unnests. T is a type of the
// wire: int64_t, bool, string_view, Bytes or Uuid.
template <class T>
class Column {
 public:
  template <class V>
  Column& add(const V& value) {
    std::string bytes;
    write_value(bytes, plain(value));
    write_length(static_cast<std::int32_t>(bytes.size()));
    elements_ += bytes;
    ++size_;
    return *this;
  }
  template <class V>
  Column& add(const std::optional<V>& value) {
    return value ? add(*value) : add_null();
  }
  Column& add_null() {
    write_length(-1);
    has_null_ = true;
    ++size_;
    return *this;
  }
  std::size_t size() const { return size_; }
  const std::string& elements() const { return elements_; }
  bool has_null() const { return has_null_; }

 private:
  void write_length(std::int32_t length) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      elements_ += static_cast<char>(static_cast<std::uint32_t>(length) >> shift & 0xffU);
    }
  }

  std::string elements_;
  std::size_t size_ = 0;
  bool has_null_ = false;
};

using Numbers = Column<std::int64_t>;
using Flags = Column<bool>;
using Texts = Column<std::string_view>;
using Blobs = Column<Bytes>;
using Uuids = Column<Uuid>;

// The parameters of one execution, from left to right.
class Params {
 public:
  template <class V>
  Params& add(const V& value) {
    std::string bytes;
    const auto wire = plain(value);
    write_value(bytes, wire);
    return push(static_cast<Oid>(type_of<std::remove_cvref_t<decltype(wire)>>()), std::move(bytes));
  }
  template <class V>
  Params& add(const std::optional<V>& value) {
    using Wire = std::remove_cvref_t<decltype(plain(*value))>;
    return value ? add(*value) : add_null(type_of<Wire>());
  }
  template <class T>
  Params& add(const Column<T>& column) {
    return push_array(static_cast<Oid>(type_of<T>()), column.elements(), column.size(),
                      column.has_null());
  }
  Params& add_null(Type type) { return push(static_cast<Oid>(type), std::nullopt); }

  const std::vector<Oid>& types() const { return types_; }
  const std::vector<std::optional<std::string>>& values() const { return values_; }

 private:
  Params& push(Oid type, std::optional<std::string> value);
  Params& push_array(Oid element, const std::string& elements, std::size_t size, bool has_null);

  std::vector<Oid> types_;
  std::vector<std::optional<std::string>> values_;
};

class Rows;

// One row of an answer; valid as long as its Rows.
class Row {
 public:
  Row(const PGresult* result, int row) : result_(result), row_(row) {}

  bool null(int column) const { return PQgetisnull(result_, row_, column) != 0; }
  std::int64_t integer(int column) const;  // of 1, 2, 4 or 8 bytes
  std::string_view view(int column) const;
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
  const PGresult* result_;
  int row_;
};

// The rows that a statement answered.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}

  int size() const { return PQntuples(result_.get()); }
  bool empty() const { return size() == 0; }
  Row operator[](int row) const { return {result_.get(), row}; }

  class Iterator {
   public:
    Iterator(const PGresult* result, int row) : result_(result), row_(row) {}
    Row operator*() const { return {result_, row_}; }
    Iterator& operator++() {
      ++row_;
      return *this;
    }
    bool operator==(const Iterator& other) const { return row_ == other.row_; }

   private:
    const PGresult* result_;
    int row_;
  };
  Iterator begin() const { return {result_.get(), 0}; }
  Iterator end() const { return {result_.get(), size()}; }

  // "COMMIT", "ROLLBACK", …: what the statement says it did.
  std::string_view tag() const { return PQcmdStatus(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace cronally::store::postgres
