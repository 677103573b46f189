#include "scheduler/lease_watch.h"

#include <fmt/format.h>

#include <chrono>

#include "base/uuid.h"
#include "runtime/metric_names.h"

namespace cronally::scheduler {

namespace metric = runtime::metric;

namespace {

constexpr Duration look_every = std::chrono::milliseconds{500};

double seconds_of(Duration length) { return std::chrono::duration<double>(length).count(); }

}  // namespace

LeaseWatch::LeaseWatch(NodeId node, runtime::Metrics& metrics, runtime::Health& health)
    : node_(node),
      health_(health),
      shards_(&metrics.gauge(metric::shards_owned)),
      lost_(&metrics.counter(metric::leases_lost_total)),
      heartbeat_age_(&metrics.gauge(metric::heartbeat_age)) {
  metrics.gauge(metric::node_info, {{"node", node.text()}}).set(1);
}

void LeaseWatch::look(const LeaseHolder& leases, SteadyInstant now) {
  if (now < look_at_) return;
  look_at_ = now + look_every;
  const auto standing = leases.standing();
  shards_->set(standing.held);
  lost_->add(standing.lost - lost_told_);
  lost_told_ = standing.lost;
  heartbeat_age_->set(seconds_of(standing.heartbeat_age));
  if (!leases.endless()) tell(standing);
}

void LeaseWatch::tell(const LeaseHolder::Standing& standing) const {
  if (!standing.trusted) {
    health_.failing("leases",
                    "the database has answered no heartbeat for as long as leases last: this node "
                    "sends nothing until it does");
    return;
  }
  health_.ok("leases", fmt::format("node {} holds {} of {} shards, lost {} since its start, "
                                   "heartbeat {:.1f} s ago",
                                   node_.text(), standing.held, shard_count, standing.lost,
                                   seconds_of(standing.heartbeat_age)));
}

}  // namespace cronally::scheduler
