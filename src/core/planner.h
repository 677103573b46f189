// The scheduler's step machine: one per node, for all the shards it owns. Events in, actions out;
// pure. It decides what is claimed, armed, sent, retried, skipped and ended; scheduler/driver and
// tests/sim only carry its words to and from the world.
//
//   schedule -> plan(cursor, now + lead] -> commit claims -> armed -> send at the instant
//            -> outcome -> commit -> ended, or armed again for the next attempt
//
// What it keeps in memory: every live job of its shards (compiled schedule, next due), runs that
// are armed, waiting for a slot, or in flight, and at most one batch under way per kind of work.
// Everything else is in the store and is read a lead ahead.
//
// Promises it carries (docs/promises.md has the argument of each):
//   P1  nothing is sent before the batch that claims it (or reserves its attempt number) committed
//   P3  at most once: the request leaves only after Begin committed; begun at takeover = unknown,
//       so who hands over takes back what it has begun and not sent
//   P4  an attempt number leaves at most once; none after a recorded success
//   P5  nothing is sent while now.wall < due
//   P9  the cursor moves only together with the claims and skips of what it passes
//   P10 a change's replan commits, with `seen`, only after every unsent request of the old
//       definition was withdrawn
//
// Shards come and go while it runs: each is granted under a fence of its own, lost at once
// (ShardsLost), or handed over when asked (ShardsAsked ... Release). docs/design/leases.md says how
// a run passes from one owner to the next.
//
// Not thread-safe: one thread steps it. step() never blocks and never fails; each call costs
// O(log n) per affected run or job.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/batch.h"
#include "core/job.h"
#include "core/lease.h"
#include "core/policy.h"
#include "core/run.h"
#include "cron/schedule.h"

namespace cronally::core {

// A destination's number in this process; the driver interns (scheme, host, port).
using DestinationNo = std::int32_t;

// A job as the machine plans it.
struct PlannedJob {
  JobNo no;
  ShardNo shard;
  Revision revision = 0;
  cron::Schedule schedule;
  Instant changed_at;       // owes nothing at or before it (owed_from)
  std::int64_t change = 0;  // the shard's change number of this revision
  bool planned = false;     // planned_revision == revision
  bool paused = false;
  bool deleted = false;
  Replan::Change last_change = Replan::Change::changed;
  DeliveryMode delivery = DeliveryMode::at_least_once;
  Retry retry;
  CatchUp catch_up;
  DestinationNo destination = 0;
  JobId id{};  // for who writes down what the planner does; the planner knows numbers
  std::vector<OwedBefore> owed_before{};  // by revisions that were replaced; none if planned
};

struct PlannerOptions {
  Duration lead_min = std::chrono::seconds{1};  // claims are planned so far ahead, growing with
                                                // the measured commit time up to lead_max
  std::size_t armed_max = 200'000;
  std::size_t armed_per_destination_max = 20'000;  // more while at least as much is free
  std::int32_t destination_concurrency = 64;
  std::size_t claims_per_batch = 8'192;
  std::size_t runs_per_read = 10'000;
  Duration begin_margin = std::chrono::milliseconds{20};  // at most once: Begin commits this,
                                                          // plus the commit time, before due
  Duration cursor_age_max = std::chrono::seconds{60};
  // Outcomes wait so long for others to join their commit, up to outcomes_per_batch of them. A
  // death within it repeats attempts that were answered (P4, "repeated").
  Duration outcome_wait = std::chrono::milliseconds{10};
  std::size_t outcomes_per_batch = 512;
  // A request that is out while its shard is handed over is left alone by the successor for so
  // long: a job's default time-out, and what it takes to record the answer.
  Duration left_time = std::chrono::seconds{35};
};

// ---- Events -----------------------------------------------------------------------------------

// The node owns these shards from now on, under one fence, and owned none of them before (SQLite:
// all of them, once, at start).
struct ShardsAcquired {
  struct Grant {
    ShardNo shard;
    Instant cursor;
    std::int64_t seen = 0;  // change number up to which jobs below are current
  };
  Fence fence;
  std::uint64_t random_seed = 0;  // ids and jitter derive from the first one; fresh entropy
  std::vector<Grant> shards;
  std::vector<PlannedJob> jobs;  // every live job of these shards, and deleted ones whose
                                 // change is not yet replanned
  // What was owed by then an owner before may have sent: the grant by the store's clock and how
  // far that owner's idea of it may have been off. At least the time of the step.
  Instant sent_until = instant_min;
};

// The leases of these shards are gone, or may be: what has not left is withdrawn, what is under
// way to its receiver is cut off, and all else forgotten at once. What is in flight is reported as
// it ends, and its outcome counts as long as nobody took the run over.
struct ShardsLost {
  ShardSet shards;
};

// These shards are to go to another node: nothing more is claimed or sent for them, and as soon as
// nothing of theirs is under way to the store, Release follows.
struct ShardsAsked {
  ShardSet shards;
};

// Jobs whose change number is above the last one told, newest revision each, and how far the
// shards' change numbers have thereby been read. Runs asked for by hand come along.
struct ChangesRead {
  std::vector<PlannedJob> jobs;
  std::vector<OpenRun> requested;
  std::vector<std::pair<ShardNo, std::int64_t>> seen;
};

// The rules of zones changed (tzdata was replaced): schedules compiled anew. They hold from now on:
// what is claimed ahead and no longer owed ends cancelled(changed), what is owed now and was passed
// over is claimed. A job told in another revision than the one known is left to its change.
struct SchedulesChanged {
  std::vector<PlannedJob> jobs;
};

// The store has runs of some shards, maybe of these, that their owner does not know of: they were
// put back behind what it had read. All open runs are read anew.
struct RunsOverlooked {};

// The answer to ReadOpenRuns.
struct RunsRead {
  std::uint64_t read = 0;
  std::vector<OpenRun> runs;  // ordered by send_at
  bool complete = true;       // false: more than the limit were due; read again later
};

struct BatchDone {
  std::uint64_t batch = 0;
  BatchFate fate;
  Duration took{};
};

// The deliverer is done with a Send (Fate::withdrawn after a Withdraw that won).
struct AttemptEnded {
  RunNo run;
  std::int32_t attempt = 1;
  AttemptResult result;
};

// The time asked for by WakeAt has come (or any other reason to look at the clock).
struct Woke {};

// Stop claiming; finish what is in flight; withdraw and leave the rest to the successor.
struct DrainStarted {};

using Event = std::variant<ShardsAcquired, ShardsLost, ShardsAsked, ChangesRead, SchedulesChanged,
                           RunsRead, RunsOverlooked, BatchDone, AttemptEnded, Woke, DrainStarted>;

// ---- Actions ----------------------------------------------------------------------------------

struct Commit {
  std::uint64_t batch = 0;  // quoted by BatchDone; a repeat after Unknown carries a new number
  Batch content;
};

// Read open runs of the owned shards with send_at <= until, not held by a pause, oldest first,
// that are not of state requested; at most `limit`. The limit leaves room for the rows that are in
// memory already, so that a read always gets past them.
struct ReadOpenRuns {
  std::uint64_t read = 0;
  ShardSet shards;
  Instant until;
  std::size_t limit = 0;
};

// A hint, given when a claim commits: the definition will be needed at the instant.
struct Prepare {
  JobNo job;
  Revision revision = 0;
};

// Send this attempt now. The deliverer checks once more, at the last moment before the bytes
// leave, that it was not withdrawn and that the lease stands.
struct Send {
  OpenRun run;            // attempt, fence, scheduled_at...
  Revision revision = 0;  // newest revision of the job: the definition to send
  DestinationNo destination = 0;
  bool at_most_once = false;
};

// Call this attempt back. Takes effect at once, before any later action of the same step: either
// its first byte is out, then it goes on, or it never leaves. AttemptEnded follows in both cases.
struct Withdraw {
  RunNo run;
  std::int32_t attempt = 1;
  // Its shard is lost, and a successor's attempt may follow: what is out goes on only if its
  // receiver has it. Else it is cut off, so as not to arrive behind that one (Fate::unknown).
  bool lost = false;
};

// Step again (Woke) at this instant at the latest. The newest one given counts.
struct WakeAt {
  Instant at;
};

// Nothing is planned until the wall clock passes `until` (it was stepped back, or the store's
// last commit is ahead of it); nullopt: planning goes on. For the health board.
struct ClockHeld {
  std::optional<Instant> until;
};

// Drained: nothing in flight, nothing uncommitted.
struct Drained {};

// Release (core/lease.h): the machine has let go of these shards; give them back.
using Action = std::variant<Commit, ReadOpenRuns, Prepare, Send, Withdraw, WakeAt, ClockHeld,
                            Drained, Release>;

// ---- The machine ------------------------------------------------------------------------------

struct PlannerStats {
  std::size_t jobs = 0;
  std::size_t armed = 0;
  std::size_t waiting = 0;  // due, waiting for a slot of their destination
  std::size_t in_flight = 0;
  Duration lead{};
};

class Planner {
 public:
  explicit Planner(const PlannerOptions& options);
  ~Planner();
  Planner(Planner&&) noexcept;
  Planner& operator=(Planner&&) noexcept;

  // Takes one event and returns what is to be done, in order. Actions of one step are performed
  // in the order given, before the next event is stepped.
  std::vector<Action> step(const Now& now, Event event);

  PlannerStats stats() const;

  // A run in memory, as it stood when the batch that names it was given; null: it has left. Valid
  // until the next step.
  const OpenRun* run(RunNo no) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cronally::core
