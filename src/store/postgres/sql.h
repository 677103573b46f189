// The SQL of this store: migrations/*.sql and statements.sql, compiled in by embed.cmake.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cronally::store::postgres {

struct NamedSql {
  std::string_view name;  // ends with a zero byte behind it
  std::string_view sql;
};

// A statement of statements.sql ("-- name: claims_insert"); an unknown name is a bug.
NamedSql statement_named(std::string_view name);

// Migrations in their order; migration n (from 1) leads to schema version n.
std::span<const std::string_view> migrations();

// The statements of a migration, one by one. A statement ends with a ';' at the end of a line; a
// body of a function stands between two lines that have a "$$" each.
std::vector<std::string> statements_of(std::string_view migration);

}  // namespace cronally::store::postgres
