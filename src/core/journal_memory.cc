#include "core/journal_memory.h"

#include <algorithm>

namespace cronally::core {
namespace {

// Several of the largest batches. Those that were given up, for their shard was lost, stay until
// the store forgets; beyond this the oldest are taken for heard of.
constexpr std::size_t under_way_max = 100'000;

}  // namespace

void JournalMemory::start(const JournalReplay& before) {
  generation_ = written_for_ = before.mark().generation;
  cursors_ = before.cursors();
}

void JournalMemory::tell(Heartbeat& said) const {
  said.generation = generation_;
  said.cursors.assign(cursors_.begin(), cursors_.end());
  said.putting_back = putting_back();
  if (quiet()) said.peers = peers_;
}

JournalMemory::Heard JournalMemory::heard(const HeartbeatAnswer& answer) {
  if (answer.generation == 0) return Heard::nothing;
  heard_at_ = answer.at;
  quiet_until_ = answer.quiet_until;
  const bool first = generation_ == 0;  // there is nothing to compare
  if ((first || answer.generation == generation_) && !quiet()) peers_ = answer.living;
  if (answer.generation == generation_) return Heard::nothing;
  generation_ = answer.generation;
  cursors_.clear();
  if (first) written_for_ = generation_;
  return first ? Heard::first : Heard::forgot;
}

JournalCursors JournalMemory::moved(const std::vector<std::pair<Lease, Instant>>& cursors) {
  JournalCursors moved;
  for (const auto& [lease, cursor] : cursors) {
    if (generation_of(lease.fence) != generation_) continue;  // told before it forgot
    Instant& known = cursors_[lease.shard];
    known = std::max(known, cursor);
    moved.shards.emplace_back(lease.shard, known);
  }
  return moved;
}

void JournalMemory::under_way(const BatchNotes& notes) {
  for (const auto& [place, claim] : notes.claims) under_way_.insert(claim.id);
  while (under_way_.size() > under_way_max) under_way_.erase(under_way_.begin());
}

void JournalMemory::settled(const BatchNotes& notes) {
  for (const auto& [place, claim] : notes.claims) under_way_.erase(claim.id);
}

bool JournalMemory::never_made(const RememberedRun& known) const {
  return known.run.state == RunState::claimed && generation_of(known.run.fence) < generation_ &&
         under_way_.contains(known.run.id);
}

bool JournalMemory::put_back(std::int64_t generation) {
  if (generation != generation_) return false;
  written_for_ = generation;
  under_way_.clear();  // nothing is claimed before: what was never made has left the journal
  return true;
}

std::vector<const RememberedRun*> JournalRest::take(const JournalReplay& replayed) {
  std::vector<const RememberedRun*> rest;
  for (const auto& [id, known] : replayed.runs()) {
    const Stand stand{known.run.attempt, known.run.state};
    const auto [found, fresh] = taken_.try_emplace(id, stand);
    if (!fresh && std::exchange(found->second, stand) == stand) continue;
    rest.push_back(&known);
  }
  // Of two for one occurrence the store takes the first. A claim that was never made is not to keep
  // the place of a run that was tried.
  std::ranges::stable_partition(rest, [](const RememberedRun* known) {
    return known->run.state != RunState::claimed || known->run.attempt > 1;
  });
  return rest;
}

}  // namespace cronally::core
