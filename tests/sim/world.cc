#include "tests/sim/world.h"

#include <cstdio>

namespace cronally::sim {

using namespace std::chrono_literals;

World::World(std::uint64_t seed, Canary* with_canary, bool forgetful)
    : seed_(seed),
      dice(seed * 2 + 1),
      scenario(forgetful || forgets(seed) ? draw_forgetful(dice) : draw_scenario(dice)),
      canary(with_canary),
      store([this] { return Now{wall(), SteadyInstant{time_}}; }, scenario.holders()),
      checks(*this),
      people(*this),
      troubles_(*this) {
  for (int i = 0; i < scenario.nodes; ++i) nodes.push_back(std::make_unique<Node>(*this, i));
  if (canary) canary->prepare(store);
}

std::vector<std::string> World::live() {
  people.begin();
  for (auto& node : nodes) node->start();
  troubles_.begin();
  run_until(Scenario::busy_time);
  run_until(Scenario::busy_time + Scenario::calm_time);
  if (checks.objections().empty()) checks.finally();
  std::vector<std::string> objections;
  for (const auto& what : checks.objections()) {
    objections.push_back("seed " + std::to_string(seed_) + ", " + what);
  }
  return objections;
}

void World::after(Duration delay, std::function<void()> act) {
  later_.push({time_ + std::max(delay, Duration{0}), ++order_, std::move(act)});
}

void World::run_until(Duration end) {
  constexpr std::size_t objections_max = 3;
  while (!later_.empty() && later_.top().at <= end && checks.objections().size() < objections_max) {
    const Later next = later_.top();
    later_.pop();
    time_ = next.at;
    next.act();
  }
  time_ = end;
}

void World::step_clock(Duration by) {
  clock_offset_ += by;
  if (by < Duration{0}) unsettled_until_ = time_ - by + 5s;
  if (traced_) say("clock stepped");
  for (auto& node : nodes) node->clock_stepped();
}

void World::say(const std::string& line) const {
  std::printf("%10lld %10lld  %s\n", static_cast<long long>(time_.count()),
              static_cast<long long>((wall() - base_).count()), line.c_str());
}

Counts World::counts() const {
  Counts all = counted;
  all.runs = static_cast<int>(store.run_records().size());
  all.skips = static_cast<int>(store.skip_records().size());
  all.edits = people.edits_made();
  return all;
}

}  // namespace cronally::sim
