#include "store/postgres/sql.h"

#include <functional>
#include <map>
#include <utility>

#include "base/check.h"

namespace cronally::store::postgres {

// Made by embed.cmake.
extern const std::string_view statements_text;
extern const std::span<const std::string_view> migration_texts;

namespace {

constexpr std::string_view mark = "-- name: ";

std::map<std::string, std::string_view, std::less<>> parse(std::string_view text) {
  std::map<std::string, std::string_view, std::less<>> named;
  auto at = text.find(mark);
  while (at != std::string_view::npos) {
    auto line_end = text.find('\n', at);
    auto name = text.substr(at + mark.size(), line_end - at - mark.size());
    auto next = text.find(mark, line_end);
    bool fresh =
        named.emplace(std::string(name), text.substr(line_end + 1, next - line_end - 1)).second;
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

std::vector<std::string> statements_of(std::string_view migration) {
  std::vector<std::string> statements;
  std::string statement;
  bool in_body = false;  // of a function
  while (!migration.empty()) {
    const auto end = migration.find('\n');
    std::string_view line = migration.substr(0, end);
    migration.remove_prefix(end == std::string_view::npos ? migration.size() : end + 1);
    if (statement.empty() && (line.empty() || line.starts_with("--"))) continue;
    statement += std::string(line) + '\n';
    if (line.find("$$") != std::string_view::npos) in_body = !in_body;
    if (!in_body && line.ends_with(';')) statements.push_back(std::exchange(statement, {}));
  }
  CHECK(statement.empty(), "a migration's last statement ends with a semicolon");
  return statements;
}

}  // namespace cronally::store::postgres
