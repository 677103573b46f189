// Replans of a batch: the table of core::Replan, for all jobs of a stage together.
#pragma once

#include <vector>

#include "core/batch.h"
#include "store/postgres/batch_stages.h"
#include "store/postgres/exchange.h"
#include "store/postgres/transaction.h"

namespace cronally::store::postgres {

// Begins the replans, each of another job, and puts their outcomes into `outcomes` at their places.
// What they write is added to `writes`, which whoever calls runs within the transaction.
void write_replans(Transaction& transaction, const std::vector<Placed<core::Replan>>& replans,
                   const core::Fences& fences, std::vector<core::ItemOutcome>& outcomes,
                   Exchange& writes);

}  // namespace cronally::store::postgres
