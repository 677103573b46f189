#include "scheduler/driver.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/log.h"
#include "runtime/supervise.h"
#include "scheduler/errands.h"
#include "scheduler/inbox.h"
#include "scheduler/job_feed.h"
#include "scheduler/journaled_commit.h"
#include "scheduler/lease_holder.h"
#include "scheduler/lease_watch.h"
#include "scheduler/ledger_watch.h"
#include "scheduler/refusal_log.h"

namespace cronally::scheduler {

namespace log = runtime::log;
using namespace std::chrono_literals;

namespace {

// The machine's thread looks at the clock at least this often, so that a wall clock stepped
// forward is noticed without a timer of its own.
constexpr Duration look_at_clock_every = 500ms;
// What is to hand over takes a heartbeat and a batch; without the database it is not waited for.
constexpr Duration hand_over_max = 1s;

template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};

// What a request under way needs to be called back and reported.
struct InFlight {
  RunId run;
  JobNo job;
  Fence fence;
  Instant send_at;
  bool counts_as_lateness = false;  // the first attempt of a scheduled run
  std::shared_ptr<delivery::SendGate> gate;
};

}  // namespace

class Driver::Impl {
 public:
  Impl(const DriverOptions& options, const DriverParts& parts)
      : options_(options),
        parts_(parts),
        planner_(options.planner),
        watch_(parts.metrics),
        lease_watch_(options.node, parts.metrics, parts.health),
        leases_(std::make_shared<LeaseHolder>(options.node, options.lease_ttl,
                                              parts.database.spine(), parts.clock, *inbox_,
                                              parts.journal)),
        errands_({.node = options.node,
                  .database = parts.database,
                  .vault = parts.vault,
                  .clock = parts.clock,
                  .deliverer = parts.deliverer,
                  .leases = leases_,
                  .inbox = inbox_}),
        jobs_({.node = options.node,
               .spine = parts.database.spine(),
               .compiler = parts.compiler,
               .clock = parts.clock,
               .health = parts.health,
               .leases = *leases_,
               .inbox = *inbox_}),
        supervisor_(parts.health, &parts.metrics, options.restart) {}

  ~Impl() { stop(); }

  void start();
  bool drain(Duration timeout);
  void stop();
  bool leads() const { return leases_->leads(); }
  void look_again() { inbox_->post(core::RunsOverlooked{}); }

 private:
  // machine thread
  bool await_clock(const std::stop_token& stop);
  void tell_drained();
  void run_machine(const std::stop_token& stop);
  std::vector<core::Event> take_events(const std::stop_token& stop);
  void step(core::Event event);
  void shed();
  void perform_all(core::Event event);
  void hand_over();
  void note_ended(const core::AttemptEnded& ended);
  void perform(core::Commit&& action);
  void perform(core::Send&& action);
  void perform(const core::Withdraw& action);
  void perform(const core::ClockHeld& action);

  const DriverOptions options_;
  const DriverParts parts_;

  // Only the machine's thread touches these.
  core::Planner planner_;
  core::JournalNotes notes_;
  std::unordered_map<RunNo, InFlight> in_flight_;
  Instant wake_at_{};
  Instant looked_at_ = instant_min;  // the wall clock, when the loop last read it
  bool withdrew_ = false;            // since the deliverer was told

  LedgerWatch watch_;
  LeaseWatch lease_watch_;  // the machine's thread
  RefusalLog refusals_;
  // A request may end when the driver has gone; a commit is waited for.
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  const std::shared_ptr<LeaseHolder> leases_;
  Errands errands_;
  JobFeed jobs_;
  std::mutex commits_mutex_;
  std::condition_variable commits_ended_;
  int commits_ = 0;  // under way

  std::mutex drained_mutex_;
  std::condition_variable drained_changed_;
  bool drained_ = false;
  std::atomic<bool> draining_ = false;

  runtime::Supervisor supervisor_;
};

// ---- life -------------------------------------------------------------------------------------

void Driver::Impl::start() {
  parts_.health.expect("scheduler");
  if (parts_.journal) {
    supervisor_.spawn("journal", [this](std::stop_token stop) { parts_.journal->run_log(stop); });
    supervisor_.spawn("memory", [this](std::stop_token stop) { parts_.journal->run_memory(stop); });
  }
  leases_->beat();
  if (!leases_->endless()) {
    supervisor_.spawn("leases", [this](std::stop_token stop) { leases_->run(stop); });
  }
  jobs_.start();
  supervisor_.spawn("machine", [this](std::stop_token stop) { run_machine(stop); });
  supervisor_.spawn("reader", [this](std::stop_token stop) { errands_.run(stop); });
  supervisor_.spawn("changes", [this](std::stop_token stop) { jobs_.run(stop); });
}

bool Driver::Impl::drain(Duration timeout) {
  parts_.health.failing("scheduler", "stopping: nothing new is claimed");
  draining_ = true;
  inbox_->post(core::DrainStarted{});
  leases_->drain();
  bool drained = false;
  {
    std::unique_lock lock(drained_mutex_);
    drained = drained_changed_.wait_for(lock, timeout, [this] { return drained_; });
  }
  if (!leases_->endless()) leases_->await_released(hand_over_max);
  return drained;
}

void Driver::Impl::stop() {
  parts_.database.spine().interrupt_waits();
  supervisor_.stop_and_join();
  std::unique_lock lock(commits_mutex_);
  commits_ended_.wait(lock, [this] { return commits_ == 0; });
}

// ---- machine ----------------------------------------------------------------------------------

// Until the wall clock has passed what a server before this one can have seen, what that one sent
// cannot be told from what is due now (DESIGN §3.7).
// False: the server stops before that.
bool Driver::Impl::await_clock(const std::stop_token& stop) {
  const Instant resume_at = jobs_.resume_at();
  while (parts_.clock.wall() <= resume_at) {
    if (stop.stop_requested() || draining_) return false;
    parts_.health.failing(
        "clock", "the wall clock was set back: it is behind what was sent already", resume_at);
    const Duration left = parts_.clock.sleep_for(resume_at - parts_.clock.wall() + 1ms);
    runtime::wait_or_stop(stop, std::min<Duration>(left, look_at_clock_every));
  }
  parts_.health.ok("clock");
  return true;
}

void Driver::Impl::run_machine(const std::stop_token& stop) {
  if (!await_clock(stop)) return tell_drained();
  parts_.health.ok("scheduler");
  while (!stop.stop_requested()) {
    auto events = take_events(stop);
    for (auto& event : events) {
      // What ended attempts make room for is handed over together, but never waits for other work.
      if (!std::holds_alternative<core::AttemptEnded>(event)) hand_over();
      step(std::move(event));
    }
    // Set back, the clock does not reach the time to wake for long: the machine says what it holds.
    const Instant wall = leases_->now().wall;
    const bool set_back = wall < std::exchange(looked_at_, wall);
    if (wall >= wake_at_ || set_back) step(core::Woke{});
    shed();
    hand_over();
    auto stats = planner_.stats();
    watch_.gauges(stats);
    lease_watch_.look(*leases_, parts_.clock.steady());
  }
}

// Waits for events, until the machine wants to look at the clock, or until the leases end.
std::vector<core::Event> Driver::Impl::take_events(const std::stop_token& stop) {
  const Duration left = parts_.clock.sleep_for(wake_at_ - leases_->now().wall);
  const Duration trusted = std::max(leases_->trusted_for(), Duration::zero());
  return inbox_->take(stop, std::min<Duration>({left, trusted, look_at_clock_every}));
}

// What is not trusted any more goes before anything else is looked at, and when the trust ends: a
// successor comes two fifths of the time to live later, and nothing may reach a receiver behind it.
void Driver::Impl::shed() {
  if (const auto gone = leases_->expired(); gone.any()) perform_all(core::ShardsLost{gone});
}

void Driver::Impl::step(core::Event event) {
  shed();
  if (auto* granted = std::get_if<core::ShardsAcquired>(&event)) leases_->retain_held(*granted);
  perform_all(std::move(event));
}

void Driver::Impl::perform_all(core::Event event) {
  if (parts_.journal) notes_.learn(event);
  if (auto* ended = std::get_if<core::AttemptEnded>(&event)) note_ended(*ended);
  if (std::holds_alternative<core::Woke>(event)) wake_at_ = instant_max;
  auto actions = planner_.step(leases_->now(), std::move(event));
  for (auto& action : actions) {
    std::visit(Match{
                   [this](core::Commit& commit) { perform(std::move(commit)); },
                   [this](core::ReadOpenRuns& read) { errands_.read(read); },
                   [this](core::Prepare& hint) { errands_.prepare(hint); },
                   [this](core::Send& send) { perform(std::move(send)); },
                   [this](core::Withdraw& withdraw) { perform(withdraw); },
                   [this](core::WakeAt& wake) { wake_at_ = wake.at; },
                   [this](core::ClockHeld& held) { perform(held); },
                   [this](core::Drained&) { tell_drained(); },
                   [this](core::Release& release) { errands_.release(std::move(release)); },
               },
               action);
  }
}

void Driver::Impl::hand_over() {
  errands_.hand_over();
  if (std::exchange(withdrew_, false)) parts_.deliverer.end_withdrawn();
}

void Driver::Impl::note_ended(const core::AttemptEnded& ended) {
  auto found = in_flight_.find(ended.run);
  if (found == in_flight_.end()) return;
  const auto& sent = found->second;
  const auto& result = ended.result;
  watch_.attempt_ended(result,
                       sent.counts_as_lateness ? std::optional(sent.send_at) : std::nullopt);
  bool good = result.fate == core::Fate::answered && result.status / 100 == 2;
  auto line = good ? log::debug : log::info;
  if (!good || log::enabled(log::Level::debug)) {
    line("scheduler", "attempt ended",
         {{"run", sent.run},
          {"job_no", sent.job},
          {"attempt", ended.attempt},
          {"fence", sent.fence},
          {"node", options_.node},
          {"status", result.status},
          {"error", result.error}});
  }
  in_flight_.erase(found);
}

void Driver::Impl::perform(core::Commit&& action) {
  auto tally = std::make_shared<CommitTally>(watch_.tally(action.content));
  auto started = parts_.clock.steady();
  {
    std::lock_guard lock(commits_mutex_);
    ++commits_;
  }
  const bool plans = action.content.plans();
  const auto done = [this, batch = action.batch, plans, tally, started](core::BatchFate fate) {
    auto took = parts_.clock.steady() - started;
    watch_.committed(*tally, fate, took);
    refusals_.note(plans, fate);
    if (const auto* refused = std::get_if<core::BatchRefused>(&fate)) {
      if (refused->error.code == "database_error") {  // what befalls its files, the store posts
        parts_.health.failing("store", refused->error.message);
      }
    } else if (std::holds_alternative<core::BatchCommitted>(fate)) {
      parts_.health.ok("store");
    }
    inbox_->post(core::BatchDone{.batch = batch, .fate = std::move(fate), .took = took});
    std::lock_guard lock(commits_mutex_);
    if (--commits_ == 0) commits_ended_.notify_all();
  };
  if (!parts_.journal) {
    parts_.database.spine().submit(std::move(action.content), done);
    return;
  }
  auto notes = notes_.of(planner_, action.content);
  auto both = std::make_shared<JournaledCommit>(*parts_.journal, std::move(notes), done);
  both->begin();
  parts_.database.spine().submit(std::move(action.content), [both](core::BatchFate fate) {
    both->committed(std::move(fate));
  });
}

void Driver::Impl::perform(core::Send&& action) {
  auto gate = std::make_shared<delivery::SendGate>();
  const auto& run = action.run;
  in_flight_[run.no] = {
      .run = run.id,
      .job = run.job,
      .fence = run.fence,
      .send_at = run.send_at,
      .counts_as_lateness = run.kind == core::RunKind::scheduled && run.attempt == 1,
      .gate = gate};
  errands_.send(std::move(action), std::move(gate));
}

void Driver::Impl::perform(const core::Withdraw& action) {
  auto found = in_flight_.find(action.run);
  if (found == in_flight_.end()) return;
  delivery::SendGate& gate = *found->second.gate;
  if (action.lost) gate.cut_off();
  withdrew_ |= action.lost || gate.withdraw();
}

void Driver::Impl::perform(const core::ClockHeld& action) {
  if (action.until) {
    parts_.health.failing("clock",
                          "the wall clock is behind what is planned already; nothing is claimed "
                          "until it has caught up",
                          action.until);
  } else {
    parts_.health.ok("clock");
  }
}

void Driver::Impl::tell_drained() {
  {
    std::lock_guard lock(drained_mutex_);
    drained_ = true;
  }
  drained_changed_.notify_all();
}

// ---- Driver -----------------------------------------------------------------------------------

Driver::Driver(const DriverOptions& options, const DriverParts& parts)
    : impl_(std::make_unique<Impl>(options, parts)) {}
Driver::~Driver() = default;
void Driver::start() { impl_->start(); }
bool Driver::leads() const { return impl_->leads(); }
void Driver::look_again() { impl_->look_again(); }
bool Driver::drain(Duration timeout) { return impl_->drain(timeout); }
void Driver::stop() { impl_->stop(); }

}  // namespace cronally::scheduler
