// Mistakes that the checkers must see: if one of them passes, the simulation proves nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace cronally::sim {

struct CanaryKind {
  std::string name;
  std::string caught_by;  // the promise that an objection must name
  std::unique_ptr<Canary> (*make)();
};

// Thirteen, for all promises that the checkers know.
const std::vector<CanaryKind>& canaries();

}  // namespace cronally::sim
