// What the scheduler needs, in PostgreSQL.
#pragma once

#include <mutex>
#include <unordered_map>

#include "store/database.h"
#include "store/postgres/engine.h"

namespace cronally::store::postgres {

class PostgresSpine : public Spine {
 public:
  explicit PostgresSpine(Engine& engine) : engine_(engine) {}

  core::HeartbeatAnswer heartbeat(const core::Heartbeat& said) override {
    return engine_.leases.heartbeat(said);
  }
  void release(NodeId node, const core::Release& what) override {
    engine_.leases.release(node, what);
  }
  std::vector<core::PutBack> reassert(const std::vector<core::RememberedRun>& runs) override;
  using Spine::read_shards;
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

  // The requested runs that were handed out and are requested still, and how often the bell had
  // rung for one by then. Numbers do not order them: another process's may commit late.
  std::mutex requests_mutex_;
  std::unordered_map<RunNo, ShardNo> requested_;
  std::uint64_t requests_known_ = 0;
  std::uint64_t interrupts_known_ = 0;
  bool looked_ = false;
};

}  // namespace cronally::store::postgres
