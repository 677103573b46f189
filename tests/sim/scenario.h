// What a world is like: how many nodes, over what kind of store, and what befalls them. Drawn by
// the seed.
#pragma once

#include "core/planner.h"
#include "tests/sim/dice.h"
#include "tests/sim/model_store.h"

namespace cronally::sim {

enum class Kind : std::uint8_t {
  lone,       // one node whose lease is a lock, as on SQLite; its clock is the store's, and steps
  cluster,    // one to three nodes with leases; everything fails
  deaths,     // two or three nodes; store and receiver are well, and all nodes but the first die,
              // freeze and drain, one at a time: lateness has a bound (P7)
  forgetful,  // two or three nodes; now and then the store forgets what was committed last, and is
              // told by the nodes' journals. What keeps a node from the store for seconds has no
              // place here, and nothing is edited that will be forgotten: neither is covered
};

struct Scenario {
  Kind kind = Kind::lone;
  int nodes = 1;
  bool steps_clock = false;
  Duration ttl = core::lease_ttl_default;
  core::PlannerOptions planner;

  bool forgets() const { return kind == Kind::forgetful; }
  // Nodes may be away for long, each by itself.
  bool isolates() const { return kind == Kind::lone || kind == Kind::cluster; }
  Holders holders() const { return kind == Kind::lone ? Holders::one : Holders::several; }
  // With faults, and after that without: what is open must come to its end.
  static constexpr Duration busy_time = std::chrono::seconds{510};
  static constexpr Duration calm_time = std::chrono::seconds{90};
};

// Of the first three kinds one, by chance.
Scenario draw_scenario(Dice& dice);
Scenario draw_forgetful(Dice& dice);

// Every fifth world's store forgets.
inline bool forgets(std::uint64_t seed) { return seed % 5 == 0; }

}  // namespace cronally::sim
