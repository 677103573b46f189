// The journal: what a node writes down of what it is about to send, so that it can put back what
// its database forgets (docs/design/journal.md). Pure: bytes and values; the file is
// runtime/append_log, who drives both is scheduler/journal.
//
//   JournalBlock      records to bytes, with a checksum
//   JournalReplay     bytes of any quality to what this node may have sent
//   judge_memory      whether the database has forgotten something
//   put_back          what is to be done about one run
//
// Format. A file is blocks; a block is, little-endian: magic "CRJ1", length of its payload (4
// bytes), CRC-32C of length and payload (4 bytes), payload. A payload is records: a byte that says
// which, and its fields in the order of the structs below. What is torn or flipped fails its
// checksum; reading goes on at the next magic. Behind a record of a kind that it does not know, a
// version passes over the rest of the block: so those of kinds that came later stand last in each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/batch.h"
#include "core/lease.h"
#include "core/run.h"

namespace cronally::core {

// ---- Records ----------------------------------------------------------------------------------

// Who writes, and under which generation of the database. First in each file, and when it changes.
struct JournalMark {
  NodeId node;
  std::int64_t generation = 0;  // 0: none was heard of yet
  friend bool operator==(const JournalMark&, const JournalMark&) = default;
};

// What is kept of an attempt that ended.
struct JournalAttempt {
  std::int32_t number = 1;
  Revision revision = 0;
  Fence fence;
  Fate fate = Fate::unknown;
  std::int32_t status = 0;
  std::optional<Instant> first_byte_at;
  Instant ended_at;
  friend bool operator==(const JournalAttempt&, const JournalAttempt&) = default;
};

// A run as it stands once the batch that this belongs to has committed. `run.no` is not kept:
// numbers are the database's.
struct JournalRun {
  JobId job;    // all zero where it is not known any more; an earlier record has it then
  OpenRun run;  // state ended: with the verdict
  Verdict verdict = Verdict::unknown;
  Reason reason = Reason::none;
  std::optional<JournalAttempt> attempt;  // the one that ended by it
};

// A claim that the store did not make: nothing came of its record.
struct JournalVoid {
  RunId run;
};

// A replan as versions before wrote it, without fence and time; not written any more. Runs of the
// job that were due after the change, claimed and never tried, are gone, but for those that the new
// revision owes, and those in `kept`.
struct JournalUnfencedReplan {
  JobId job;
  Revision revision = 0;
  Instant changed_at;
  std::vector<Instant> owed;
  std::vector<RunId> kept;
};

// Cursors whose commit was heard of.
struct JournalCursors {
  std::vector<std::pair<ShardNo, Instant>> shards;
};

// A replan took effect under `fence`, at `at` by the store's clock: also runs that had begun are
// gone, and those stay that an owner before may have sent by then (core/batch.h, Replan).
struct JournalReplan {
  JobId job;
  Revision revision = 0;
  Instant changed_at;
  std::vector<Instant> owed;
  std::vector<RunId> kept;
  Fence fence;
  Instant at;
};

// The kind of a record is its place here.
using JournalRecord = std::variant<JournalMark, JournalRun, JournalVoid, JournalUnfencedReplan,
                                   JournalCursors, JournalReplan>;

// The bytes of one block. Empty for no records.
std::string journal_block(const std::vector<JournalRecord>& records);

// ---- Replay -----------------------------------------------------------------------------------

// A run that this node may have sent, as far as its journal tells.
struct RememberedRun {
  NodeId node;  // which wrote it
  JobId job;
  OpenRun run;  // as JournalRun
  Verdict verdict = Verdict::unknown;
  Reason reason = Reason::none;
  std::vector<JournalAttempt> attempts;  // those that ended, by number
};

class JournalReplay {
 public:
  // One file; files are added oldest first.
  void add(std::string_view bytes);

  const JournalMark& mark() const { return mark_; }  // the newest
  const std::map<RunId, RememberedRun>& runs() const { return runs_; }
  // The newest, of the mark's generation.
  const std::map<ShardNo, Instant>& cursors() const { return cursors_; }
  // Places at which something other than whole blocks stood, but for a torn end.
  std::size_t damaged() const { return damaged_; }

 private:
  void on(JournalMark&& record);
  void on(JournalRun&& record);
  void on(JournalVoid&& record);
  void on(JournalUnfencedReplan&& record);
  void on(JournalReplan&& record);
  void on(JournalCursors&& record);
  // `deletes` says it of a scheduled run that was never tried, and was due after the change.
  template <class Replanned, class Deletes>
  void replan(const Replanned& record, Deletes deletes);

  JournalMark mark_;
  std::map<RunId, RememberedRun> runs_;
  // How runs stand by an attempt that ended, where something that was only intended has followed or
  // came before; without the attempts.
  std::unordered_map<RunId, RememberedRun> told_;
  std::unordered_map<JobId, std::vector<RunId>> of_job_;
  std::map<ShardNo, Instant> cursors_;
  std::size_t damaged_ = 0;
};

// ---- What a database forgot -------------------------------------------------------------------

inline constexpr int generation_shift = 36;  // of a fence: its generation stands above
inline std::int64_t generation_of(Fence fence) { return fence.value >> generation_shift; }

// While it is quiet nobody is granted a shard. At least this long, whatever the time to live: a
// node has to notice that its connection is dead and to find the new server. Unless all who can
// have anything to put back have done so.
inline constexpr Duration quiet_min = std::chrono::seconds{5};
// Also then at least this long: two heartbeats of a node that joined unseen.
inline constexpr Duration quiet_least = std::chrono::seconds{1};
// A node that was heard of so short a time before may have been alive to the end.
inline constexpr Duration quiet_memory = std::chrono::seconds{60};
// Nodes that put back more prolong it, no further than this.
inline constexpr Duration quiet_max = std::chrono::seconds{60};

// Which server a database is on, and how often one of its standbys was promoted.
struct ServerMark {
  std::int64_t system = 0;
  std::int64_t timeline = 0;
  friend bool operator==(const ServerMark&, const ServerMark&) = default;
};

// By how much the generation has to rise, which is more than it can have fallen; 0: nothing was
// forgotten.
//   stored, now  the server as the database last noted it, and as it is
//   generation   the database's
//   known        the node's, 0 where it knows none
//   behind       a cursor of the database is behind what the node knows; of an older generation
//                that is no news: another node told it, and this one has not heard yet
//
// Examples: a standby was promoted once: 1. Old files were put back: 256, as whenever it cannot be
// told how often that happened. The node knows 9 and the database says 4: 5 + 256.
std::int64_t judge_memory(const ServerMark& stored, const ServerMark& now, std::int64_t generation,
                          std::int64_t known, bool behind);

// A time of quiet, from the transaction that raised the generation.
struct Quiet {
  Instant since;
  Instant until;
};

// How long it stays quiet, by the nodes' rows, that of who says a heartbeat among them:
//
//   one that lives puts back     a time to live from now on, up to quiet_max
//   all are back                 now, or quiet_least. Who: all that were heard of since, that were
//                                alive within quiet_memory before it, or that a peer told of, and
//                                a peer there must be: a process that was there before knows who
//                                else was, of which the table may have forgotten some
//   else                         as long as any of them may trust a lease of before, and quiet_min
Instant quiet_until(const Quiet& quiet, std::int64_t generation, const std::vector<NodeRow>& nodes,
                    Instant now);

// A run as the database has it.
struct StoredRun {
  RunId id;
  std::optional<Verdict> verdict;      // of one that has ended
  RunState state = RunState::claimed;  // the rest: of one that has not ended
  std::int32_t attempt = 0;
  Fence fence;
  bool acted_on = false;  // somebody has it under a fence of the store's generation
};

// What a store did with a remembered run.
enum class PutBack : std::uint8_t {
  known,     // the database knew as much
  inserted,  // it knew nothing of the run
  raised,    // its number, state or fence was lower
  ended,     // it did not know that it had ended, or that it had succeeded
  taken,     // another run holds the occurrence: it was claimed anew
  job_lost,  // there is no such job
  too_old,   // it may have been pruned since
};

// What to do about it where it is not too old: `stored` is the run that holds its occurrence. A
// success stands over every other end, and over a higher number of a run that nobody acts on: these
// may never have been written, for a journal holds what its node was about to write, and another's
// success may have come first.
PutBack put_back(const RememberedRun& remembered, bool job_known,
                 const std::optional<StoredRun>& stored);

}  // namespace cronally::core
