#include "store/postgres/rows.h"

#include <algorithm>
#include <unordered_map>

namespace cronally::store::postgres {

std::vector<core::Run> full_runs(Connection& db, const Rows& rows) {
  std::vector<core::Run> runs;
  if (rows.empty()) return runs;
  Numbers numbers;
  std::unordered_map<std::int64_t, std::size_t> places;
  for (const Row row : rows) {
    places.emplace(row.integer(0), runs.size());
    numbers.add(row.integer(0));
    runs.push_back(run_row(row));
  }
  const auto [least, most] = std::ranges::minmax(runs, {}, &core::Run::no);
  Params params;
  params.add(numbers).add(least.no).add(most.no);
  for (const Row row : db.run("attempts_of_runs", std::move(params))) {
    runs[places.at(row.integer(0))].attempts.push_back(attempt_row(row, 1));
  }
  return runs;
}

Behind behind_of(const Rows& rows) {
  const Row row = rows[0];
  const auto since = [&](int column) {
    if (row.null(column)) return Duration{};
    return std::max(Duration{}, row.instant(0) - row.instant(column));
  };
  return {.planning = since(1), .sending = since(2)};
}

}  // namespace cronally::store::postgres
