#include "store/sqlite/sql.h"

#include <map>

#include "base/check.h"

namespace cronally::store::sqlite {

// Made by embed.cmake.
extern const std::string_view statements_text;
extern const std::span<const std::string_view> migration_texts;

namespace {

constexpr std::string_view mark = "-- name: ";

std::map<std::string_view, std::string_view> parse(std::string_view text) {
  std::map<std::string_view, std::string_view> named;
  auto at = text.find(mark);
  while (at != std::string_view::npos) {
    auto line_end = text.find('\n', at);
    auto name = text.substr(at + mark.size(), line_end - at - mark.size());
    auto next = text.find(mark, line_end);
    bool fresh = named.emplace(name, text.substr(line_end + 1, next - line_end - 1)).second;
    CHECK(fresh, "statement names are unique");
    at = next;
  }
  return named;
}

}  // namespace

NamedSql statement_named(std::string_view name) {
  static const auto named = parse(statements_text);
  auto found = named.find(name);
  CHECK(found != named.end(), "no statement of this name in statements.sql");
  return {found->first, found->second};
}

std::span<const std::string_view> migrations() { return migration_texts; }

}  // namespace cronally::store::sqlite
