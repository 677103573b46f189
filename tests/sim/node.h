// A node: a host with a clock, and the process on it. The process holds the step machine, what it
// believes of its leases and of the time, and requests that have not left; all of that dies with
// it, and the next one is another node to the store.
//
//   node.cc           the process: its birth and end, its clock, the machine's steps
//   node_leases.cc    heartbeats, shards that come and go, drains
//   node_store.cc     batches, reads and changes, and the way to the store
//   node_memory.cc    the journal, and what is put back from it
//   node_requests.cc  requests, from Send to AttemptEnded
//
// A frozen process does nothing until it thaws; then everything that waited happens at once, in
// any order. A node that is cut from the store asks in vain.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/cluster_time.h"
#include "core/journal_memory.h"
#include "core/journal_notes.h"
#include "core/lease_keeper.h"
#include "core/planner.h"
#include "store/database.h"
#include "tests/sim/model_store.h"

namespace cronally::sim {

class World;

class Node {
 public:
  Node(World& world, int index);

  void start();
  bool up() const { return process_ != nullptr; }
  bool frozen() const;
  bool draining() const { return process_ && process_->draining; }
  int index() const { return index_; }
  // kill -9: what is with the store may still be committed, what has not left never leaves.
  void crash();
  void drain();  // SIGTERM
  void freeze(Duration length);
  // From the store; before it, the way may be slow for a while.
  void cut(Duration slow, Duration length);
  // Somebody changed something; the word may take its time.
  void told(Duration delay);
  void clock_stepped();
  // Than the store as it was: a cursor, by the journal.
  bool knows_newer(const ModelStore::Memory& before) const;
  // Whether this attempt of the run is out at this node.
  bool has_out(RunNo run, std::int32_t attempt) const;

 private:
  struct Request {
    enum class State : std::uint8_t { queued, out, withdrawn };
    State state = State::queued;
    Instant sent_wall;
    Duration clock_error{};  // by the node's own account, when it said Send
    core::Send send;
  };
  using RequestKey = std::pair<RunNo, std::int32_t>;
  using Act = std::function<void()>;

  struct Process {
    Process(NodeId node, Duration ttl, const core::PlannerOptions& options)
        : id(node), planner(options), keeper(node, ttl), memory(node) {}
    NodeId id;
    core::Planner planner;
    core::LeaseKeeper keeper;
    core::ClusterTime time;
    bool draining = false;
    bool drained = false;
    int releasing = 0;
    Duration trust_extra{};  // a canary's
    ShardSet machines;       // what the machine owns; more than `owned` only with a canary
    std::map<ShardNo, std::int64_t> since;
    std::map<RunNo, Fence> requested_told;  // and under which fence of the shard
    std::map<ShardNo, Fence> owned;
    bool polling = false;
    bool poll_again = false;
    std::optional<Instant> wake_at;
    std::uint64_t wakes = 0;
    std::uint64_t beats = 0;
    core::JournalNotes notes;
    core::JournalMemory memory;
    // Batches are applied in the order of their submission; over a network those that plan and the
    // others each in theirs.
    std::array<Duration, 2> applied_until{};
    std::map<RequestKey, Request> requests;
  };

  // node.cc
  void begin();
  void end_process();
  void later(Duration delay, Act act);  // dies with the process, waits while it is frozen
  void run(std::uint64_t process, const Act& act);
  SteadyInstant steady() const;
  Now now() const;
  void step(core::Event event);
  void step_machine(core::Event event);
  void set_wake();
  core::PlannedJob compile(const store::JobPlan& plan) const;
  void say(const std::string& line) const;

  // node_leases.cc
  bool leased() const;
  void beat();
  void heard(const core::HeartbeatAnswer& answer);
  void beat_later();
  bool trusts() const;
  bool trusts(const core::OpenRun& run) const;
  void shed();
  void lose(const ShardSet& which);
  void read_granted(Fence fence, const ShardSet& shards, Instant granted_at);
  void own(Fence fence, const store::ShardsRead& read, Instant granted_at);
  void take_lock();
  void perform(core::Release& action);
  void give_back(const core::Release& action);
  void perform(core::Drained&);
  void end_drained();

  // node_memory.cc
  void open_journal();
  void write(const std::vector<core::JournalRecord>& records);
  core::BatchNotes note(const core::Batch& batch);
  void follow(const core::BatchNotes& notes, const core::BatchFate& fate);
  void tell_memory(core::Heartbeat& said) const;
  void hear_memory(const core::HeartbeatAnswer& answer);
  void read_journal();
  void put_back(const std::shared_ptr<core::JournalRest>& rest);

  // node_store.cc
  bool is_cut() const;
  Duration draw_way();
  void ask(const Act& apply, const Act& answered, const Act& lost, Duration deadline);
  Duration commit_delay();
  void perform(core::Commit& action);
  void tell_fate(std::uint64_t batch, const core::BatchFate& fate, Duration submitted);
  void confirm_early(const core::Commit& action);
  void say_batch(const core::Batch& batch, const core::BatchCommitted& committed) const;
  void perform(core::ReadOpenRuns& action);
  void poll();
  void poll_every_second();
  void hear_changes(store::Changes changes);
  void perform(core::Prepare&) {}
  void perform(core::ClockHeld&) {}

  // node_requests.cc
  void perform(core::Send& action);
  void perform(core::Withdraw& action);
  void perform(core::WakeAt& action);
  void leave(RequestKey key);
  void answer(RequestKey key, Instant first_byte_at);
  void end_attempt(RequestKey key, core::AttemptResult result);

  World& world_;
  const int index_;
  const Duration steady_offset_;
  const std::int64_t steady_ppm_;

  std::unique_ptr<Process> process_;  // null: down
  std::uint64_t number_ = 0;          // of the process
  core::JournalReplay journal_;       // the host's file, read
  Duration frozen_until_{};
  Duration cut_from_{};  // slow until then
  Duration cut_until_{};
  Instant resume_at_ = Instant::min();  // of a process that waits for the clock
};

}  // namespace cronally::sim
