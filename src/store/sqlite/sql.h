// The SQL of this store: migrations/*.sql and statements.sql, compiled in by embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace cronally::store::sqlite {

struct NamedSql {
  std::string_view name;
  std::string_view sql;
};

// A statement of statements.sql ("-- name: claim_insert"); an unknown name is a bug.
NamedSql statement_named(std::string_view name);

// Migrations in their order; migration n (from 1) leads to schema version n.
std::span<const std::string_view> migrations();

}  // namespace cronally::store::sqlite
