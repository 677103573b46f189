// Who holds which shard. What is decided there is core/lease.h's; here it is written down.
#include <algorithm>

#include "tests/sim/model_store.h"

namespace cronally::sim {

core::HeartbeatAnswer ModelStore::heartbeat(const core::Heartbeat& said) {
  std::lock_guard lock(mutex_);
  last_commit_ = resume_at();
  const Instant now = clock_().wall;
  core::HeartbeatAnswer answer{.at = now, .endless = holders_ == Holders::one};
  if (holders_ == Holders::several && is_quiet(said, answer)) return answer;
  const auto nodes = rows();
  std::vector<core::LeaseRow> leases;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const ShardRecord& shard = shards_[i];
    if (shard.fence == Fence{0} || holders_ == Holders::one) continue;
    leases.push_back({{static_cast<std::int64_t>(i)}, shard.holder, shard.fence, shard.ends});
  }
  core::LeaseDecision decided = core::decide_leases(said, now, nodes, leases);
  if (holders_ == Holders::one && holds_all(said)) {
    for (const auto& lease : said.holds) answer.kept.push_back(lease.shard);
    return answer;
  }
  const Instant ends = answer.endless ? Instant::max() : now + said.ttl;
  for (const ShardNo no : decided.kept) record(no).ends = ends;
  for (const ShardNo no : decided.freed) free(no);
  if (!decided.take.empty()) {
    answer.fence = Fence{(generation_ << core::generation_shift) + ++counter_};
    nodes_[answer.fence] = said.node;
  }
  for (const ShardNo no : decided.take) {
    const bool again = grant_old_fences_ && record(no).holder == said.node;
    if (again) answer.fence = record(no).fence;
    record(no).fence = answer.fence;
    record(no).holder = said.node;
    record(no).ends = ends;
  }
  answer.granted = std::move(decided.take);
  answer.kept = std::move(decided.kept);
  answer.asked = std::move(decided.asked);
  answer.lacking = decided.lacking;
  commit_clock();
  return answer;
}

void ModelStore::free(ShardNo no) {
  record(no).holder = NodeId{};
  record(no).ends = Instant::min();
}

bool ModelStore::holds_all(const core::Heartbeat& said) const {
  return said.holds.size() == shards_.size() &&
         std::ranges::all_of(said.holds, [this](const core::Lease& lease) {
           return shard(lease.shard).fence == lease.fence;
         });
}

void ModelStore::release(NodeId node, const core::Release& what) {
  std::lock_guard lock(mutex_);
  if (holders_ == Holders::one) return;
  for (const core::Lease& lease : what.shards) {
    const ShardRecord& shard = record(lease.shard);
    if (shard.holder != node || shard.fence != lease.fence) continue;
    free(lease.shard);
    for (const core::LeftRun& left : what.left) {
      RunRecord* run = left.shard == lease.shard ? find_run(left.run) : nullptr;
      if (run && run->open.fence == lease.fence && run->open.attempt == left.attempt) {
        run->open.left_until = left.until;
      }
    }
  }
  commit_clock();
}

store::Behind ModelStore::behind() {
  std::lock_guard lock(mutex_);
  const Instant now = clock_().wall;
  store::Behind behind;
  for (const ShardRecord& shard : shards_) {
    behind.planning = std::max(behind.planning, now - shard.cursor);
  }
  for (const RunNo no : open_) {
    const core::OpenRun& run = runs_.at(no).open;
    const ShardRecord& owner = shard(run.shard);
    const bool asked_for = run.state == core::RunState::requested;
    if (!asked_for && run.fence == owner.fence && owner.ends > now) continue;
    if (run.left_until > now || holds(jobs_.at(run.job), run)) continue;
    behind.sending = std::max(behind.sending, now - (asked_for ? run.due : run.send_at));
  }
  return behind;
}

store::ShardsRead ModelStore::read_shards(const ShardSet& shards, const TakePlans& take) {
  std::lock_guard lock(mutex_);
  store::ShardsRead found{.resume_at = resume_at()};
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (!shards.test(i)) continue;
    found.shards.push_back(
        {ShardNo{static_cast<std::int64_t>(i)}, shards_[i].cursor, shards_[i].change});
  }
  std::vector<store::JobPlan> plans;
  for (const auto& [no, job] : jobs_) {
    if (!shards.test(static_cast<std::size_t>(job.job.shard.value))) continue;
    if (!job.deleted || job.planned_revision != job.job.revision) plans.push_back(plan_of(job));
  }
  take(std::move(plans));
  return found;
}

}  // namespace cronally::sim
