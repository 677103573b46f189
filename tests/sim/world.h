// One node's whole world by seed: time, clocks that step, a store whose commits are slow, lost or
// doubtful, a deliverer with a receiver, people who edit jobs at bad moments, and a process that
// dies at any step and starts again. The same seed always gives the same history.
//
// The machine under it is core::Planner, unchanged. A Canary stands between the two and makes one
// known mistake; the checkers must see it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "core/planner.h"
#include "tests/sim/model_store.h"

namespace cronally::sim {

// A mistake between the machine and the world.
class Canary {
 public:
  virtual ~Canary() = default;
  virtual void prepare(ModelStore&) {}
  virtual void on_event(core::Event&) {}
  virtual void on_commit(core::Batch&) {}
  // Tell the machine at once that its claims are committed.
  virtual bool confirms_early() const { return false; }
  // What the machine's wall clock shows too much.
  virtual Duration clock_error() const { return {}; }
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::int64_t between(std::int64_t low, std::int64_t high);  // both included
  Duration between(Duration low, Duration high) {
    return Duration{between(low.count(), high.count())};
  }
  bool chance(double probability);

 private:
  std::uint64_t state_;
};

// A request whose first byte left, with what the store held at that moment.
struct FirstByte {
  Duration at{};      // simulated time since the start
  Instant sent_wall;  // the wall clock when the machine said Send
  core::OpenRun run;
  Revision revision = 0;
  bool at_most_once = false;
};

struct Edit {
  Duration at{};
  JobNo job;
  ShardNo shard;
  Revision revision = 0;
  std::int64_t change = 0;
  std::optional<Duration> acked;
};

class World {
 public:
  World(std::uint64_t seed, Canary* canary);
  // Lives through it all and returns what the checkers object to (tests/sim/checkers.cc); stops at
  // the first few objections.
  std::vector<std::string> live();

  // Prints what happens, line by line, to the standard output.
  void trace() { traced_ = true; }

  struct Counts {
    int occurrences = 0;
    int first_bytes = 0;
    int crashes = 0;
    int drains = 0;
    int edits = 0;
    int doubts = 0;
    int skips = 0;
  };
  Counts counts() const;

 private:
  struct Request {
    enum class State : std::uint8_t { queued, out, withdrawn };
    State state = State::queued;
    Instant sent_wall;
    core::Send send;
  };
  using RequestKey = std::pair<RunNo, std::int32_t>;
  struct Later {
    Duration at{};
    std::uint64_t order = 0;
    std::function<void()> act;
    bool operator>(const Later& other) const {
      return std::pair{at, order} > std::pair{other.at, other.order};
    }
  };

  // world.cc: time and the process
  static constexpr Duration drain_timeout = std::chrono::seconds{25};
  Instant wall() const { return base_ + time_ + clock_offset_; }
  core::PlannerOptions draw_options();
  void after(Duration delay, std::function<void()> act);
  void after_in_process(Duration delay, std::function<void()> act);
  void run_until(Duration end);
  void start_process();
  void crash();
  void schedule_drains();
  void drain();
  void end_process();
  void perform(core::Drained&);
  void schedule_clock_steps();
  void step_clock();
  void set_wake();
  core::PlannedJob compile(const store::JobPlan& plan) const;
  void poll_changes();
  void step(core::Event event);
  void note_acks();

  void say(const std::string& line) const;

  // world_actions.cc: what the machine asks for
  void perform(core::Commit& action);
  void perform(core::ReadOpenRuns& action);
  void perform(core::Prepare&) {}
  void perform(core::Send& action);
  void perform(core::Withdraw& action);
  void perform(core::WakeAt& action);
  void perform(core::ClockHeld&) {}
  void say_batch(const core::Batch& batch, const core::BatchCommitted& committed,
                 bool doubtful) const;
  void confirm_early(const core::Commit& action);
  void leave(RequestKey key);
  void answer(RequestKey key, Instant first_byte_at);
  void end_attempt(RequestKey key, core::AttemptResult result);
  Duration commit_delay();

  // world_edits.cc: what people do
  void create_job();
  void schedule_edit();
  void edit();
  void note_edit(const core::Job& job);
  core::JobDefinition draw_definition();
  std::optional<core::Job> draw_job();

  // checkers.cc
  void object(const std::string& what);
  void check_first_byte(const FirstByte& byte);
  void check_edits_respected(const FirstByte& byte);
  void check_finally();
  void check_ledger(const JobRecord& record);
  void check_owed(const JobRecord& record, const DefinitionSpan& span);
  void check_unowed(const JobRecord& record, const RunRecord& run);
  void check_nothing_stuck();

  std::uint64_t seed_;
  Dice dice_;
  Canary* canary_;
  core::PlannerOptions options_;
  bool faults_ = true;
  bool steps_clock_ = false;
  bool traced_ = false;

  Instant base_;
  Duration time_{};
  Duration clock_offset_{};
  Duration steady_until_{};  // no crash and no edit before: the clock was stepped back
  std::priority_queue<Later, std::vector<Later>, std::greater<>> later_;
  std::uint64_t order_ = 0;

  ModelStore store_;
  Instant resume_at_ = Instant::min();      // of a process that waits for the clock
  std::unique_ptr<core::Planner> planner_;  // null: the process is down
  std::uint64_t process_ = 0;
  Duration applied_until_{};  // commits are applied in the order of their submission
  Duration told_until_{};     // changes are told in order
  std::vector<std::pair<ShardNo, std::int64_t>> since_;
  std::optional<Instant> wake_at_;
  std::uint64_t wakes_ = 0;
  std::map<RequestKey, Request> requests_;

  std::vector<JobId> jobs_;
  std::vector<Edit> edits_;
  std::vector<std::size_t> unacked_;
  std::map<JobNo, Revision> acked_;  // the newest acked revision of each job
  std::vector<FirstByte> bytes_;
  std::map<std::pair<RunId, std::int32_t>, int> sent_numbers_;
  std::map<RunId, Fence> fences_;
  std::map<std::pair<JobNo, Instant>, RunId> sent_occurrences_;
  std::map<RunId, int> at_most_once_sent_;
  std::vector<std::string> objections_;
  int crashes_ = 0;
  int drains_ = 0;
  int doubts_ = 0;
};

}  // namespace cronally::sim
