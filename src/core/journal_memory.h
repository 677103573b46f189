// What a node knows of its store's memory, and when it has to put back what its journal holds
// (docs/design/journal.md). Pure: heartbeats go out and answers come in; the journal's bytes are
// core/journal's, and who drives it (scheduler/journal, the simulation) writes and reads them.
//
//   JournalMemory   the generation of the store, that of the journal, cursors, how long it is quiet
//   JournalRest     what of a journal is still to be told to the store
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/journal.h"
#include "core/journal_notes.h"
#include "core/lease.h"

namespace cronally::core {

class JournalMemory {
 public:
  explicit JournalMemory(NodeId node) : node_(node) {}

  // What the process before has left: the generation it wrote for, and the newest cursors.
  void start(const JournalReplay& before);

  // Adds to a heartbeat what this node remembers of the store.
  void tell(Heartbeat& said) const;

  enum class Heard : std::uint8_t {
    nothing,  // new
    first,    // of any store: the journal is its own from here on, begin it with mark()
    forgot,   // the store has forgotten, or did while this node was away: putting_back() from here
  };
  Heard heard(const HeartbeatAnswer& answer);

  // Of cursors that a commit moved, those that the store has not forgotten since: for the journal.
  JournalCursors moved(const std::vector<std::pair<Lease, Instant>>& cursors);

  // All that the journal held under `generation` is put back. False: the store has forgotten again,
  // and all is to be put back again. Else the journal goes on with mark().
  bool put_back(std::int64_t generation);

  // A batch is on its way to the store, and: its fate is known. Its claims stand in the journal by
  // then, but until its commit is heard of nothing of it is sent.
  void under_way(const BatchNotes& notes);
  void settled(const BatchNotes& notes);
  // A claim that nobody heard of before the store forgot: nothing was sent, and under its fence it
  // is not made any more. Put back, it would keep another's run from its occurrence.
  bool never_made(const RememberedRun& known) const;

  // What stands first in each file, and at each change of it.
  JournalMark mark() const { return {node_, written_for_}; }
  bool putting_back() const { return written_for_ != generation_; }
  std::int64_t generation() const { return generation_; }  // 0: none was heard of
  Instant quiet_until() const { return quiet_until_; }     // by the store's clock
  bool quiet() const { return heard_at_ < quiet_until_; }  // when it was last heard of

 private:
  const NodeId node_;
  std::int64_t generation_ = 0;   // of the store, as last heard
  std::int64_t written_for_ = 0;  // the one that the journal was written under
  Instant quiet_until_{};
  Instant heard_at_{};
  std::map<ShardNo, Instant> cursors_;
  std::set<RunId> under_way_;  // in the order of their instants
  std::vector<NodeId> peers_;  // who lived when it was last heard of and not quiet
};

// One for each time that a store has forgotten.
class JournalRest {
 public:
  // What is in the journal and was not taken yet, as it stands now, and what has moved on since:
  // first what was tried, then what is only claimed. Valid as long as `replayed`.
  std::vector<const RememberedRun*> take(const JournalReplay& replayed);

 private:
  using Stand = std::pair<std::int32_t, RunState>;
  std::map<RunId, Stand> taken_;
};

}  // namespace cronally::core
