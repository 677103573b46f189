// The node's journal. It is written at once: what a sync takes is less than a commit.
#include "tests/sim/node.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

core::BatchNotes Node::note(const core::Batch& batch) {
  if (!world_.scenario.forgets()) return {};
  auto notes = process_->notes.of(process_->planner, batch);
  journal_ += core::journal_block(notes.first);
  return notes;
}

void Node::follow(const core::BatchNotes& notes, const core::BatchFate& fate) {
  const auto* committed = std::get_if<core::BatchCommitted>(&fate);
  if (!committed || !world_.scenario.forgets()) return;
  journal_ += core::journal_block(core::following(notes, *committed).records);
}

void Node::tell_memory(core::Heartbeat& said) const {
  if (!world_.scenario.forgets()) return;
  said.generation = process_->generation;
  said.putting_back = process_->putting_back;
}

void Node::hear_memory(const core::HeartbeatAnswer& answer) {
  if (!world_.scenario.forgets()) return;
  process_->quiet_until = answer.quiet_until;
  const auto before = std::exchange(process_->generation, answer.generation);
  if (before == 0 || before == answer.generation) return;
  if (world_.canary && world_.canary->reads_no_journal()) return;
  process_->putting_back = true;
  put_back();
}

// Again while it is quiet, for what ends meanwhile.
void Node::put_back() {
  core::JournalReplay replayed;
  replayed.add(journal_);
  auto runs = std::make_shared<std::vector<core::RememberedRun>>();
  for (const auto& [id, known] : replayed.runs()) {
    if (known.run.due > now().wall - 60s) runs->push_back(known);
  }
  const auto generation = process_->generation;
  const auto again = [this, generation] {
    if (process_->generation == generation) put_back();
  };
  ask(
      [this, runs] {
        for (const auto what : world_.store.reassert(*runs)) {
          world_.counted.put_back += what == core::PutBack::known ? 0 : 1;
        }
      },
      [this, generation, again] {
        if (process_->generation != generation) return;
        process_->putting_back = false;
        if (now().wall < process_->quiet_until) later(500ms, again);
      },
      again, 1s);
}

}  // namespace cronally::sim
