#include "tests/sim/world.h"

#include <cstdio>

#include "base/check.h"
#include "tests/sim/trace.h"

namespace cronally::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration busy_time = 240s;  // with faults
constexpr Duration calm_time = 90s;   // without: what is open must come to its end

}  // namespace

// SplitMix64, written out so that a seed means the same everywhere.
std::uint64_t Dice::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::int64_t Dice::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
}

bool Dice::chance(double probability) {
  return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
}

World::World(std::uint64_t seed, Canary* canary)
    : seed_(seed),
      dice_(seed * 2 + 1),
      canary_(canary),
      base_(instant_from_us(1'780'000'000'000'000)),
      store_([this] { return Now{wall(), SteadyInstant{time_}}; }) {
  options_ = draw_options();
  steps_clock_ = dice_.chance(0.4);
  if (canary_) canary_->prepare(store_);
}

// Half of the worlds are so small that every bound is met.
core::PlannerOptions World::draw_options() {
  core::PlannerOptions options;
  if (dice_.chance(0.5)) return options;
  options.armed_max = static_cast<std::size_t>(dice_.between(5, 30));
  options.armed_per_destination_max = static_cast<std::size_t>(dice_.between(3, 10));
  options.destination_concurrency = static_cast<std::int32_t>(dice_.between(1, 4));
  options.claims_per_batch = static_cast<std::size_t>(dice_.between(1, 8));
  options.runs_per_read = static_cast<std::size_t>(dice_.between(2, 10));
  return options;
}

std::vector<std::string> World::live() {
  for (int i = 0; i < 8; ++i) create_job();
  start_process();
  schedule_edit();
  schedule_drains();
  if (steps_clock_) schedule_clock_steps();
  run_until(busy_time);
  faults_ = false;
  run_until(busy_time + calm_time);
  if (objections_.empty()) check_finally();
  return objections_;
}

void World::after(Duration delay, std::function<void()> act) {
  later_.push({time_ + delay, ++order_, std::move(act)});
}

// The act dies with the process that waits for it.
void World::after_in_process(Duration delay, std::function<void()> act) {
  after(delay, [this, process = process_, act = std::move(act)] {
    if (process == process_ && planner_) act();
  });
}

void World::run_until(Duration end) {
  while (!later_.empty() && later_.top().at <= end && objections_.size() < 3) {
    const Later next = later_.top();
    later_.pop();
    time_ = next.at;
    next.act();
  }
  time_ = end;
}

// As the driver does: nothing is sent before the clock passes all that may have been sent before.
void World::start_process() {
  if (resume_at_ == Instant::min()) resume_at_ = store_.resume_at();
  if (wall() <= resume_at_) {
    after(resume_at_ - wall() + 1us, [this] { start_process(); });
    return;
  }
  resume_at_ = Instant::min();
  ++process_;
  planner_ = std::make_unique<core::Planner>(options_);
  wake_at_.reset();
  const store::Acquisition acquired = store_.acquire(NodeId{});
  core::ShardsAcquired event{acquired.fence, dice_.next(), {}, {}};
  since_.clear();
  for (const auto& shard : acquired.shards) {
    event.shards.push_back({shard.no, shard.cursor, shard.change});
    since_.emplace_back(shard.no, shard.change);
  }
  for (const auto& plan : acquired.jobs) event.jobs.push_back(compile(plan));
  step(std::move(event));
  after_in_process(1ms, [this] { poll_changes(); });
}

// kill -9: what is with the store may still be committed, what has not left never leaves.
void World::crash() {
  ++crashes_;
  if (traced_) say("crash");
  end_process();
}

void World::schedule_drains() {
  after(dice_.between(Duration{20s}, Duration{150s}), [this] {
    if (!faults_) return;
    if (planner_ && time_ >= steady_until_) drain();
    schedule_drains();
  });
}

// SIGTERM: the machine says when it is done; what takes longer than the time-out is cut off.
void World::drain() {
  ++drains_;
  if (traced_) say("drain");
  after_in_process(drain_timeout, [this] { end_process(); });
  step(core::DrainStarted{});
}

void World::perform(core::Drained&) {
  after_in_process(Duration{0}, [this] { end_process(); });
}

void World::end_process() {
  planner_.reset();
  requests_.clear();
  const Duration down = dice_.chance(0.3) ? dice_.between(Duration{5s}, Duration{40s})
                                          : dice_.between(Duration{20ms}, Duration{2s});
  after(down, [this] { start_process(); });
}

void World::schedule_clock_steps() {
  after(dice_.between(Duration{40s}, Duration{120s}), [this] {
    if (!faults_) return;
    step_clock();
    schedule_clock_steps();
  });
}

void World::step_clock() {
  if (dice_.chance(0.5)) {
    clock_offset_ += dice_.between(Duration{500ms}, Duration{100s});
  } else {
    const Duration back = dice_.between(Duration{500ms}, Duration{20s});
    clock_offset_ -= back;
    // Until the clock is where it was, wall time does not order events any more, and neither the
    // checkers nor a restart could say what came first.
    steady_until_ = time_ + back + 5s;
  }
  if (traced_) say("clock stepped");
  if (planner_) set_wake();
}

void World::set_wake() {
  const std::uint64_t wake = ++wakes_;
  if (!wake_at_) return;
  const Duration jitter =
      dice_.chance(0.01) ? dice_.between(Duration{1ms}, Duration{300ms}) : Duration{50us};
  const Duration wait = std::max(Duration{0}, *wake_at_ - wall()) + jitter;
  after_in_process(wait, [this, wake] {
    if (wake == wakes_) step(core::Woke{});
  });
}

core::PlannedJob World::compile(const store::JobPlan& plan) const {
  const auto schedule = cron::parse_schedule(
      plan.schedule,
      {.zone = cctz::utc_time_zone(), .dst = plan.dst, .name = plan.name, .anchor = plan.anchor});
  CHECK(schedule.has_value(), "the simulation writes schedules that parse");
  return {.no = plan.no,
          .shard = plan.shard,
          .revision = plan.revision,
          .schedule = *schedule,
          .changed_at = plan.changed_at,
          .change = plan.change,
          .planned = plan.planned,
          .paused = plan.paused,
          .deleted = plan.deleted,
          .last_change = plan.last_change,
          .delivery = plan.delivery,
          .retry = plan.retry,
          .catch_up = plan.catch_up,
          .destination = plan.destination == "https://a.example:443" ? 0 : 1};
}

void World::poll_changes() {
  store::Changes changes = store_.changes(since_);
  if (changes.jobs.empty() && changes.requested.empty() && changes.seen.empty()) return;
  for (const auto& [shard, seen] : changes.seen) {
    for (auto& known : since_) {
      if (known.first == shard) known.second = seen;
    }
  }
  core::ChangesRead event{{}, std::move(changes.requested), std::move(changes.seen)};
  for (const auto& plan : changes.jobs) event.jobs.push_back(compile(plan));
  told_until_ = std::max(told_until_ + 1us, time_ + dice_.between(Duration{10us}, Duration{1ms}));
  after_in_process(told_until_ - time_, [this, event] { step(event); });
}

void World::say(const std::string& line) const {
  std::printf("%10lld %10lld  %s\n", static_cast<long long>(time_.count()),
              static_cast<long long>((wall() - base_).count()), line.c_str());
}

void World::step(core::Event event) {
  if (traced_) {
    if (const std::string text = describe(event, base_); !text.empty()) say(text);
  }
  if (canary_) canary_->on_event(event);
  const Instant shown = wall() + (canary_ ? canary_->clock_error() : Duration{});
  std::vector<core::Action> actions =
      planner_->step({shown, SteadyInstant{time_}}, std::move(event));
  const bool dies = faults_ && time_ >= steady_until_ && dice_.chance(0.0015);
  const auto last = dies ? dice_.between(0, std::ssize(actions)) : std::ssize(actions);
  for (std::int64_t i = 0; i < last; ++i) {
    std::visit([this](auto& action) { perform(action); }, actions[static_cast<std::size_t>(i)]);
  }
  if (dies) crash();
}

void World::note_acks() {
  std::erase_if(unacked_, [this](std::size_t index) {
    Edit& edit = edits_[index];
    if (store_.shard(edit.shard).seen < edit.change) return false;
    edit.acked = time_;
    acked_[edit.job] = std::max(acked_[edit.job], edit.revision);
    return true;
  });
}

World::Counts World::counts() const {
  return {.occurrences = static_cast<int>(store_.run_records().size()),
          .first_bytes = static_cast<int>(bytes_.size()),
          .crashes = crashes_,
          .drains = drains_,
          .edits = static_cast<int>(edits_.size()),
          .doubts = doubts_,
          .skips = static_cast<int>(store_.skip_records().size())};
}

}  // namespace cronally::sim
