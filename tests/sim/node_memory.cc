// The node's journal. It is written at once: what a sync takes is less than a commit.
#include <algorithm>

#include "tests/sim/node.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

// What the process before has left.
void Node::open_journal() {
  if (!world_.scenario.forgets()) return;
  if (world_.canary && world_.canary->reads_no_journal()) journal_ = {};
  process_->memory.start(journal_);
}

void Node::write(const std::vector<core::JournalRecord>& records) {
  journal_.add(core::journal_block(records));
}

bool Node::knows_newer(const ModelStore::Memory& before) const {
  return std::ranges::any_of(journal_.cursors(), [&](const auto& known) {
    return before.shards.at(static_cast<std::size_t>(known.first.value)).cursor < known.second;
  });
}

core::BatchNotes Node::note(const core::Batch& batch) {
  if (!world_.scenario.forgets()) return {};
  auto notes = process_->notes.of(process_->planner, batch);
  if (world_.canary) world_.canary->on_notes(notes);
  process_->memory.under_way(notes);
  write(notes.first);
  return notes;
}

void Node::follow(const core::BatchNotes& notes, const core::BatchFate& fate) {
  if (!world_.scenario.forgets()) return;
  if (!std::holds_alternative<core::BatchUnknown>(fate)) process_->memory.settled(notes);
  const auto* committed = std::get_if<core::BatchCommitted>(&fate);
  if (!committed) return;
  auto follows = core::following(notes, *committed);
  auto moved = process_->memory.moved(follows.cursors);
  if (!moved.shards.empty()) follows.records.emplace_back(std::move(moved));
  write(follows.records);
}

void Node::tell_memory(core::Heartbeat& said) const {
  if (!world_.scenario.forgets()) return;
  process_->memory.tell(said);
  if (world_.canary) world_.canary->on_heartbeat(said);
}

void Node::hear_memory(const core::HeartbeatAnswer& answer) {
  if (!world_.scenario.forgets()) return;
  using Heard = core::JournalMemory::Heard;
  const Heard news = process_->memory.heard(answer);
  if (news == Heard::first) write({process_->memory.mark()});
  if (news == Heard::forgot) read_journal();
}

// A long one takes its time.
void Node::read_journal() {
  auto& dice = world_.dice;
  const Duration reads = dice.chance(0.3) ? dice.between(Duration{0}, Duration{4s}) : Duration{0};
  later(reads, [this, generation = process_->memory.generation()] {
    if (process_->memory.generation() == generation) {
      put_back(std::make_shared<core::JournalRest>());
    }
  });
}

// Again while it is quiet, for what ends meanwhile.
void Node::put_back(const std::shared_ptr<core::JournalRest>& rest) {
  auto runs = std::make_shared<std::vector<core::RememberedRun>>();
  std::vector<core::JournalRecord> never;
  for (const core::RememberedRun* known : rest->take(journal_)) {
    if (process_->memory.never_made(*known)) {
      never.emplace_back(core::JournalVoid{known->run.id});
    } else {
      runs->push_back(*known);
    }
  }
  write(never);
  if (world_.canary) world_.canary->on_put_back(*runs);
  const auto generation = process_->memory.generation();
  if (world_.traced()) say("puts back what it knows of " + std::to_string(runs->size()) + " runs");
  const auto taken = std::make_shared<std::vector<core::JournalRecord>>();
  ask(
      [this, runs, taken] {
        const auto told = world_.store.reassert(*runs);
        for (std::size_t i = 0; i < told.size(); ++i) {
          if (told[i] == core::PutBack::taken)
            taken->emplace_back(core::JournalVoid{(*runs)[i].run.id});
          if (world_.traced())
            say("put back " + describe((*runs)[i].run, world_.base()) + " id " +
                (*runs)[i].run.id.text() + " -> " + std::to_string(static_cast<int>(told[i])));
          world_.counted.put_back += told[i] == core::PutBack::known ? 0 : 1;
        }
      },
      [this, rest, generation, taken] {
        write(*taken);
        core::JournalMemory& memory = process_->memory;
        const bool done = !memory.putting_back();
        if (!memory.put_back(generation)) return;  // it was begun anew
        if (!done) write({memory.mark()});
        if (memory.quiet())
          later(500ms, [this, rest, generation] {
            if (process_->memory.generation() == generation) put_back(rest);
          });
      },
      [this, generation] {
        if (process_->memory.generation() == generation) {
          put_back(std::make_shared<core::JournalRest>());
        }
      },
      1s);
}

}  // namespace cronally::sim
