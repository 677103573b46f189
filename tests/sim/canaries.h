// The known mistakes, which must each be caught: a check that no mistake makes fail checks nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/canary.h"

namespace cronally::sim {

struct CanaryKind {
  std::string name;
  std::string caught_by;  // the promise whose check must object
  std::function<std::unique_ptr<Canary>()> make;
  std::uint64_t first = 1;  // the world from which the short set looks: some need rare moments
  bool forgetful = false;   // shows in worlds whose store forgets alone
};

// canaries_lone.cc: mistakes that one node shows; canaries_cluster.cc: those that need several;
// canaries_forgetful.cc: those that need a store that forgets.
const std::vector<CanaryKind>& canaries();
std::vector<CanaryKind> lone_canaries();
std::vector<CanaryKind> cluster_canaries();
std::vector<CanaryKind> forgetful_canaries();

template <class T>
std::unique_ptr<Canary> make_canary() {
  return std::make_unique<T>();
}

}  // namespace cronally::sim
