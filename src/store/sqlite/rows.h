// A run with its attempts; what one row holds, store/rows.h reads.
#pragma once

#include "core/run.h"
#include "store/rows.h"
#include "store/sqlite/connection.h"

namespace cronally::store::sqlite {

// Of run_by_*, run_list*; for changes_after the columns begin at 1. With attempts.
core::Run full_run(Connection& db, const Statement& row, int first = 0);

}  // namespace cronally::store::sqlite
