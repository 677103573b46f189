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

// sent before claimed; fence check removed; retry after recorded success; cursor moved without
// claims; edit inside the lead ignored.
const std::vector<CanaryKind>& canaries();

}  // namespace cronally::sim
