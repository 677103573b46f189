#include "scheduler/driver.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "runtime/log.h"
#include "runtime/random.h"
#include "runtime/supervise.h"
#include "scheduler/delivery_cache.h"
#include "scheduler/inbox.h"
#include "scheduler/journaled_commit.h"
#include "scheduler/lease_holder.h"
#include "scheduler/lease_watch.h"
#include "scheduler/ledger_watch.h"

namespace cronally::scheduler {

namespace log = runtime::log;
using namespace std::chrono_literals;

namespace {

// The machine's thread looks at the clock at least this often, so that a wall clock stepped
// forward is noticed without a timer of its own.
constexpr Duration look_at_clock_every = 500ms;
// How long one wait for changes lasts; only bounds how late a stop is seen.
constexpr Duration changes_wait = 10s;
// How often tzdata is looked at; new rules hold from then on.
constexpr Duration look_at_zones_every = 10s;
// What is to hand over takes a heartbeat and a batch; without the database it is not waited for.
constexpr Duration hand_over_max = 1s;
// Deliverables are read in portions, so that a send that waits for one is not behind a herd.
constexpr std::size_t deliverables_per_read = 1'000;

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

// A send whose definition has to be read first.
struct AwaitedSend {
  core::Send send;
  std::shared_ptr<delivery::SendGate> gate;
};

}  // namespace

class Driver::Impl {
 public:
  Impl(const DriverOptions& options, const DriverParts& parts)
      : options_(options),
        parts_(parts),
        planner_(options.planner),
        cache_(parts.database, parts.vault, parts.clock),
        watch_(parts.metrics),
        lease_watch_(options.node, parts.metrics, parts.health),
        leases_(std::make_shared<LeaseHolder>(options.node, options.lease_ttl,
                                              parts.database.spine(), parts.clock, *inbox_,
                                              parts.journal)),
        sink_(std::make_shared<delivery::DeliverySink>(
            [inbox = inbox_](std::vector<core::AttemptEnded>&& ended) {
              inbox->post(std::move(ended));
            })),
        supervisor_(parts.health, &parts.metrics, options.restart) {}

  ~Impl() { stop(); }

  void start();
  bool drain(Duration timeout);
  void stop();
  bool leads() const { return leases_->leads(); }

 private:
  // machine thread
  bool await_clock(const std::stop_token& stop);
  void tell_drained();
  void run_machine(const std::stop_token& stop);
  std::vector<core::Event> take_events(const std::stop_token& stop);
  void step(core::Event event);
  void perform_all(core::Event event);
  void hand_over();
  void note_ended(const core::AttemptEnded& ended);
  void perform(core::Commit&& action);
  void perform(core::Send&& action);
  void perform(const core::Withdraw& action);
  void perform(const core::ClockHeld& action);
  void flush_reads();

  // reader thread
  void run_reader(const std::stop_token& stop);
  void take_work(const std::stop_token& stop);
  void serve_sends(std::vector<AwaitedSend>& waiting);
  void deliver(std::vector<delivery::Delivery> batch);
  delivery::Delivery delivery_of(const core::Send& send, const DeliveryCache::Found& found,
                                 std::shared_ptr<delivery::SendGate> gate) const;
  std::function<bool()> last_look(const core::OpenRun& run) const;

  // changes thread, and start()
  void run_changes(const std::stop_token& stop);
  void own_granted();
  void own(const LeaseHolder::Granted& granted);
  void look_at_zones();
  std::size_t recompile(ShardNo shard);
  void post_zones();

  const DriverOptions options_;
  const DriverParts parts_;

  // Only the machine's thread touches these.
  core::Planner planner_;
  core::JournalNotes notes_;
  std::unordered_map<RunNo, InFlight> in_flight_;
  Instant wake_at_{};
  Instant looked_at_ = instant_min;        // the wall clock, when the loop last read it
  std::vector<delivery::Delivery> ready_;  // sends that are not handed over yet
  std::vector<DeliveryCache::Key> prepares_;
  std::vector<core::ReadOpenRuns> reads_;
  std::vector<core::Release> releases_;
  std::vector<AwaitedSend> awaited_;

  DeliveryCache cache_;
  LedgerWatch watch_;
  LeaseWatch lease_watch_;  // the machine's thread
  // A request may end when the driver has gone; a commit is waited for.
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  const std::shared_ptr<LeaseHolder> leases_;
  const std::shared_ptr<const delivery::DeliverySink> sink_;
  std::mutex commits_mutex_;
  std::condition_variable commits_ended_;
  int commits_ = 0;  // under way

  struct ReaderWork {
    std::vector<core::Release> releases;
    std::vector<core::ReadOpenRuns> reads;
    std::vector<AwaitedSend> sends;
    std::vector<DeliveryCache::Key> prepares;
    bool empty() const {
      return releases.empty() && reads.empty() && sends.empty() && prepares.empty();
    }
  };
  std::mutex reader_mutex_;
  std::condition_variable_any reader_filled_;
  ReaderWork reader_work_;
  ReaderWork reading_;  // the reader's: what an outage interrupts is done when it is over

  std::mutex drained_mutex_;
  std::condition_variable drained_changed_;
  bool drained_ = false;
  std::atomic<bool> draining_ = false;

  Instant resume_at_{};                                 // set by start()
  std::vector<std::pair<ShardNo, std::int64_t>> seen_;  // changes thread, after start()
  std::vector<LeaseHolder::Granted> unread_;            // as `seen_`
  std::uint64_t zones_replaced_ = 0;                    // as `seen_`, and so are the next two
  std::size_t zones_unreadable_ = 0;
  SteadyInstant zones_looked_at_{};
  runtime::Supervisor supervisor_;
};

// ---- life -------------------------------------------------------------------------------------

void Driver::Impl::start() {
  parts_.health.expect("scheduler");
  zones_replaced_ = parts_.compiler.zones_replaced();
  zones_looked_at_ = parts_.clock.steady();
  if (parts_.journal) {
    supervisor_.spawn("journal", [this](std::stop_token stop) { parts_.journal->run_log(stop); });
    supervisor_.spawn("memory", [this](std::stop_token stop) { parts_.journal->run_memory(stop); });
  }
  leases_->beat();
  if (!leases_->endless()) {
    supervisor_.spawn("leases", [this](std::stop_token stop) { leases_->run(stop); });
  }
  own_granted();
  post_zones();
  supervisor_.spawn("machine", [this](std::stop_token stop) { run_machine(stop); });
  supervisor_.spawn("reader", [this](std::stop_token stop) { run_reader(stop); });
  supervisor_.spawn("changes", [this](std::stop_token stop) { run_changes(stop); });
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
  while (parts_.clock.wall() <= resume_at_) {
    if (stop.stop_requested() || draining_) return false;
    parts_.health.failing(
        "clock", "the wall clock was set back: it is behind what was sent already", resume_at_);
    const Duration left = parts_.clock.sleep_for(resume_at_ - parts_.clock.wall() + 1ms);
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
    hand_over();
    auto stats = planner_.stats();
    watch_.gauges(stats);
    lease_watch_.look(*leases_, parts_.clock.steady());
  }
}

// Waits for events, or until the machine wants to look at the clock.
std::vector<core::Event> Driver::Impl::take_events(const std::stop_token& stop) {
  const Duration left = parts_.clock.sleep_for(wake_at_ - leases_->now().wall);
  return inbox_->take(stop, std::min<Duration>(left, look_at_clock_every));
}

// What is not trusted any more goes before anything else is looked at.
void Driver::Impl::step(core::Event event) {
  if (const auto gone = leases_->expired(); gone.any()) perform_all(core::ShardsLost{gone});
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
                   [this](core::ReadOpenRuns& read) { reads_.push_back(read); },
                   [this](core::Prepare& hint) { prepares_.emplace_back(hint.job, hint.revision); },
                   [this](core::Send& send) { perform(std::move(send)); },
                   [this](core::Withdraw& withdraw) { perform(withdraw); },
                   [this](core::WakeAt& wake) { wake_at_ = wake.at; },
                   [this](core::ClockHeld& held) { perform(held); },
                   [this](core::Drained&) { tell_drained(); },
                   [this](core::Release& release) { releases_.push_back(std::move(release)); },
               },
               action);
  }
}

void Driver::Impl::hand_over() {
  if (!ready_.empty()) deliver(std::exchange(ready_, {}));
  flush_reads();
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
  const auto done = [this, batch = action.batch, tally, started](core::BatchFate fate) {
    auto took = parts_.clock.steady() - started;
    watch_.committed(*tally, fate, took);
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
  if (const auto found = cache_.find({run.job, action.revision})) {
    ready_.push_back(delivery_of(action, *found, std::move(gate)));
  } else {
    awaited_.push_back({std::move(action), std::move(gate)});
  }
}

void Driver::Impl::perform(const core::Withdraw& action) {
  auto found = in_flight_.find(action.run);
  if (found != in_flight_.end()) found->second.gate->withdraw();
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

void Driver::Impl::flush_reads() {
  if (reads_.empty() && awaited_.empty() && prepares_.empty() && releases_.empty()) return;
  {
    std::lock_guard lock(reader_mutex_);
    auto move_into = [](auto& to, auto& from) {
      to.insert(to.end(), std::make_move_iterator(from.begin()),
                std::make_move_iterator(from.end()));
      from.clear();
    };
    move_into(reader_work_.releases, releases_);
    move_into(reader_work_.reads, reads_);
    move_into(reader_work_.sends, awaited_);
    move_into(reader_work_.prepares, prepares_);
    // Rows of neighbours share pages.
    std::ranges::sort(reader_work_.prepares);
  }
  reader_filled_.notify_one();
}

// ---- reader -----------------------------------------------------------------------------------

void Driver::Impl::run_reader(const std::stop_token& stop) {
  auto& spine = parts_.database.spine();
  while (!stop.stop_requested()) {
    if (reading_.empty()) take_work(stop);
    for (; !reading_.releases.empty(); reading_.releases.erase(reading_.releases.begin())) {
      spine.release(options_.node, reading_.releases.front());
      leases_->released(reading_.releases.front());
    }
    if (!reading_.sends.empty()) serve_sends(reading_.sends);
    for (; !reading_.reads.empty(); reading_.reads.erase(reading_.reads.begin())) {
      const auto& read = reading_.reads.front();
      auto runs = spine.read_open_runs(read.shards, read.until, read.limit);
      bool complete = runs.size() < read.limit;
      inbox_->post(
          core::RunsRead{.read = read.read, .runs = std::move(runs), .complete = complete});
    }
    cache_.prepare(std::exchange(reading_.prepares, {}));
  }
}

void Driver::Impl::take_work(const std::stop_token& stop) {
  std::unique_lock lock(reader_mutex_);
  reader_filled_.wait(lock, stop, [this] { return !reader_work_.empty(); });
  reading_.releases.swap(reader_work_.releases);
  reading_.reads.swap(reader_work_.reads);
  reading_.sends.swap(reader_work_.sends);
  auto& waiting = reader_work_.prepares;
  auto portion = std::min(waiting.size(), deliverables_per_read);
  reading_.prepares.assign(waiting.begin(), waiting.begin() + static_cast<long>(portion));
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<long>(portion));
}

// Takes them when their definitions are at hand: during an outage they wait.
void Driver::Impl::serve_sends(std::vector<AwaitedSend>& waiting) {
  std::vector<DeliveryCache::Key> keys;
  keys.reserve(waiting.size());
  for (const auto& one : waiting) keys.emplace_back(one.send.run.job, one.send.revision);
  const auto found = cache_.load(keys);
  auto sends = std::exchange(waiting, {});
  std::vector<delivery::Delivery> batch;
  std::vector<core::AttemptEnded> failed;
  for (std::size_t i = 0; i < sends.size(); ++i) {
    auto& one = sends[i];
    if (found[i]) {
      batch.push_back(delivery_of(one.send, *found[i], std::move(one.gate)));
      continue;
    }
    bool withdrawn =
        one.gate->withdraw() && one.gate->state() == delivery::SendGate::State::withdrawn;
    CHECK(withdrawn, "an attempt that was never handed over has not started");
    failed.push_back({.run = one.send.run.no,
                      .attempt = one.send.run.attempt,
                      .result = {.fate = core::Fate::not_sent,
                                 .error = "the job's definition or its secrets cannot be read",
                                 .ended_at = parts_.clock.wall()}});
  }
  if (!batch.empty()) deliver(std::move(batch));
  if (!failed.empty()) inbox_->post(std::move(failed));
}

void Driver::Impl::deliver(std::vector<delivery::Delivery> batch) {
  parts_.deliverer.deliver(std::move(batch), sink_);
}

delivery::Delivery Driver::Impl::delivery_of(const core::Send& send,
                                             const DeliveryCache::Found& found,
                                             std::shared_ptr<delivery::SendGate> gate) const {
  return {.run_no = send.run.no,
          .run = send.run.id,
          .job = found.job->job,
          .attempt = send.run.attempt,
          .fence = send.run.fence,
          .scheduled_at = send.run.scheduled_at,
          .definition = found.job->definition,
          .secret_headers = found.job->secret_headers,
          .signing_key = found.signing_key,
          .gate = std::move(gate),
          .may_send = last_look(send.run)};
}

// Empty where the lease ends with the process.
std::function<bool()> Driver::Impl::last_look(const core::OpenRun& run) const {
  if (leases_->endless()) return {};
  return [leases = leases_, lease = core::Lease{run.shard, run.fence}] {
    return leases->may_send(lease);
  };
}

// ---- changes ----------------------------------------------------------------------------------

void Driver::Impl::run_changes(const std::stop_token& stop) {
  // After the request, so that the wait which this ends is the last one.
  const std::stop_callback wake(stop, [this] { parts_.database.spine().interrupt_waits(); });
  while (!stop.stop_requested()) {
    look_at_zones();
    own_granted();
    auto changes = parts_.database.spine().wait_for_changes(seen_, changes_wait);
    if (changes.jobs.empty() && changes.requested.empty() && changes.seen.empty()) continue;
    core::ChangesRead event{.requested = std::move(changes.requested), .seen = changes.seen};
    event.jobs.reserve(changes.jobs.size());
    for (const auto& plan : changes.jobs) event.jobs.push_back(parts_.compiler.compile(plan));
    for (const auto& [shard, change] : changes.seen) {
      for (auto& [known, at] : seen_) {
        if (known == shard) at = change;
      }
    }
    inbox_->post(std::move(event));
  }
}

// During an outage they wait; what was lost by then is not handed over.
void Driver::Impl::own_granted() {
  for (auto& granted : leases_->take_granted()) unread_.push_back(granted);
  for (; !unread_.empty(); unread_.erase(unread_.begin())) own(unread_.front());
}

// Reads what the machine starts these shards from, and hands it over if they are still held.
void Driver::Impl::own(const LeaseHolder::Granted& granted) {
  core::ShardsAcquired event{.fence = granted.fence,
                             .random_seed = runtime::random_u64(),
                             .sent_until = leases_->sent_until(granted)};
  std::mutex mutex;
  const auto read =
      parts_.database.spine().read_shards(granted.shards, [&](std::vector<store::JobPlan>&& plans) {
        std::size_t unreadable = 0;
        std::vector<core::PlannedJob> jobs;
        jobs.reserve(plans.size());
        for (const auto& plan : plans) {
          jobs.push_back(parts_.compiler.compile(plan));
          unreadable += JobCompiler::unreadable(plan, jobs.back()) ? 1 : 0;
        }
        std::lock_guard lock(mutex);
        std::ranges::move(jobs, std::back_inserter(event.jobs));
        zones_unreadable_ += unreadable;
      });
  // Endless: all are read before the threads start.
  if (leases_->endless()) resume_at_ = read.resume_at;
  event.shards.reserve(read.shards.size());
  for (const auto& shard : read.shards) {
    event.shards.push_back({shard.no, shard.cursor, shard.change});
    std::erase_if(seen_, [&](const auto& known) { return known.first == shard.no; });
    seen_.emplace_back(shard.no, shard.change);
  }
  log::info("scheduler", "shards acquired",
            {{"node", options_.node},
             {"fence", granted.fence},
             {"shards", read.shards.size()},
             {"jobs", event.jobs.size()}});
  leases_->post_acquired(std::move(event));
}

// Compiles the jobs anew when tzdata was replaced under the running server. A job whose schedule
// cannot be read then keeps the rules it has, and is tried again at the next look.
void Driver::Impl::look_at_zones() {
  const auto now = parts_.clock.steady();
  if (now - zones_looked_at_ < look_at_zones_every) return;
  zones_looked_at_ = now;
  const std::uint64_t replaced = parts_.compiler.zones_replaced();
  if (replaced == zones_replaced_ && zones_unreadable_ == 0) return;
  if (replaced != zones_replaced_) {
    log::info("scheduler", "the rules of time zones were replaced; jobs are planned anew");
  }
  zones_replaced_ = replaced;
  zones_unreadable_ = 0;
  for (const auto& [shard, change] : seen_) zones_unreadable_ += recompile(shard);
  post_zones();
}

// The number of jobs whose schedules cannot be read.
std::size_t Driver::Impl::recompile(ShardNo shard) {
  std::size_t unreadable = 0;
  auto changes = parts_.database.spine().wait_for_changes({{shard, 0}}, Duration::zero());
  core::SchedulesChanged event;
  for (const auto& plan : changes.jobs) {
    if (plan.deleted || plan.zone == "UTC") continue;
    if (parts_.compiler.schedule(plan)) {
      event.jobs.push_back(parts_.compiler.compile(plan));
    } else {
      ++unreadable;
    }
  }
  if (!event.jobs.empty()) inbox_->post(std::move(event));
  if (!changes.requested.empty()) {
    inbox_->post(core::ChangesRead{.requested = std::move(changes.requested)});
  }
  return unreadable;
}

void Driver::Impl::post_zones() {
  if (zones_unreadable_ == 0) {
    parts_.health.ok("zones");
    return;
  }
  parts_.health.failing(
      "zones", std::to_string(zones_unreadable_) +
                   " jobs have schedules that cannot be read on this host; install tzdata, or "
                   "change their zones");
}

// ---- Driver -----------------------------------------------------------------------------------

Driver::Driver(const DriverOptions& options, const DriverParts& parts)
    : impl_(std::make_unique<Impl>(options, parts)) {}
Driver::~Driver() = default;
void Driver::start() { impl_->start(); }
bool Driver::leads() const { return impl_->leads(); }
bool Driver::drain(Duration timeout) { return impl_->drain(timeout); }
void Driver::stop() { impl_->stop(); }

}  // namespace cronally::scheduler
