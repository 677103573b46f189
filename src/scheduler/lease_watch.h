// What metrics and readiness tell of a node's leases: who it is, what it holds and lost, and how
// long ago the store last answered.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/metrics.h"
#include "scheduler/lease_holder.h"

namespace cronally::scheduler {

// One thread.
class LeaseWatch {
 public:
  LeaseWatch(NodeId node, runtime::Metrics& metrics, runtime::Health& health);

  // Looks twice a second, however often it is called.
  void look(const LeaseHolder& leases, SteadyInstant now);

 private:
  void tell(const LeaseHolder::Standing& standing) const;

  const NodeId node_;
  runtime::Health& health_;
  runtime::Gauge* shards_;
  runtime::Counter* lost_;
  runtime::Gauge* heartbeat_age_;
  std::uint64_t lost_told_ = 0;
  SteadyInstant look_at_{};
};

}  // namespace cronally::scheduler
