// The node's journal: records of its batches go into a log beside the commits, and come out of it
// when the database has forgotten (docs/design/journal.md). What is written, when it is put back
// and what of it is decided in core/journal*; here it gets a file, threads and a store.
//
// Two loops, run by whoever owns this:
//   run_log     writes and syncs
//   run_memory  waits until the database is known to have forgotten, and puts back
// The rest may be called from any thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/journal.h"
#include "core/journal_memory.h"
#include "core/journal_notes.h"
#include "core/lease.h"
#include "runtime/append_log.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/metrics.h"
#include "store/database.h"

namespace cronally::scheduler {

class Journal {
 public:
  struct Parts {
    store::Spine& spine;
    const runtime::Clock& clock;
    runtime::Health& health;
    runtime::Metrics& metrics;
  };

  // All parts outlive it. The log's directory is as its options say.
  Journal(NodeId node, runtime::AppendLogOptions log, const Parts& parts);

  // Reads what the process before has left: the generation it knew and the newest cursors. Damage
  // is logged and passed over. Codes: those of AppendLog::open and read.
  Result<void> open();

  // ---- the machine's side

  // Writes the notes. `done` is called once they are on the disk (true), or when that is given up
  // because the log ends (false); at once where none of them lets anything be sent.
  void record(std::vector<core::JournalRecord> first, bool durable, std::function<void(bool)> done);
  // As JournalMemory has them.
  void under_way(const core::BatchNotes& notes);
  void settled(const core::BatchNotes& notes);
  // What followed from a batch that committed; nobody waits for it.
  void follow(core::BatchFollows follows);

  // ---- the leases' side

  // Adds to a heartbeat what this node remembers of the store.
  void tell(core::Heartbeat& said) const;
  // Learns from its answer; wakes run_memory if the store has forgotten.
  void heard(const core::HeartbeatAnswer& answer);

  // ---- loops

  void run_log(const std::stop_token& stop) { log_.run(stop); }
  // Throws Unavailable while the store is away; run it again.
  void run_memory(const std::stop_token& stop);

 private:
  using Tally = std::map<core::PutBack, std::size_t>;

  void write_mark();
  Result<core::JournalReplay> replay() const;
  void sync();
  void put_back_rest(core::JournalRest& rest, Tally& tally);
  void put_back(const std::vector<core::RememberedRun>& portion, Tally& tally);
  void settled(const Tally& tally);
  void post_quiet();

  const Parts parts_;
  runtime::AppendLog log_;
  std::map<core::PutBack, runtime::Counter*> put_back_;
  runtime::Counter* forgot_;
  runtime::Counter* failures_;
  runtime::Histogram* syncs_;
  runtime::Gauge* bytes_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  core::JournalMemory memory_;
};

}  // namespace cronally::scheduler
