#include <algorithm>
#include <set>

#include "tests/sim/canaries.h"

namespace cronally::sim {
namespace {

using namespace std::chrono_literals;

// Takes what an owner before may have sent for something that is owed a moment later, and keeps
// its number.
class NumberKept final : public Canary {
 public:
  void on_event(core::Event& event, const Now& now) override {
    if (auto* granted = std::get_if<core::ShardsAcquired>(&event))
      granted->sent_until = instant_min;
    auto* read = std::get_if<core::RunsRead>(&event);
    if (!read) return;
    for (core::OpenRun& run : read->runs) {
      if (run.state == core::RunState::claimed) run.send_at = std::max(run.send_at, now.wall + 1ms);
    }
  }
};

// Trusts a lease from the answer on, not from before the question.
class TrustFromAnswer final : public Canary {
 public:
  bool trusts_from_answer() const override { return true; }
};

// Wakes up from a long pause and goes on with what it held.
class PauseUnnoticed final : public Canary {
 public:
  bool trusts_for_ever() const override { return true; }
};

// Hands a shard over and withdraws its requests later.
class ReleasedBeforeWithdrawn final : public Canary {
 public:
  bool releases_at_once() const override { return true; }
};

// A store that gives a lease back under the fence that it had.
class OldFenceGranted final : public Canary {
 public:
  void prepare(ModelStore& store) override { store.grant_old_fences(); }
};

// Repeats at once what the owner before has out while it hands over.
class LeftRunsTaken final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    auto* read = std::get_if<core::RunsRead>(&event);
    if (!read) return;
    for (core::OpenRun& run : read->runs) run.left_until = {};
  }
};

// After a takeover counts from now on.
class CursorUnsettled final : public Canary {
 public:
  void on_event(core::Event& event, const Now& now) override {
    auto* granted = std::get_if<core::ShardsAcquired>(&event);
    if (!granted) return;
    for (auto& grant : granted->shards) grant.cursor = std::max(grant.cursor, now.wall);
  }
};

// A node that lost a shard reads its changes, and its word for having seen them counts.
class AckOfALoser final : public Canary {
 public:
  void prepare(ModelStore& store) override { store.ignore_fences_of_acks(); }
  bool deaf_to_losses() const override { return true; }
  void on_event(core::Event& event, const Now&) override {
    auto* done = std::get_if<core::BatchDone>(&event);
    auto* committed = done ? std::get_if<core::BatchCommitted>(&done->fate) : nullptr;
    if (!committed) return;
    for (auto& outcome : committed->outcomes) {
      if (outcome.status == core::ItemStatus::fenced) outcome.status = core::ItemStatus::gone;
    }
  }
};

// Gives a shard back while its successor must take what had begun there for sent.
class BegunNotTakenBack final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      const auto* begin = std::get_if<core::Begin>(&item);
      if (begin && begin->taken_back) item = nothing(begin->shard);
    }
  }
};

// Takes an edit for seen a while before the owner's lease is over.
class AckBeforeTheEnd final : public Canary {
 public:
  void prepare(ModelStore& store) override { store.acknowledge_early(); }
};

// Does not hear of runs asked for by hand when their shard changed hands.
class RequestsForgotten final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    auto* changes = std::get_if<core::ChangesRead>(&event);
    if (!changes) return;
    std::erase_if(changes->requested,
                  [&](const core::OpenRun& run) { return !told_.insert(run.no).second; });
  }

 private:
  std::set<RunNo> told_;  // by whichever node
};

// Goes by its host's clock instead of the store's.
class HostClock final : public Canary {
 public:
  Duration clock_error() const override { return 1s; }
};

// Takes shards over and leaves what is open there for later.
class ShardsUnread final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    auto* read = std::get_if<core::RunsRead>(&event);
    if (!read || ++seen_ % 2 == 0) return;
    read->runs.clear();
    read->complete = true;
  }

 private:
  int seen_ = 0;
};

}  // namespace

std::vector<CanaryKind> cluster_canaries() {
  return {
      {"requests forgotten at a takeover", "P2", make_canary<RequestsForgotten>},
      {"takeover keeps a number perhaps sent", "P4", make_canary<NumberKept>},
      {"lease trusted from the answer on", "P4", make_canary<TrustFromAnswer>},
      {"pause longer than the lease unnoticed", "P4", make_canary<PauseUnnoticed>},
      {"shard released before its requests are withdrawn", "P4",
       make_canary<ReleasedBeforeWithdrawn>},
      {"lease granted again under its old fence", "P4", make_canary<OldFenceGranted>},
      {"request left to its sender repeated at once", "P4", make_canary<LeftRunsTaken>},
      {"the host's clock for the store's", "P5", make_canary<HostClock>},
      {"open runs read late after a takeover", "P7", make_canary<ShardsUnread>},
      {"begun and not taken back at a hand-over", "P7", make_canary<BegunNotTakenBack>},
      {"cursor not settled at a takeover", "P9", make_canary<CursorUnsettled>},
      {"edit acknowledged by who lost the shard", "P10", make_canary<AckOfALoser>},
      {"edit acknowledged before the lease is over", "P10", make_canary<AckBeforeTheEnd>},
  };
}

}  // namespace cronally::sim
