// A store for the tests of what talks to it about leases and memory.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/clock_manual.h"
#include "store/database.h"

namespace cronally::scheduler {

// A store of which only heartbeats are asked, and what it forgot is put back to.
class FakeSpine final : public store::Spine {
 public:
  explicit FakeSpine(runtime::ManualClock& clock) : clock_(clock) {}

  core::HeartbeatAnswer heartbeat(const core::Heartbeat& heartbeat) override {
    said = heartbeat;
    clock_.advance(took);
    if (away) throw Unavailable("the database is away");
    return answer;
  }
  void release(NodeId, const core::Release&) override {}
  std::vector<core::PutBack> reassert(const std::vector<core::RememberedRun>& runs) override {
    std::lock_guard lock(mutex);
    if (away) throw Unavailable("the database is away");
    put_back.insert(put_back.end(), runs.begin(), runs.end());
    return std::vector<core::PutBack>(runs.size(), reasserts);
  }
  store::ShardsRead read_shards(
      const ShardSet&, const std::function<void(std::vector<store::JobPlan>&&)>&) override {
    return {};
  }
  void submit(core::Batch, std::function<void(core::BatchFate)>) override {}
  std::vector<core::OpenRun> read_open_runs(const ShardSet&, Instant, std::size_t) override {
    return {};
  }
  store::Changes wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>&,
                                  Duration) override {
    return {};
  }
  void interrupt_waits() override {}
  std::vector<std::shared_ptr<const store::Deliverable>> read_deliverables(
      const std::vector<std::pair<JobNo, Revision>>&) override {
    return {};
  }
  std::vector<UncountedSpan> uncounted_spans(std::size_t) override { return {}; }
  void set_span_counts(const std::vector<std::pair<std::int64_t, std::int64_t>>&) override {}
  store::Behind behind() override { return behind_now; }

  core::Heartbeat said;
  core::HeartbeatAnswer answer;
  store::Behind behind_now;
  Duration took = std::chrono::milliseconds{2};
  std::atomic<bool> away = false;
  std::mutex mutex;
  std::vector<core::RememberedRun> put_back;  // under the mutex
  std::atomic<core::PutBack> reasserts = core::PutBack::inserted;

 private:
  runtime::ManualClock& clock_;
};

}  // namespace cronally::scheduler
