// Runs with their attempts; what one row holds, store/rows.h reads.
#pragma once

#include <vector>

#include "core/run.h"
#include "store/postgres/connection.h"
#include "store/rows.h"

namespace cronally::store::postgres {

// Of run_by_*, run_list*, runs_of_changes, in their order, with attempts.
std::vector<core::Run> full_runs(Connection& db, const Rows& rows);

// Of behind_read.
Behind behind_of(const Rows& rows);

}  // namespace cronally::store::postgres
