#include "tests/sim/scenario.h"

namespace cronally::sim {
namespace {

// So small that every bound is met.
core::PlannerOptions small_options(Dice& dice) {
  core::PlannerOptions options;
  options.armed_max = static_cast<std::size_t>(dice.between(5, 30));
  options.armed_per_destination_max = static_cast<std::size_t>(dice.between(3, 10));
  options.destination_concurrency = static_cast<std::int32_t>(dice.between(1, 4));
  options.claims_per_batch = static_cast<std::size_t>(dice.between(1, 8));
  options.runs_per_read = static_cast<std::size_t>(dice.between(2, 10));
  return options;
}

}  // namespace

Scenario draw_scenario(Dice& dice) {
  Scenario drawn;
  const auto die = dice.between(0, 99);
  drawn.kind = die < 30 ? Kind::lone : die < 75 ? Kind::cluster : Kind::deaths;
  if (drawn.kind == Kind::cluster) drawn.nodes = static_cast<int>(dice.between(1, 3));
  if (drawn.kind == Kind::deaths) drawn.nodes = static_cast<int>(dice.between(2, 3));
  drawn.steps_clock = drawn.kind == Kind::lone && dice.chance(0.4);
  if (dice.chance(0.5)) drawn.ttl = core::lease_ttl_min;
  if (drawn.kind != Kind::deaths && dice.chance(0.5)) drawn.planner = small_options(dice);
  return drawn;
}

Scenario draw_forgetful(Dice& dice) {
  Scenario drawn{.kind = Kind::forgetful, .nodes = static_cast<int>(dice.between(2, 3))};
  if (dice.chance(0.5)) drawn.ttl = core::lease_ttl_min;
  if (dice.chance(0.5)) drawn.planner = small_options(dice);
  return drawn;
}

}  // namespace cronally::sim
