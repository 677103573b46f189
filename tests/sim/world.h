// A whole world by seed: time, a store, one to three nodes, people who edit jobs at bad moments,
// and troubles. The same seed always gives the same history.
//
//   scenario  what this world is like
//   node      a process over the step machine: its clocks, its leases, what it asks and sends
//   people    who create and change jobs
//   troubles  deaths, freezes, cuts from the store, drains, steps of the clock
//   checks    what the promises mean over what happened
//
// The machine under it is core::Planner, unchanged, and so are core::LeaseKeeper and
// core::ClusterTime. A Canary stands between them and the world and makes one known mistake.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "tests/sim/canary.h"
#include "tests/sim/checks.h"
#include "tests/sim/dice.h"
#include "tests/sim/history.h"
#include "tests/sim/model_store.h"
#include "tests/sim/node.h"
#include "tests/sim/people.h"
#include "tests/sim/scenario.h"
#include "tests/sim/troubles.h"

namespace cronally::sim {

class World {
  // Before the store, which looks at its clock when it is made.
  const std::uint64_t seed_;
  const Instant base_ = instant_from_us(1'780'000'000'000'000);
  Duration time_{};
  Duration clock_offset_{};
  Duration unsettled_until_{};

 public:
  World(std::uint64_t seed, Canary* canary, bool forgetful = false);
  // Lives through it all and returns what the checks object to; stops at the first few objections.
  std::vector<std::string> live();
  // Prints what happens, line by line, to the standard output.
  void trace() { traced_ = true; }
  Counts counts() const;

  // ---- for its parts
  Dice dice;
  const Scenario scenario;
  Canary* const canary;

  Duration time() const { return time_; }
  Instant base() const { return base_; }
  Instant wall() const { return base_ + time_ + clock_offset_; }  // the store's clock
  bool troubled() const { return time_ < Scenario::busy_time; }
  // Faults of store, network and receiver; in a world of deaths alone there are none.
  bool faulty() const { return troubled() && scenario.kind != Kind::deaths; }
  // Of these, those that keep a node from the store.
  bool isolating() const { return troubled() && scenario.isolates(); }
  bool traced() const { return traced_; }
  void say(const std::string& line) const;
  void after(Duration delay, std::function<void()> act);
  void step_clock(Duration by);
  // No crash and no edit before: the clock was stepped back, and until it is where it was, wall
  // time does not order events, and neither the checks nor a restart could say what came first.
  bool clock_settled() const { return time_ >= unsettled_until_; }

  ModelStore store;
  Checks checks;
  People people;
  std::vector<std::unique_ptr<Node>> nodes;
  Counts counted;
  bool forgetting = false;  // what is committed now the store will forget

 private:
  struct Later {
    Duration at{};
    std::uint64_t order = 0;
    std::function<void()> act;
    bool operator>(const Later& other) const {
      return std::pair{at, order} > std::pair{other.at, other.order};
    }
  };
  void run_until(Duration end);

  bool traced_ = false;
  std::priority_queue<Later, std::vector<Later>, std::greater<>> later_;
  std::uint64_t order_ = 0;
  Troubles troubles_;
};

}  // namespace cronally::sim
