#include <algorithm>

#include "tests/sim/canaries.h"

namespace cronally::sim {
namespace {

// Hears that the store has forgotten, and puts nothing back.
class NothingPutBack final : public Canary {
 public:
  void on_put_back(std::vector<core::RememberedRun>& runs) override { runs.clear(); }
};

// Begins with an empty journal: who died as the store forgot remembers nothing either.
class JournalUnread final : public Canary {
 public:
  bool reads_no_journal() const override { return true; }
};

// A store that grants shards as soon as one node has heard that it forgot.
class NoQuiet final : public Canary {
 public:
  void prepare(ModelStore& store) override { store.stay_loud(); }
};

// Writes claims into the journal when their commit is known, if the node lives so long: not beside
// it.
class ClaimsUnwritten final : public Canary {
 public:
  void on_notes(core::BatchNotes& notes) override {
    std::erase_if(notes.first, [](const core::JournalRecord& record) {
      const auto* run = std::get_if<core::JournalRun>(&record);
      return run && run->run.state == core::RunState::claimed && run->run.attempt == 1;
    });
  }
};

// Puts runs back under the number that they were claimed with.
class FirstNumberPutBack final : public Canary {
 public:
  void on_put_back(std::vector<core::RememberedRun>& runs) override {
    for (auto& known : runs) known.run.attempt = 1;
  }
};

// At most once: puts back as claimed what had begun.
class BegunPutBackAsClaimed final : public Canary {
 public:
  void on_put_back(std::vector<core::RememberedRun>& runs) override {
    for (auto& known : runs) {
      if (known.run.state == core::RunState::begun) known.run.state = core::RunState::claimed;
    }
  }
};

// Puts back what was sent, and not what came of it.
class VerdictsNotPutBack final : public Canary {
 public:
  void on_put_back(std::vector<core::RememberedRun>& runs) override {
    for (auto& known : runs) {
      if (known.run.state == core::RunState::ended) known.run.state = core::RunState::begun;
    }
  }
};

// Does not tell a store how far it knows its cursors: older files in place go unnoticed.
class CursorsUntold final : public Canary {
 public:
  void on_heartbeat(core::Heartbeat& said) override { said.cursors.clear(); }
};

// Says that it is back while it still looks into its journal.
class SaysItIsBack final : public Canary {
 public:
  void on_heartbeat(core::Heartbeat& said) override { said.putting_back = false; }
};

}  // namespace

std::vector<CanaryKind> forgetful_canaries() {
  return {
      {"nothing put back that the store forgot", "P1", make_canary<NothingPutBack>, 1, true},
      {"journal not read at a start", "P1", make_canary<JournalUnread>, 1, true},
      {"no quiet after the store forgot", "P1", make_canary<NoQuiet>, 1, true},
      {"claims not in the journal", "P1", make_canary<ClaimsUnwritten>, 1, true},
      {"cursors not told to a store that forgot", "P1", make_canary<CursorsUntold>, 1, true},
      {"back before it is", "P1", make_canary<SaysItIsBack>, 1, true},
      {"begun put back as claimed", "P3", make_canary<BegunPutBackAsClaimed>, 1, true},
      {"number of an attempt not put back", "P4", make_canary<FirstNumberPutBack>, 1, true},
      {"verdicts not put back", "P4", make_canary<VerdictsNotPutBack>, 1, true},
  };
}

}  // namespace cronally::sim
