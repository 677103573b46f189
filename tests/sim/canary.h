// A mistake between the machine and the world: the checks must see it.
#pragma once

#include "core/journal_notes.h"
#include "core/planner.h"
#include "tests/sim/model_store.h"

namespace cronally::sim {

// An item in the place of one that is to have no effect.
inline core::Item nothing(ShardNo shard) { return core::End{RunNo{-1}, shard}; }

class Canary {
 public:
  virtual ~Canary() = default;
  virtual void prepare(ModelStore&) {}
  virtual void on_event(core::Event&, const Now&) {}
  virtual void on_commit(core::Batch&) {}
  // Tell the machine at once that its claims are committed.
  virtual bool confirms_early() const { return false; }
  // What a node's wall clock shows too much.
  virtual Duration clock_error() const { return {}; }
  // Count a lease from the answer to the heartbeat.
  virtual bool trusts_from_answer() const { return false; }
  // Never look at the end of a lease: neither before a step nor before a request leaves.
  virtual bool trusts_for_ever() const { return false; }
  // Give shards back as soon as they are asked for, and tell the machine nothing.
  virtual bool releases_at_once() const { return false; }
  // In worlds whose store forgets: what goes into the journal, what a heartbeat tells, and what is
  // put back.
  virtual void on_notes(core::BatchNotes&) {}
  virtual void on_heartbeat(core::Heartbeat&) {}
  virtual void on_put_back(std::vector<core::RememberedRun>&) {}
  // Begin with an empty journal at each start.
  virtual bool reads_no_journal() const { return false; }
  // Hear nothing of shards that are lost; requests alone are stopped.
  virtual bool deaf_to_losses() const { return false; }
};

}  // namespace cronally::sim
