// Writes a batch of the step machine: each item one guarded statement, in which "no row" is an
// outcome (core/batch.h has the rules).
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "core/batch.h"
#include "store/sqlite/engine.h"

namespace cronally::store::sqlite {

// Lives for one batch in one transaction.
class BatchWriter {
 public:
  BatchWriter(Transaction& transaction, const core::Fences& fences);

  std::vector<core::ItemOutcome> write(const std::vector<core::Item>& items);

 private:
  using ItemStatus = core::ItemStatus;

  struct JobGuard {
    bool known = false;
    Revision revision = 0;
    bool paused = false;
    bool deleted = false;
    Revision planned = 0;
    Instant changed_at;
  };

  core::ItemOutcome write_item(const core::Claim& claim);
  core::ItemOutcome write_item(const core::Skip& skip);
  core::ItemOutcome write_item(const core::Advance& advance);
  core::ItemOutcome write_item(const core::Replan& replan);
  core::ItemOutcome write_item(const core::Accept& accept);
  core::ItemOutcome write_item(const core::Begin& begin);
  core::ItemOutcome write_item(const core::Takeover& takeover);
  core::ItemOutcome write_item(const core::Outcome& outcome);
  core::ItemOutcome write_item(const core::End& end);

  // Whose fence a shard carries, and whether its jobs may have changed unseen.
  struct Shard {
    std::int64_t fence = 0;
    std::int64_t change = 0;
    bool unchanged = false;
  };

  bool owns(ShardNo shard) const;
  bool carried_on(const core::Outcome& outcome);
  template <class T>
  core::ItemOutcome write_guarded(const T& item);
  void note_unchanged(const std::vector<core::Item>& items);
  const JobGuard& guard(JobNo job);
  // Whether what a Claim or Skip up to `until` was planned from is still the job's definition.
  template <class Planned>
  bool stands(const Planned& item, Instant until);
  bool insert_claim(const core::Claim& claim);
  void replan_runs(const core::Replan& replan);
  void skip_before(const core::Replan& replan);
  void erase_unused_secrets(const core::Replan& replan);
  void insert_attempt(const core::Outcome& outcome);
  bool already_followed(const core::Outcome& outcome);
  bool already_ended(RunNo run, core::Verdict verdict, core::Reason reason);
  void ended(RunNo run, core::Verdict verdict);

  Transaction& transaction_;
  Connection& db_;
  const core::Fences& mine_;
  Fence fence_;  // of the item that is being written
  std::array<Shard, shard_count> shards_{};
  std::unordered_map<JobNo, JobGuard> guards_;
  core::EarlyClaims early_;
};

}  // namespace cronally::store::sqlite
