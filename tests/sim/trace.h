// One line for each thing that happens in a world: what `sim_test --seed N --trace 1` prints.
#pragma once

#include <string>

#include "core/planner.h"

namespace cronally::sim {

std::string describe(const core::Item& item, const core::ItemOutcome* outcome, Instant base);
std::string describe(const core::OpenRun& run, Instant base);
std::string describe(const core::Event& event, Instant base);

}  // namespace cronally::sim
