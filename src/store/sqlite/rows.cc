#include "store/sqlite/rows.h"

namespace cronally::store::sqlite {

core::Run full_run(Connection& db, const Statement& row, int first) {
  auto run = run_row(row, first);
  auto attempts = db.use("attempts_of_run");
  attempts.bind(run.no);
  while (attempts.step()) run.attempts.push_back(attempt_row(attempts));
  return run;
}

}  // namespace cronally::store::sqlite
