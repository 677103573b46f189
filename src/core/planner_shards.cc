#include <algorithm>

#include "base/check.h"
#include "core/planner_state.h"

namespace cronally::core {
namespace {

// A request that was called back either left already or says at once that it did not. After this
// whoever has not said so is out.
constexpr Duration withdrawal_time = std::chrono::milliseconds{100};

bool holds(const ShardSet& which, ShardNo shard) {
  return which.test(static_cast<std::size_t>(shard.value));
}

ShardNo shard_of(const Item& item) {
  return std::visit([](const auto& what) { return what.shard; }, item);
}

}  // namespace

void Planner::State::on(ShardsAcquired& event) {
  if (!std::exchange(seeded, true)) random.seed(event.random_seed);
  ChangeSet open;
  for (const auto& grant : event.shards) {
    Shard& shard = shard_at(grant.shard);
    CHECK(!shard.owned, "a shard is granted to who does not own it");
    shard.owned = true;
    shard.cursor = grant.cursor;
    shard.seen = shard.told = grant.seen;
    shard.sent_until = std::max(now.wall, event.sent_until);
    fences.set(grant.shard, event.fence);
    acting.set(static_cast<std::size_t>(grant.shard.value));
    advanced_at = std::min({advanced_at, now.wall, grant.cursor});
  }
  // A read under way asked for other shards, and may be older than what their owner did last.
  reading.reset();
  discover_again(instant_min);
  read_not_before = now.steady;
  jobs.reserve(jobs.size() + event.jobs.size());
  for (const auto& planned : event.jobs) {
    JobEntry& job = put_job(planned);
    job.dirty = !planned.planned;
    if (job.dirty) {
      job.read_after = true;
      open.jobs.push_back(job.no);
    } else if (!job.paused && !job.deleted) {
      const Instant from = std::max(shards[job.shard].cursor, job.changed_at);
      set_next_due(job, cron::next(job.schedule, from));
    }
  }
  if (!open.jobs.empty()) changes.push_back(std::move(open));
}

void Planner::State::on(ShardsAsked& event) {
  const ShardSet which = event.shards & acting;
  if (which.none()) return;
  acting &= ~which;
  leaving |= which;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!which.test(i)) continue;
    shards[i].leaving = true;
    shards[i].asked_at = now.steady;
  }
  withdraw_all(which, false);
  forget_plans(which);
}

void Planner::State::lose(const ShardSet& which) {
  acting &= ~which;
  withdraw_all(which, true);
  drop_items(which);
  forget_plans(which);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (which.test(i) && shards[i].owned) forget(ShardNo{static_cast<std::int64_t>(i)});
  }
}

void Planner::State::forget(ShardNo no) {
  Shard& shard = shard_at(no);
  shard.owned = shard.leaving = false;
  leaving.reset(static_cast<std::size_t>(no.value));
  fences.set(no, Fence{0});
}

// What has not left must not leave any more. Of a lost shard only what is in flight stays, and
// what became of it.
void Planner::State::withdraw_all(const ShardSet& which, bool lost) {
  std::vector<TrackedRun*> unsent;
  for (auto& [no, tracked] : runs) {
    if (!holds(which, tracked.run.shard)) continue;
    if (tracked.phase == Phase::in_flight) {
      actions.push_back(Withdraw{no, tracked.run.attempt, lost});
    } else if (tracked.phase != Phase::committing || (lost && !tracked.reporting)) {
      unsent.push_back(&tracked);
    }
  }
  for (TrackedRun* tracked : unsent) {
    if (lost) {
      untrack(*tracked);
    } else {
      arm(*tracked);  // takes back what is begun, forgets the rest
    }
  }
}

void Planner::State::drop_items(const ShardSet& which) {
  std::erase_if(run_items, [&](const Item& item) {
    const bool dropped = holds(which, shard_of(item)) && !std::holds_alternative<Outcome>(item);
    if (dropped) --run_items_urgent;
    return dropped;
  });
}

// The jobs of these shards and all that is planned for them.
void Planner::State::forget_plans(const ShardSet& which) {
  for (std::size_t i = 0; i < due_by_shard.size(); ++i) {
    if (!which.test(i)) continue;
    collected -= due_by_shard[i].size();
    due_by_shard[i].clear();
  }
  std::erase_if(early, [&](const Claim& claim) { return holds(which, claim.shard); });
  std::erase_if(deferred, [&](const OpenRun& run) { return holds(which, run.shard); });
  for (ChangeSet& set : changes) {
    std::erase_if(set.seen, [&](const auto& seen) { return holds(which, seen.first); });
  }
  for (auto& [no, job] : jobs) {
    if (!which.test(job.shard)) continue;
    job.next_due = never;
    job.dirty = job.collected = job.replanning = job.read_after = job.hidden = false;
    job.orphaned = true;
    before.erase(no);
  }
  std::erase_if(jobs, [](const auto& entry) {
    return entry.second.orphaned && entry.second.runs == nullptr;
  });
}

// Items of shards that are not owned under the batch's fence any more would be fenced, and are not
// to take effect. What became of an attempt is told in any case.
void Planner::State::drop_foreign(Batch& batch) const {
  std::erase_if(batch.items, [&](const Item& item) {
    const ShardNo shard = shard_of(item);
    return !owns(shard, batch.fences.of(shard)) && !std::holds_alternative<Outcome>(item);
  });
}

bool Planner::State::under_way(ShardNo no) const {
  const auto named = [&](const Item& item) { return shard_of(item) == no; };
  return std::ranges::any_of(plan_lane.content.items, named) ||
         std::ranges::any_of(run_lane.content.items, named) ||
         std::ranges::any_of(run_items, named);
}

void Planner::State::release_shards() {
  if (leaving.none()) return;
  Release release;
  ShardSet released;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const ShardNo no{static_cast<std::int64_t>(i)};
    const Shard& shard = shards[i];
    if (!leaving.test(i) || shard.tracked > shard.in_flight || under_way(no)) continue;
    if (shard.in_flight > 0 && now.steady < shard.asked_at + withdrawal_time) continue;
    release.shards.push_back({no, fences.of(no)});
    released.set(i);
  }
  if (released.none()) return;
  for (const auto& [no, tracked] : runs) {
    const ShardNo shard = tracked.run.shard;
    if (holds(released, shard) && tracked.run.fence == fences.of(shard)) {
      release.left.push_back({no, shard, tracked.run.attempt, now.wall + options.left_time});
    }
  }
  for (const Lease& lease : release.shards) forget(lease.shard);
  actions.push_back(std::move(release));
}

Instant Planner::State::release_wake() const {
  Instant at = never;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!leaving.test(i) || shards[i].in_flight == 0) continue;
    const SteadyInstant out = shards[i].asked_at + withdrawal_time;
    if (out > now.steady) at = std::min(at, wall_of(out));
  }
  return at;
}

}  // namespace cronally::core
