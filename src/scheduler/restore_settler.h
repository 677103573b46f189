// What a restored database owes for the time between its backup and its restore: nobody knows
// what ran then, so nothing of it is sent again.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/batch.h"
#include "scheduler/job_compiler.h"
#include "store/database.h"

namespace cronally::scheduler {

struct Settled {
  std::int64_t spans = 0;  // one for each job that owed something, and for each such revision
  std::int64_t runs = 0;   // ended
};

class RestoreSettler {
 public:
  RestoreSettler(store::Spine& spine, const JobCompiler& compiler)
      : spine_(spine), compiler_(compiler) {}

  // Takes the shards (so the generation must be raised before) and commits, in bounded batches:
  // the runs `open` end unknown(restored); what each live job owed from the shard's cursor, or
  // from its unplanned change, up to `until` is skipped(restored), and so is what unplanned
  // revisions before owed, if no change withdrew it; changes not yet replanned are;
  // and the cursors move to `until`. Repeating it is harmless.
  Settled settle(NodeId node, const std::vector<core::End>& open, Instant until);

 private:
  void settle_job(const store::JobPlan& job, Instant cursor, Instant until);
  std::vector<core::Skip> skips_before(const store::JobPlan& job) const;
  void add(core::Item item);
  void commit();

  store::Spine& spine_;
  const JobCompiler& compiler_;
  core::Batch batch_;
  Settled settled_;
};

}  // namespace cronally::scheduler
