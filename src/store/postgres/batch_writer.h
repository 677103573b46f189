// Writes a batch of the step machine: each kind of item one guarded statement over all of its kind,
// in which "no row" is an outcome (core/batch.h has the rules).
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/batch.h"
#include "store/postgres/batch_stages.h"
#include "store/postgres/exchange.h"
#include "store/postgres/transaction.h"

namespace cronally::store::postgres {

// Runs that end without an attempt: rows of the statement runs_end.
class EndRows {
 public:
  void add(RunNo run, Fence fence, core::Verdict verdict, core::Reason reason);
  // `take` is handed the numbers of the runs that ended by it.
  void add_to(Exchange& exchange, Exchange::Take take);

 private:
  Numbers runs_;
  Numbers fences_;
  Numbers verdicts_;
  Numbers reasons_;
};

// Lives for one batch in one transaction. What is usual costs one round trip, besides that of the
// commit: what is to be written leaves with the lock of the shards, as if all of it counted. Where
// the leases say otherwise it is undone, and what does count is written after they were read.
class BatchWriter {
 public:
  BatchWriter(Transaction& transaction, const core::Batch& batch);

  std::vector<core::ItemOutcome> write();

 private:
  using ItemStatus = core::ItemStatus;

  // A run as it stands now, for items whose guard found no row.
  struct RunState {
    core::RunState state = core::RunState::requested;
    Fence fence;
    std::int64_t attempt = 0;
    std::int64_t send_at = 0;
    std::int64_t verdict = 0;
    std::int64_t reason = 0;
  };

  // Writes the first stage, where it may be, and finds out which items count. True: it is written.
  bool open(const Stages& staged, std::vector<bool>& counts);
  void add_lock(Exchange& exchange);
  // Whether the item's shard carries the fence of the batch, or of the outcome.
  bool counts(const core::Item& item) const;
  void count_foreign(std::vector<bool>& counts);
  Fence fence_of(ShardNo shard) const { return batch_.fences.of(shard); }
  void set(std::size_t place, ItemStatus status, RunNo run = {});

  void add_stage(Exchange& exchange, const Stage& stage);
  void judge_stage(const Stage& stage);
  void add_claims(Exchange& exchange, const Stage& stage);
  void add_skips(Exchange& exchange, const Stage& stage);
  void add_accepts(Exchange& exchange, const Stage& stage);
  void add_begins(Exchange& exchange, const Stage& stage);
  void add_takeovers(Exchange& exchange, const Stage& stage);
  void add_attempts(Exchange& exchange, const Stage& stage);
  void add_outcomes(Exchange& exchange, const Stage& stage);
  void add_ends(Exchange& exchange, const Stage& stage);
  template <class T>
  Exchange::Take mark_done(const std::vector<Placed<T>>& items);

  void find_claims(const std::vector<Placed<core::Claim>>& claims);
  void judge_repeated(const Stage& stage);
  template <class T>
  void judge_repeated(const std::vector<Placed<T>>& items);
  std::unordered_map<RunNo, RunState> read_states(const std::vector<RunNo>& runs);
  bool is_repeat(const core::Accept& accept, const RunState& run) const;
  bool is_repeat(const core::Takeover& takeover, const RunState& run) const;
  bool is_repeat(const core::Outcome& outcome, const RunState& run) const;
  bool is_repeat(const core::End& end, const RunState& run) const;
  void advance(const std::vector<Placed<core::Advance>>& advances);

  Transaction& transaction_;
  const core::Batch& batch_;
  std::vector<core::ItemOutcome> outcomes_;
  std::map<ShardNo, Fence> leases_;  // as they are locked
  core::EarlyClaims early_;
};

}  // namespace cronally::store::postgres
