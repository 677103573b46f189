// What of a batch stands in the journal, and when. Pure; asked by who performs the planner's
// actions, on its thread.
//
//   JournalNotes notes;
//   notes.learn(event);                             // before each step
//   auto of_batch = notes.of(planner, commit.content);
//   ... of_batch.first goes into the journal with the commit; nothing is sent before it is there
//       if of_batch.durable
//   ... when the batch has committed: following(of_batch, committed)
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/journal.h"
#include "core/planner.h"

namespace cronally::core {

struct BatchNotes {
  std::vector<JournalRecord> first;
  bool durable = false;  // an item lets something be sent
  // With the place of each item in the batch.
  std::vector<std::pair<std::size_t, Claim>> claims;
  std::vector<std::pair<std::size_t, JournalRun>> before;  // how runs stood that an item names
  std::vector<std::pair<std::size_t, JournalReplan>> replans;
  std::vector<std::pair<std::size_t, Advance>> advances;
  Fences fences;
};

// What follows from the batch's outcomes: claims that were not made, runs that are as before,
// replans that were made. `cursors`: as they are now, at least.
struct BatchFollows {
  std::vector<JournalRecord> records;
  std::vector<std::pair<Lease, Instant>> cursors;  // and the fence each was moved under
};
BatchFollows following(const BatchNotes& notes, const BatchCommitted& committed);

class JournalNotes {
 public:
  // The ids of the jobs that come with it; the planner knows their numbers alone.
  void learn(const Event& event);

  BatchNotes of(const Planner& planner, const Batch& batch) const;

 private:
  void learn(const std::vector<PlannedJob>& jobs);
  JobId id_of(ShardNo shard, JobNo job) const;

  // By shard, ordered by number: 24 bytes a job.
  std::array<std::vector<std::pair<JobNo, JobId>>, shard_count> ids_;
};

}  // namespace cronally::core
