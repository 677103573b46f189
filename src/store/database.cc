#include "store/database.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

namespace cronally::store {
namespace {

// Gathers what comes from several threads.
class Gathered {
 public:
  Spine::TakePlans take() {
    return [this](std::vector<JobPlan>&& portion) {
      std::lock_guard lock(mutex_);
      std::ranges::move(portion, std::back_inserter(jobs_));
    };
  }
  std::vector<JobPlan> jobs() { return std::move(jobs_); }

 private:
  std::mutex mutex_;
  std::vector<JobPlan> jobs_;
};

}  // namespace

ShardsRead Spine::read_shards(const ShardSet& shards) {
  Gathered gathered;
  ShardsRead read = read_shards(shards, gathered.take());
  read.jobs = gathered.jobs();
  return read;
}

Acquisition Spine::acquire(NodeId node, const TakePlans& take) {
  const auto answer = heartbeat({.node = node});
  ShardSet shards;
  for (const ShardNo shard : answer.granted) shards.set(static_cast<std::size_t>(shard.value));
  Acquisition acquired;
  static_cast<ShardsRead&>(acquired) = read_shards(shards, take);
  acquired.fence = answer.fence;
  return acquired;
}

Acquisition Spine::acquire(NodeId node) {
  Gathered gathered;
  Acquisition acquired = acquire(node, gathered.take());
  acquired.jobs = gathered.jobs();
  return acquired;
}

}  // namespace cronally::store
