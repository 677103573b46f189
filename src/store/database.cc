#include "store/database.h"

#include <utility>

namespace cronally::store {

Acquisition Spine::acquire(NodeId node, const std::function<void(JobPlan&&)>& each) {
  const auto answer = heartbeat({.node = node});
  ShardSet shards;
  for (const ShardNo shard : answer.granted) shards.set(static_cast<std::size_t>(shard.value));
  Acquisition acquired;
  static_cast<ShardsRead&>(acquired) = read_shards(shards, each);
  acquired.fence = answer.fence;
  return acquired;
}

Acquisition Spine::acquire(NodeId node) {
  std::vector<JobPlan> jobs;
  auto acquired = acquire(node, [&](JobPlan&& job) { jobs.push_back(std::move(job)); });
  acquired.jobs = std::move(jobs);
  return acquired;
}

}  // namespace cronally::store
