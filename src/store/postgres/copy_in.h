// COPY … FROM STDIN in binary form, row by row (PostgreSQL's manual, COPY, "Binary Format").
//
//   CopyIn copy(db, "move_tokens");       // a statement of statements.sql
//   copy.row(2).integer(7, 8).bytes("x"); // two fields: a bigint and a text
//   copy.finish();
//
// What is sent is bounded by the server's taking it. Throws PgError. One that was begun and not
// finished leaves a connection that is of no further use: drop it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/postgres/connection.h"

namespace cronally::store::postgres {

class CopyIn {
 public:
  CopyIn(Connection& db, std::string_view statement);
  CopyIn(const CopyIn&) = delete;
  CopyIn& operator=(const CopyIn&) = delete;

  // Begins a row of so many fields, which follow in their order.
  CopyIn& row(std::size_t fields);
  // Of 1, 2, 4 or 8 bytes, as the column is wide.
  CopyIn& integer(std::int64_t value, int width);
  // text, bytea and uuid.
  CopyIn& bytes(std::string_view value);
  CopyIn& json(std::string_view text);  // jsonb
  CopyIn& null();

  // The number of rows that the server took.
  std::int64_t finish();

 private:
  void write(std::uint64_t value, int width);
  void send();

  Connection& db_;
  std::string buffer_;
};

}  // namespace cronally::store::postgres
