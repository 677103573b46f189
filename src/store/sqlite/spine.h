// The scheduler's side of the SQLite store.
#pragma once

#include <mutex>

#include "store/database.h"
#include "store/sqlite/engine.h"

namespace cronally::store::sqlite {

class SqliteSpine : public Spine {
 public:
  explicit SqliteSpine(Engine& engine) : engine_(engine) {}

  using Spine::read_shards;
  core::HeartbeatAnswer heartbeat(const core::Heartbeat& said) override;
  void release(NodeId, const core::Release&) override {}
  ShardsRead read_shards(const ShardSet& shards, const TakePlans& take) override;
  void submit(core::Batch batch, std::function<void(core::BatchFate)> done) override;
  std::vector<core::OpenRun> read_open_runs(const ShardSet& shards, Instant until,
                                            std::size_t limit) override;
  Changes wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                           Duration timeout) override;
  void interrupt_waits() override { engine_.bell.interrupt(); }
  std::vector<std::shared_ptr<const Deliverable>> read_deliverables(
      const std::vector<std::pair<JobNo, Revision>>& wanted) override;
  std::vector<UncountedSpan> uncounted_spans(std::size_t limit) override;
  void set_span_counts(const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) override;
  Behind behind() override;

 private:
  void read_plans(const ShardSet& shards, const TakePlans& take);
  Changes look(const std::vector<std::pair<ShardNo, std::int64_t>>& since);

  Engine& engine_;
  std::mutex fence_mutex_;
  Fence fence_;  // what this process holds every shard under; 0: nothing yet

  // The newest requested run handed out, and how often the bell had rung for one by then.
  std::mutex requests_mutex_;
  RunNo requested_up_to_{0};
  std::uint64_t requests_known_ = 0;
  bool looked_ = false;
};

}  // namespace cronally::store::sqlite
