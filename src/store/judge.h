// What the facts of a database mean for Cronally's promises. Pure: values in, findings out, one or
// more for each check, in the order in which a person would look.
#pragma once

#include <vector>

#include "store/facts.h"
#include "store/finding.h"

namespace cronally::store {

std::vector<Finding> judge(const PostgresFacts& facts, const SelfFacts& self);
std::vector<Finding> judge(const SqliteFacts& facts, const SelfFacts& self);

}  // namespace cronally::store
