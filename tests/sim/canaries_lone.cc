#include "tests/sim/canaries.h"

#include <set>

namespace cronally::sim {
namespace {

// Takes a claim for committed when it was only asked for.
class SentBeforeClaimed final : public Canary {
 public:
  bool confirms_early() const override { return true; }
};

// A store that does not look whose lease it is.
class FenceUnchecked final : public Canary {
 public:
  void prepare(ModelStore& store) override { store.ignore_fences(); }
};

// Takes some successes for failures, although they are recorded as what they are.
class RetryAfterSuccess final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    auto* ended = std::get_if<core::AttemptEnded>(&event);
    if (!ended || ended->result.status != 200 || ++seen_ % 20 != 0) return;
    ended->result.status = 500;
    mistaken_.emplace(ended->run, ended->attempt);
  }
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      auto* outcome = std::get_if<core::Outcome>(&item);
      if (outcome && mistaken_.contains({outcome->run, outcome->attempt})) {
        outcome->result.status = 200;
        outcome->next = core::Outcome::End{core::Verdict::succeeded, core::Reason::none};
      }
    }
  }

 private:
  int seen_ = 0;
  std::set<std::pair<RunNo, std::int32_t>> mistaken_;
};

// Moves the cursor past an occurrence that it forgot to claim.
class CursorWithoutClaims final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      const auto* claim = std::get_if<core::Claim>(&item);
      if (claim && ++seen_ % 50 == 0) item = nothing(claim->shard);
    }
  }

 private:
  int seen_ = 0;
};

// Says that an edit was seen and goes on with what is armed.
class EditIgnored final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    if (auto* changes = std::get_if<core::ChangesRead>(&event)) {
      std::erase_if(changes->jobs, [](const core::PlannedJob& job) {
        return job.last_change != core::Replan::Change::created;
      });
    }
  }
};

// Sends a request whose number the store does not have: the takeover did not reserve it.
class NumberNotReserved final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      if (auto* takeover = std::get_if<core::Takeover>(&item)) takeover->sent_perhaps = false;
    }
  }
};

// At most once: takes what a server before it had begun for something that is only claimed.
class BegunTakenForClaimed final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    auto* read = std::get_if<core::RunsRead>(&event);
    if (!read) return;
    for (core::OpenRun& run : read->runs) run.state = core::RunState::claimed;
  }
};

// At most once: sends although it was not written that it will.
class BegunUnwritten final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      if (const auto* begin = std::get_if<core::Begin>(&item)) item = nothing(begin->shard);
    }
  }
  void on_event(core::Event& event, const Now&) override {
    auto* done = std::get_if<core::BatchDone>(&event);
    auto* committed = done ? std::get_if<core::BatchCommitted>(&done->fate) : nullptr;
    if (!committed) return;
    for (auto& outcome : committed->outcomes) {
      if (outcome.status == core::ItemStatus::gone) outcome.status = core::ItemStatus::done;
    }
  }
};

// Goes by a clock that is ahead.
class FastClock final : public Canary {
 public:
  Duration clock_error() const override { return std::chrono::milliseconds{5}; }
};

// Of a job that was edited before anybody saw it, plans the newest definition alone.
class OwedBeforeForgotten final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    if (auto* changes = std::get_if<core::ChangesRead>(&event)) forget(changes->jobs);
    if (auto* acquired = std::get_if<core::ShardsAcquired>(&event)) forget(acquired->jobs);
  }

 private:
  static void forget(std::vector<core::PlannedJob>& jobs) {
    for (core::PlannedJob& job : jobs) job.owed_before.clear();
  }
};

// Passes over what was missed and writes nothing of it.
class SkipsUnwritten final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      if (const auto* skip = std::get_if<core::Skip>(&item)) item = nothing(skip->shard);
    }
  }
};

// Lets an edit be acknowledged that nobody has seen.
class AckAhead final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      if (auto* advance = std::get_if<core::Advance>(&item)) advance->seen += 1'000;
    }
  }
};

// After a start, hears nothing of the runs that were open.
class OpenRunsForgotten final : public Canary {
 public:
  void on_event(core::Event& event, const Now&) override {
    if (auto* read = std::get_if<core::RunsRead>(&event)) read->runs.clear();
  }
};

// Forgets some outcomes.
class OutcomeUnwritten final : public Canary {
 public:
  void on_commit(core::Batch& batch) override {
    for (auto& item : batch.items) {
      const auto* outcome = std::get_if<core::Outcome>(&item);
      if (outcome && ++seen_ % 50 == 0) item = nothing(outcome->shard);
    }
  }

 private:
  int seen_ = 0;
};

}  // namespace

const std::vector<CanaryKind>& canaries() {
  static const std::vector<CanaryKind> all = [] {
    auto every = lone_canaries();
    for (auto& kind : cluster_canaries()) every.push_back(std::move(kind));
    for (auto& kind : forgetful_canaries()) every.push_back(std::move(kind));
    return every;
  }();
  return all;
}

std::vector<CanaryKind> lone_canaries() {
  return {
      {"sent before claimed", "P1", make_canary<SentBeforeClaimed>},
      {"number of an attempt not reserved", "P1", make_canary<NumberNotReserved>},
      {"open runs forgotten at a start", "P2", make_canary<OpenRunsForgotten>},
      {"outcome not written", "P4", make_canary<OutcomeUnwritten>},
      {"begun taken for claimed", "P3", make_canary<BegunTakenForClaimed>},
      {"at most once sent before begun", "P3", make_canary<BegunUnwritten>},
      {"fence check removed", "P4", make_canary<FenceUnchecked>},
      {"retry after recorded success", "P4", make_canary<RetryAfterSuccess>},
      {"a clock that is ahead", "P5", make_canary<FastClock>},
      {"cursor moved without claims", "P9", make_canary<CursorWithoutClaims>},
      {"skips not written", "P9", make_canary<SkipsUnwritten>},
      {"forgotten what was owed before an edit", "P9", make_canary<OwedBeforeForgotten>},
      {"edit acknowledged before it is seen", "P10", make_canary<AckAhead>},
      {"edit inside the lead ignored", "P10", make_canary<EditIgnored>},
  };
}

}  // namespace cronally::sim
