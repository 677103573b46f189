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
  void on_event(core::Event& event) override {
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
      if (claim && ++seen_ % 50 == 0) item = core::End{RunNo{-1}, claim->shard};
    }
  }

 private:
  int seen_ = 0;
};

// Says that an edit was seen and goes on with what is armed.
class EditIgnored final : public Canary {
 public:
  void on_event(core::Event& event) override {
    if (auto* changes = std::get_if<core::ChangesRead>(&event)) {
      std::erase_if(changes->jobs, [](const core::PlannedJob& job) {
        return job.last_change != core::Replan::Change::created;
      });
    }
  }
};

template <class T>
std::unique_ptr<Canary> make() {
  return std::make_unique<T>();
}

}  // namespace

const std::vector<CanaryKind>& canaries() {
  static const std::vector<CanaryKind> all = {
      {"sent before claimed", "P1", make<SentBeforeClaimed>},
      {"fence check removed", "P4", make<FenceUnchecked>},
      {"retry after recorded success", "P4", make<RetryAfterSuccess>},
      {"cursor moved without claims", "P9", make<CursorWithoutClaims>},
      {"edit inside the lead ignored", "P10", make<EditIgnored>},
  };
  return all;
}

}  // namespace cronally::sim
