#include "tests/sim/node.h"

#include "base/check.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

Node::Node(World& world, int index)
    : world_(world),
      index_(index),
      steady_offset_(world.dice.between(Duration{1s}, Duration{24h})),
      steady_ppm_(world.dice.between(-90, 90)) {}

bool Node::frozen() const { return world_.time() < frozen_until_; }

// A lone node's clocks are the store's, for they are on one host. In a cluster the steady clock
// began at some time and drifts, and the wall clock is an idea of the store's.
SteadyInstant Node::steady() const {
  if (!leased()) return SteadyInstant{world_.time()};
  return SteadyInstant{steady_offset_ + world_.time() + world_.time() * steady_ppm_ / 1'000'000};
}

Now Node::now() const {
  const Duration error = world_.canary ? world_.canary->clock_error() : Duration{};
  if (!leased()) return {world_.wall() + error, steady()};
  return {process_->time.at(steady()).value_or(world_.base()) + error, steady()};
}

void Node::start() {
  if (!leased()) {
    // As the driver does: nothing is sent before the clock passes all that may have been sent.
    if (resume_at_ == Instant::min()) resume_at_ = world_.store.resume_at();
    if (world_.wall() <= resume_at_) {
      world_.after(resume_at_ - world_.wall() + 1us, [this] { start(); });
      return;
    }
    resume_at_ = Instant::min();
  }
  begin();
}

void Node::begin() {
  ++number_;
  const NodeId id{uuid_v4(world_.dice.next(), world_.dice.next())};
  process_ = std::make_unique<Process>(id, world_.scenario.ttl, world_.scenario.planner);
  open_journal();
  if (leased()) {
    beat();
  } else {
    take_lock();
  }
  if (process_) poll_every_second();
}

void Node::crash() {
  ++world_.counted.crashes;
  if (world_.traced()) say("crash");
  end_process();
}

void Node::end_process() {
  process_.reset();
  auto& dice = world_.dice;
  const bool long_down = world_.scenario.isolates() && dice.chance(0.3);
  const Duration down = long_down ? dice.between(Duration{5s}, Duration{40s})
                                  : dice.between(Duration{20ms}, Duration{2s});
  frozen_until_ = {};
  world_.after(down, [this] { start(); });
}

void Node::freeze(Duration length) {
  ++world_.counted.freezes;
  if (world_.traced()) say("frozen for " + std::to_string(length.count()));
  frozen_until_ = world_.time() + length;
}

void Node::cut(Duration slow, Duration length) {
  ++world_.counted.cuts;
  if (world_.traced()) say("cut for " + std::to_string(length.count()));
  cut_from_ = world_.time() + slow;
  cut_until_ = cut_from_ + length;
}

void Node::later(Duration delay, Act act) {
  world_.after(delay, [this, process = number_, act = std::move(act)] { run(process, act); });
}

void Node::run(std::uint64_t process, const Act& act) {
  if (process != number_ || !process_) return;
  if (frozen()) {
    const Duration thaw = frozen_until_ - world_.time();
    world_.after(thaw + world_.dice.between(Duration{0}, Duration{300us}),
                 [this, process, act] { run(process, act); });
    return;
  }
  act();
}

// What is not trusted any more goes before anything else is looked at.
void Node::step(core::Event event) {
  shed();
  if (process_) step_machine(std::move(event));
}

void Node::step_machine(core::Event event) {
  if (world_.traced()) {
    if (const auto text = describe(event, world_.base()); !text.empty()) say(text);
  }
  const Now at = now();
  if (world_.canary) world_.canary->on_event(event, at);
  if (world_.scenario.forgets()) process_->notes.learn(event);
  auto actions = process_->planner.step(at, std::move(event));
  auto& dice = world_.dice;
  const bool dies = world_.isolating() && world_.clock_settled() && dice.chance(0.0025);
  const auto last = dies ? dice.between(0, std::ssize(actions)) : std::ssize(actions);
  const std::uint64_t process = number_;
  for (std::int64_t i = 0; i < last && process_ && process == number_; ++i) {
    std::visit([this](auto& action) { perform(action); }, actions[static_cast<std::size_t>(i)]);
  }
  if (dies && process_ && process == number_) crash();
}

void Node::clock_stepped() {
  if (process_) set_wake();
}

void Node::perform(core::WakeAt& action) {
  process_->wake_at = action.at;
  set_wake();
}

void Node::set_wake() {
  const std::uint64_t wake = ++process_->wakes;
  if (!process_->wake_at) return;
  const bool busy = world_.faulty();
  const Duration jitter = busy && world_.dice.chance(0.01)
                              ? world_.dice.between(Duration{1ms}, Duration{300ms})
                              : Duration{50us};
  const Duration wait = std::max(Duration{0}, *process_->wake_at - now().wall) + jitter;
  later(wait, [this, wake] {
    if (wake == process_->wakes) step(core::Woke{});
  });
}

core::PlannedJob Node::compile(const store::JobPlan& plan) const {
  const auto schedule_of = [](const auto& text) {
    auto schedule = cron::parse_schedule(
        text.schedule,
        {.zone = cctz::utc_time_zone(), .dst = text.dst, .name = text.name, .anchor = text.anchor});
    CHECK(schedule.has_value(), "the simulation writes schedules that parse");
    return std::move(*schedule);
  };
  std::vector<core::OwedBefore> before;
  for (const auto& owed : plan.owed_before) {
    before.push_back({owed.revision, schedule_of(owed), owed.from, owed.until, owed.withdrawn});
  }
  return {.no = plan.no,
          .shard = plan.shard,
          .revision = plan.revision,
          .schedule = schedule_of(plan),
          .changed_at = plan.changed_at,
          .change = plan.change,
          .planned = plan.planned,
          .paused = plan.paused,
          .deleted = plan.deleted,
          .last_change = plan.last_change,
          .delivery = plan.delivery,
          .retry = plan.retry,
          .catch_up = plan.catch_up,
          .destination = plan.destination == "https://a.example:443" ? 0 : 1,
          .id = plan.id,
          .owed_before = std::move(before)};
}

void Node::say(const std::string& line) const {
  world_.say("node " + std::to_string(index_) + "  " + line);
}

}  // namespace cronally::sim
