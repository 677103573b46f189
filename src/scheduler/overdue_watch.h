// Watches the watcher: how far the work of all nodes is behind, read in the store by each of them,
// so that a node that holds shards and does not work is noticed by the others.
#pragma once

#include <functional>
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
    // Called while runs are further behind that no owner has under its fence, every 10 s: this node
    // may be the owner, and not know of them.
    std::function<void()> overlooked;
  };
  explicit OverdueWatch(const Parts& parts);

  // A supervised loop's body: a look every 2 s. The first one comes after that, when what was owed
  // at the start is taken on.
  void run(const std::stop_token& stop);

  // One look.
  void look();

  // What is told of a reading. Pure.
  static Duration overdue(const store::Behind& behind, Duration cursor_age_max);

 private:
  const Parts parts_;
  runtime::Gauge& overdue_;
  int looks_passed_ = 0;  // since runs were told as overlooked
};

}  // namespace cronally::scheduler
