// Watches the watcher: how far the work of all nodes is behind, read in the store by each of them,
// so that a node that holds shards and does not work is noticed by the others.
#pragma once

#include <stop_token>

#include "base/time.h"
#include "runtime/health.h"
#include "runtime/metrics.h"
#include "store/database.h"

namespace cronally::scheduler {

class OverdueWatch {
 public:
  struct Parts {
    store::Spine& spine;
    runtime::Health& health;
    runtime::Metrics& metrics;
    // A cursor may be so old where nothing is due.
    Duration cursor_age_max{};
    // Later than a takeover makes it: a time to live, and some seconds.
    Duration behind_max{};
  };
  explicit OverdueWatch(const Parts& parts);

  // A supervised loop's body: a look every 2 s. The first one comes after that, when what was owed
  // at the start is taken on.
  void run(const std::stop_token& stop);

  // What is told of a reading. Pure.
  static Duration overdue(const store::Behind& behind, Duration cursor_age_max);

 private:
  void look();

  const Parts parts_;
  runtime::Gauge& overdue_;
};

}  // namespace cronally::scheduler
