// Puts back runs that nodes remember and this database has forgotten (Spine::reassert).
//
// Most of what is asked for is known, so the question is a read; what is to be written goes through
// the line of edits, where it is looked at once more. Batches of owners may write meanwhile: each
// statement is guarded by the run's number and fence.
#pragma once

#include <cstddef>
#include <vector>

#include "core/journal.h"
#include "store/postgres/transaction.h"

namespace cronally::store::postgres {

using Remembered = std::vector<core::RememberedRun>;

// What is known, missing or behind; writes nothing.
std::vector<core::PutBack> look_back(Connection& db, const Remembered& runs, Instant now);

// The same, written.
std::vector<core::PutBack> put_back(Transaction& transaction, const Remembered& runs);

}  // namespace cronally::store::postgres
