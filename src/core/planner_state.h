// The step machine's memory and its parts; private to core/planner*.cc.
//
//   planner.cc          events in, the order of work in a step, waking, draining
//   planner_shards.cc   shards that come, are lost, or are handed over
//   planner_plan.cc     what is owed until now + lead: the plan lane's claims and skips
//   planner_changes.cc  new, changed and deleted jobs: withdrawing and replanning
//   planner_runs.cc     armed, waiting, in flight: sending and what follows an attempt
//   planner_reads.cc    open runs that come from the store: takeover, retries, overflow
//   planner_lanes.cc    batches under way: fates, repeats, backoff
//
// Two lanes, each with at most one batch under way. The plan lane holds everything that concerns
// a cursor (claims, skips, advances, replans): since its batches never overlap, a replan always
// knows the cursor it plans up to. The run lane holds what concerns single runs.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/planner.h"
#include "core/policy.h"

namespace cronally::core {

inline constexpr Instant never = Instant::max();
inline constexpr Duration instant_tick{1};

struct JobEntry;

// A run in memory. Exactly one of its phases holds:
//   armed       its timer says when to look at it again (begin, send)
//   waiting     due, in its destination's queue for a slot; the timer is its expiry
//   committing  an item of the run lane names it; nothing else happens to it meanwhile
//   in_flight   Send was given, AttemptEnded not yet received
enum class Phase : std::uint8_t { armed, waiting, committing, in_flight };

struct TrackedRun {
  OpenRun run;
  JobEntry* job = nullptr;         // null: deleted
  TrackedRun* job_prev = nullptr;  // the job's runs in memory
  TrackedRun* job_next = nullptr;
  TrackedRun* queue_prev = nullptr;  // the destination's queue
  TrackedRun* queue_next = nullptr;
  Instant timer = never;
  DestinationNo destination = 0;
  Revision sent_revision = 0;
  Phase phase = Phase::armed;
  bool excluded = false;          // named in a replan's in_flight: judged when it is free again
  bool replaces_unknown = false;  // its current number replaces an attempt of unknown fate
  bool at_most_once = false;
  bool reporting = false;  // committing, and the item is the outcome of an attempt
};

// A job as it is kept: everything but the schedule fits in 80 bytes.
struct JobEntry {
  JobNo no;
  cron::Schedule schedule;
  Instant next_due = never;  // the first owed instant not accounted for; never: none, or unknown
                             // until a change has been replanned
  Instant changed_at;
  TrackedRun* runs = nullptr;
  Revision revision = 0;
  DestinationNo destination = 0;
  std::uint32_t policy = 0;  // index into State::policies
  std::uint8_t shard = 0;
  Replan::Change last_change = Replan::Change::created;
  DeliveryMode delivery = DeliveryMode::at_least_once;
  bool paused : 1 = false;
  bool deleted : 1 = false;
  bool dirty : 1 = false;       // its newest revision is not replanned
  bool collected : 1 = false;   // stands in State::due_by_shard, not in the heap
  bool replanning : 1 = false;  // a Replan of it is under way
  bool read_after : 1 = false;  // runs of it may be in the store only: read when replanned
  bool hidden : 1 = false;      // a pause may have hidden runs of it from reads, however far ahead
  bool orphaned : 1 = false;    // its shard is gone; kept while runs of it are in flight
};

struct Policy {
  Retry retry;
  CatchUp catch_up;
};

struct Shard {
  bool owned = false;
  bool leaving = false;  // owned, and to be released as soon as nothing is under way
  Instant cursor;
  std::int64_t seen = 0;  // as committed
  std::int64_t told = 0;  // changes up to here came as events
  Instant sent_until;     // as ShardsAcquired, at least the time of that step
  SteadyInstant asked_at{};
  std::size_t tracked = 0;    // runs in memory, those in flight too
  std::size_t in_flight = 0;  // also from an ownership before
};

struct Destination {
  std::size_t tracked = 0;
  std::int32_t in_flight = 0;
  bool overflowed = false;  // runs were left in the store for want of room
  TrackedRun* first = nullptr;
  TrackedRun* last = nullptr;
};

// A batch under way, or waiting to be repeated.
struct Lane {
  std::optional<std::uint64_t> batch;  // under way
  Batch content;                       // kept for its outcomes and repeats
  SteadyInstant repeat_at;             // when not under way and content is not empty
  int setbacks = 0;                    // refusals and doubts in a row
  bool idle() const { return !batch && content.items.empty(); }
};

// What one ChangesRead asked for; its `seen` commits with the last of its replans.
struct ChangeSet {
  std::vector<JobNo> jobs;
  std::vector<std::pair<ShardNo, std::int64_t>> seen;
};

// SplitMix64 (Steele, Lea, Flood 2014): ids and jitter need spread, not secrecy.
class Random {
 public:
  void seed(std::uint64_t seed) { state_ = seed; }
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)

 private:
  std::uint64_t state_ = 0;
};

// (when, number): a min-heap whose entries may be out of date; the object itself says.
using TimerHeap =
    std::priority_queue<std::pair<Instant, std::int64_t>,
                        std::vector<std::pair<Instant, std::int64_t>>, std::greater<>>;

struct Planner::State {
  explicit State(const PlannerOptions& planner_options) : options(planner_options) {}

  // ---- events (planner.cc and the part each belongs to)
  void on(ShardsAcquired& event);
  void on(ShardsLost& event) { lose(event.shards); }
  void on(ShardsAsked& event);
  void on(ChangesRead& event);
  void on(SchedulesChanged& event);
  void on(RunsRead& event);
  void on(RunsOverlooked&) { discover_again(instant_min); }
  void on(BatchDone& event);
  void on(AttemptEnded& event);
  void on(Woke&) {}
  void on(DrainStarted&);

  // ---- planner.cc
  void proceed();         // everything the clock or a free lane allows
  void wake(bool woken);  // asks for the next step in time
  Instant next_wake();
  Instant wall_of(SteadyInstant at) const { return now.wall + (at - now.steady); }
  bool stopped() const { return draining || acting.none(); }
  void check_drained();

  // ---- planner_shards.cc
  Shard& shard_at(ShardNo no) { return shards.at(static_cast<std::size_t>(no.value)); }
  bool acts_for(ShardNo no) const { return acting.test(static_cast<std::size_t>(no.value)); }
  bool owns(ShardNo no, Fence fence) const { return fence.value != 0 && fences.of(no) == fence; }
  void lose(const ShardSet& which);
  void forget(ShardNo no);
  void forget_plans(const ShardSet& which);
  void withdraw_all(const ShardSet& which, bool lost);
  void drop_items(const ShardSet& which);
  void drop_foreign(Batch& batch) const;
  bool under_way(ShardNo no) const;
  void release_shards();
  Instant release_wake() const;

  // ---- planner_plan.cc
  Duration lead() const { return lead_for(options.lead_min, commit_recent); }
  bool hold_clock();  // true while the cursor is too far ahead of the clock
  void plan();
  bool plan_ahead();
  void collect(Instant until);
  void account(JobEntry& job, Instant until, std::vector<Item>& items);
  void add_early(Instant until, std::vector<Item>& items);
  Instant first_early() const;
  bool still_ahead(JobNo no, Instant until, std::vector<Item>& items);
  Duration plan_lead() const;
  void add_claim(const JobEntry& job, Instant due, std::vector<Item>& items);
  Instant first_due();
  void set_next_due(JobEntry& job, std::optional<Instant> due);
  Instant cursor_max() const;
  Instant plan_wake();

  // ---- planner_changes.cc
  JobEntry& put_job(const PlannedJob& planned);
  void change_job(const PlannedJob& planned);
  void drop_unsent(JobEntry& job);
  std::vector<Instant> replan_dues(const JobEntry& job, Instant cursor, std::vector<Item>& skips);
  std::vector<Instant> dues_before(const JobEntry& job, std::vector<Skip>& skips);
  bool replan();
  bool replan_set(ChangeSet& set, bool held, std::vector<Item>& items);
  static bool has_run(const JobEntry& job, Instant due);
  void add_replan(JobEntry& job, std::vector<Item>& items);
  void finish_replan(const Replan& replan, ItemStatus status);
  bool settle_recompiled();
  void cancel_unowed(JobEntry& job);
  void forget_job(JobEntry& job);
  void admit(const OpenRun& requested);
  void admit_deferred();
  std::uint32_t intern(const Policy& policy);
  JobEntry* find_job(JobNo no);

  // ---- planner_runs.cc
  TrackedRun& track(const OpenRun& run, JobEntry* job);
  void untrack(TrackedRun& tracked);
  TrackedRun* find_run(RunNo no);
  bool has_room(DestinationNo destination);
  Destination& destination_at(DestinationNo no);
  void arm(TrackedRun& tracked);
  bool still_wanted(TrackedRun& tracked);
  bool survives_change(const TrackedRun& tracked) const;
  void rebind(TrackedRun& tracked);
  bool expired(const TrackedRun& tracked) const;
  void set_timer(TrackedRun& tracked, Instant at);
  void fire_timers();
  void on_timer(TrackedRun& tracked);
  void ready(TrackedRun& tracked);
  void send(TrackedRun& tracked);
  void enqueue(TrackedRun& tracked);
  void dequeue(TrackedRun& tracked);
  void pump(DestinationNo destination);
  void withdrawn(TrackedRun& tracked);
  void report(TrackedRun& tracked, AttemptResult result, NextStep next);
  void queue_item(TrackedRun& tracked, Item item);
  void queue_end(TrackedRun& tracked, Outcome::End end);
  void cancel(TrackedRun& tracked, Reason reason);
  Duration begin_lead() const { return options.begin_margin + commit_recent; }

  // ---- planner_reads.cc
  void read_later(Instant send_at);
  void read_runs();
  bool read_due() const;
  Instant read_wake() const;
  void issue_read(Instant until);
  bool take_row(const OpenRun& row);
  void take_over(TrackedRun& tracked);
  void finish_read(const RunsRead& event);
  void discover_again(Instant at);
  Duration horizon() const { return std::max(lead() + lead() / 2, lead_max); }

  // ---- planner_lanes.cc
  void submit(Lane& lane, std::vector<Item> items);
  void resubmit(Lane& lane);
  void repeat_lanes();
  void flush_runs();
  bool outcomes_may_wait() const;
  void setback(Lane& lane, bool at_once);
  void plan_committed(const BatchCommitted& committed, Duration took);
  void plan_item_done(const Item& item, const ItemOutcome& outcome, EarlyClaims& held_back);
  void runs_committed(const BatchCommitted& committed);
  void claim_done(const Claim& claim, const ItemOutcome& outcome);
  void arm_claim(const Claim& claim, const ItemOutcome& outcome, JobEntry& job);
  void outcome_done(TrackedRun& tracked, const Outcome& outcome);
  void run_item_done(const Item& item, ItemStatus status);

  // ---- what is kept
  PlannerOptions options;
  Now now{};
  std::vector<Action> actions;

  Random random;
  bool seeded = false;
  bool draining = false;
  bool drained = false;
  std::array<Shard, shard_count> shards{};
  Fences fences;    // of the shards that are owned
  ShardSet acting;  // owned and not leaving
  ShardSet leaving;

  std::unordered_map<JobNo, JobEntry> jobs;
  std::vector<Policy> policies;
  TimerHeap dues;  // (next_due, job)
  std::array<std::vector<JobNo>, shard_count> due_by_shard;
  std::size_t collected = 0;
  Instant collected_first = never;  // no job in these lists is due before
  Instant looked_at{};              // when they were last filled
  // What one item of a large plan took to commit, lately; a guess until there was one.
  std::chrono::nanoseconds claim_time = std::chrono::microseconds{20};
  Instant advanced_at = never;        // when the cursors last moved
  std::optional<Instant> held_until;  // as last told
  std::vector<Claim> early;           // refused as too early (the clock was stepped back):
                                      // claimed again as they are, not decided anew
  bool replanned_last = false;

  std::vector<JobNo> recompiled;  // by new zone rules, which hold from recompiled_at on; their
  Instant recompiled_at;          // next_due is not known until the plan lane is free

  std::deque<ChangeSet> changes;
  std::unordered_map<JobNo, std::vector<OwedBefore>> before;  // of jobs that are not replanned
  std::vector<OpenRun> deferred;  // asked for by hand, of jobs whose replan is not committed

  std::unordered_map<RunNo, TrackedRun> runs;
  TimerHeap timers;  // (timer, run)
  std::vector<Destination> destinations;
  std::size_t waiting = 0;
  std::size_t in_flight = 0;
  std::vector<Item> run_items;       // for the next batch of the run lane
  std::size_t run_items_urgent = 0;  // of these, other than outcomes
  SteadyInstant run_items_since{};   // when the first of them was queued

  std::optional<std::uint64_t> reading;
  std::unordered_set<RunNo> departed;         // left memory while a read was under way
  std::unordered_set<JobNo> changed_in_read;  // jobs changed or replanned meanwhile
  std::set<std::int64_t> later;          // seconds in which a run that is in the store only is owed
  std::set<std::int64_t> later_in_read;  // those noted since the read under way was issued
  Instant unread_from{};                 // rows from here on were never read
  Instant unread_again = never;          // how far that was set back since the read was issued
  Instant read_until{};
  std::size_t rows_left = 0;  // rows of the last read that memory did not take
  // Rows that reads passed over for want of room of their destination are owed by then. The horizon
  // may be nearer when there is room.
  Instant passed_over_until = instant_min;
  bool read_now = false;
  SteadyInstant read_not_before{};

  Lane plan_lane;
  Lane run_lane;
  std::uint64_t last_number = 0;  // of batches and reads
  Duration commit_recent{};       // decaying maximum of the commits' durations
  Instant woke_for = never;       // the WakeAt last given
};

}  // namespace cronally::core
