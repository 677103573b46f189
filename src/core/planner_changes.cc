#include <algorithm>

#include "core/planner_state.h"

namespace cronally::core {

JobEntry* Planner::State::find_job(JobNo no) {
  const auto found = jobs.find(no);
  return found == jobs.end() || found->second.orphaned ? nullptr : &found->second;
}

// Few policies differ, so a job holds the number of its own. Past `policies_searched` a new one is
// appended unseen: a wasted 64 bytes cost less than a long search for each of a million jobs.
std::uint32_t Planner::State::intern(const Policy& policy) {
  constexpr std::size_t policies_searched = 64;
  const std::size_t end = std::min(policies.size(), policies_searched);
  for (std::size_t i = 0; i < end; ++i) {
    if (policies[i].retry == policy.retry && policies[i].catch_up == policy.catch_up) {
      return static_cast<std::uint32_t>(i);
    }
  }
  policies.push_back(policy);
  return static_cast<std::uint32_t>(policies.size() - 1);
}

JobEntry& Planner::State::put_job(const PlannedJob& planned) {
  JobEntry& job = jobs[planned.no];
  job.no = planned.no;
  job.schedule = planned.schedule;
  job.next_due = never;
  job.changed_at = planned.changed_at;
  job.revision = planned.revision;
  job.destination = planned.destination;
  job.policy = intern({planned.retry, planned.catch_up});
  job.shard = static_cast<std::uint8_t>(planned.shard.value);
  job.last_change = planned.last_change;
  job.delivery = planned.delivery;
  job.paused = planned.paused;
  job.deleted = planned.deleted;
  job.orphaned = false;
  before.erase(job.no);
  if (!planned.owed_before.empty()) before[job.no] = planned.owed_before;
  return job;
}

void Planner::State::on(ChangesRead& event) {
  if (stopped()) return;
  ChangeSet set;
  for (const auto& planned : event.jobs) {
    if (!acts_for(planned.shard) || planned.change <= shard_at(planned.shard).told) continue;
    change_job(planned);
    set.jobs.push_back(planned.no);
  }
  for (const auto& [shard, number] : event.seen) {
    if (!acts_for(shard)) continue;
    shard_at(shard).told = std::max(shard_at(shard).told, number);
    set.seen.emplace_back(shard, number);
  }
  if (!set.jobs.empty() || !set.seen.empty()) changes.push_back(std::move(set));
  for (const auto& requested : event.requested) admit(requested);
}

void Planner::State::change_job(const PlannedJob& planned) {
  JobEntry* known = find_job(planned.no);
  if (known && known->revision >= planned.revision) return;  // told before
  if (reading) changed_in_read.insert(planned.no);
  // A pause, seen or passed over unseen, may have hidden runs from reads.
  const bool hidden = known ? known->paused || planned.revision > known->revision + 1
                            : planned.last_change != Replan::Change::created;
  JobEntry& job = put_job(planned);
  job.dirty = true;
  job.hidden |= hidden;
  drop_unsent(job);
}

// From here on nothing leaves under the old definition unless its first byte is out already: what
// was given to the deliverer is called back, what was not is forgotten; the replan decides about
// it in the store and the survivors are read again.
void Planner::State::drop_unsent(JobEntry& job) {
  std::vector<TrackedRun*> unsent;
  for (TrackedRun* tracked = job.runs; tracked; tracked = tracked->job_next) {
    const bool begun = tracked->at_most_once && tracked->run.state == RunState::begun;
    if (tracked->phase == Phase::in_flight || tracked->phase == Phase::committing || begun) {
      tracked->excluded = true;
    }
    if (tracked->phase == Phase::in_flight) {
      actions.push_back(Withdraw{tracked->run.no, tracked->run.attempt});
    } else if (tracked->phase != Phase::committing) {
      unsent.push_back(tracked);
    }
  }
  for (TrackedRun* tracked : unsent) {
    if (tracked->excluded) {
      arm(*tracked);  // begun: judged here, for a replan leaves it alone
    } else {
      untrack(*tracked);
      job.read_after = true;
    }
  }
}

bool Planner::State::replan() {
  if (changes.empty()) return false;
  std::vector<Item> items;
  std::map<ShardNo, std::int64_t> seen;
  bool in_order = true;  // a shard's `seen` covers all changes up to it, so none may be skipped
  for (auto set = changes.begin(); set != changes.end();) {
    if (items.size() >= options.claims_per_batch) break;
    in_order = replan_set(*set, held_until.has_value(), items) && in_order;
    if (!in_order) {
      ++set;
      continue;
    }
    for (const auto& [shard, number] : set->seen) seen[shard] = std::max(seen[shard], number);
    set = changes.erase(set);
  }
  for (const auto& [no, number] : seen) {
    const Shard& shard = shards.at(static_cast<std::size_t>(no.value));
    items.push_back(Advance{no, shard.cursor, std::max(shard.seen, number)});
  }
  if (items.empty()) return false;
  replanned_last = true;
  submit(plan_lane, std::move(items));
  return true;
}

// Takes what fits into the batch; true when nothing of the set is left. While the clock is held,
// what would claim waits: its claims are too far ahead of the store's clock.
bool Planner::State::replan_set(ChangeSet& set, bool held, std::vector<Item>& items) {
  std::vector<JobNo> left;
  for (const JobNo no : set.jobs) {
    JobEntry* job = find_job(no);
    if (!job || !job->dirty || job->replanning) continue;
    const bool claims = !job->paused && !job->deleted;
    if ((held && claims) || items.size() >= options.claims_per_batch) {
      left.push_back(no);
    } else {
      add_replan(*job, items);
    }
  }
  set.jobs = std::move(left);
  return set.jobs.empty();
}

// The instants of a new definition in (changed_at, cursor] that become runs; what is skipped goes
// to `skips`. Runs of the old definition are due at most lead_max after the change (the store
// refuses earlier claims), and an instant that may have one is claimed and never skipped: then
// the claim finds it. What is past beyond that goes by the catch-up policy.
std::vector<Instant> Planner::State::replan_dues(const JobEntry& job, Instant cursor,
                                                 std::vector<Item>& skips) {
  std::vector<Instant> dues_owed;
  const auto owe = [&](Instant from, Instant to) {
    for (auto due = cron::next(job.schedule, from); due && *due <= to;
         due = cron::next(job.schedule, *due)) {
      dues_owed.push_back(*due);
    }
  };
  const Instant near = std::min(cursor, job.changed_at + lead_max);
  const Instant past = std::max(near, std::min(cursor, now.wall));
  owe(job.changed_at, near);
  const Missed missed = catch_up_missed(job.schedule, policies[job.policy].catch_up,
                                        {.from = near, .until = past, .now = now.wall});
  dues_owed.insert(dues_owed.end(), missed.claims.begin(), missed.claims.end());
  for (const auto& span : missed.skips) {
    skips.push_back(
        Skip{job.no, ShardNo{job.shard}, job.revision, span.from, span.to, span.reason});
  }
  owe(past, cursor);
  return dues_owed;
}

// What revisions before the newest one owed, and no owner planned. It is claimed although the job
// is paused by now: the claim is held.
std::vector<Instant> Planner::State::dues_before(const JobEntry& job, std::vector<Skip>& skips) {
  std::vector<Instant> dues_owed;
  const auto found = before.find(job.no);
  if (found == before.end()) return dues_owed;
  for (const OwedBefore& owed : found->second) {
    const Missed missed = owed_before(owed, policies[job.policy].catch_up, now.wall);
    dues_owed.insert(dues_owed.end(), missed.claims.begin(), missed.claims.end());
    for (const auto& span : missed.skips) {
      skips.push_back({job.no, ShardNo{job.shard}, owed.revision, span.from, span.to, span.reason});
    }
  }
  return dues_owed;
}

// A claim of what has a run would find it. In the journal it would stand beside that run, and be
// put back for it into a store that has forgotten both.
bool Planner::State::has_run(const JobEntry& job, Instant due) {
  for (const TrackedRun* tracked = job.runs; tracked; tracked = tracked->job_next) {
    if (tracked->run.kind == RunKind::scheduled && tracked->run.due == due) return true;
  }
  return false;
}

void Planner::State::add_replan(JobEntry& job, std::vector<Item>& items) {
  Replan replan{.job = job.no,
                .shard = ShardNo{job.shard},
                .revision = job.revision,
                .changed_at = job.changed_at,
                .change = job.last_change};
  for (const TrackedRun* tracked = job.runs; tracked; tracked = tracked->job_next) {
    replan.in_flight.push_back(tracked->run.no);
  }
  std::vector<Item> skips;
  if (!job.paused && !job.deleted) {
    replan.owed = replan_dues(job, shards[job.shard].cursor, skips);
  }
  const std::vector<Instant> held = dues_before(job, replan.skips);
  job.replanning = true;
  const std::vector<Instant> owed = replan.owed;
  items.push_back(std::move(replan));
  for (const auto& dues : {held, owed}) {
    for (const Instant due : dues) {
      if (!has_run(job, due)) add_claim(job, due, items);
    }
  }
  std::ranges::move(skips, std::back_inserter(items));
}

void Planner::State::finish_replan(const Replan& replan, ItemStatus status) {
  JobEntry* job = find_job(replan.job);
  if (!job) return;
  job->replanning = false;
  if (const auto found = before.find(job->no);
      status == ItemStatus::done && found != before.end()) {
    std::erase_if(found->second,
                  [&](const OwedBefore& owed) { return owed.revision < replan.revision; });
    if (found->second.empty()) before.erase(found);
  }
  if (status != ItemStatus::done || job->revision != replan.revision) return;  // a newer follows
  if (reading) changed_in_read.insert(job->no);
  job->dirty = false;
  if (job->deleted) {
    forget_job(*job);
    return;
  }
  if (!job->paused) {
    const Instant from = std::max(shards[job->shard].cursor, job->changed_at);
    set_next_due(*job, cron::next(job->schedule, from));
  }
  if (job->read_after || job->hidden) read_now = true;
  if (job->hidden) discover_again(instant_min);
  job->read_after = job->hidden = false;
}

void Planner::State::on(SchedulesChanged& event) {
  if (stopped()) return;
  if (recompiled.empty()) recompiled_at = now.wall;
  for (auto& planned : event.jobs) {
    JobEntry* job = find_job(planned.no);
    if (!job || job->revision != planned.revision) continue;
    job->schedule = std::move(planned.schedule);
    if (job->paused || job->deleted) continue;
    job->next_due = never;
    recompiled.push_back(job->no);
  }
}

// Brings what is claimed in (recompiled_at, cursor] into line with the new rules; beyond the
// cursor they hold anyway. A job whose replan is open waits for it. True: a batch is under way.
bool Planner::State::settle_recompiled() {
  std::vector<Item> items;
  std::vector<JobNo> left;
  for (const JobNo no : recompiled) {
    JobEntry* job = find_job(no);
    if (!job || job->paused || job->deleted) continue;
    if (job->dirty || items.size() >= options.claims_per_batch) {
      left.push_back(no);
      continue;
    }
    const Instant cursor = shards[job->shard].cursor;
    cancel_unowed(*job);
    const Instant from = std::max(recompiled_at, job->changed_at);
    for (auto due = cron::next(job->schedule, from); due && *due <= cursor;
         due = cron::next(job->schedule, *due)) {
      add_claim(*job, *due, items);  // `present` where the old rules owed it too
    }
    set_next_due(*job, cron::next(job->schedule, std::max(cursor, job->changed_at)));
  }
  recompiled = std::move(left);
  if (items.empty()) return false;
  submit(plan_lane, std::move(items));
  return true;
}

void Planner::State::cancel_unowed(JobEntry& job) {
  for (TrackedRun* tracked = job.runs; tracked; tracked = tracked->job_next) {
    const OpenRun& run = tracked->run;
    const bool ahead = tracked->phase == Phase::armed && run.state == RunState::claimed &&
                       run.kind == RunKind::scheduled && run.attempt == 1 && run.due > now.wall;
    if (ahead && cron::next(job.schedule, run.due - instant_tick) != run.due) {
      cancel(*tracked, Reason::changed);
    }
  }
}

void Planner::State::forget_job(JobEntry& job) {
  for (TrackedRun* tracked = job.runs; tracked;) {
    TrackedRun* following = tracked->job_next;
    tracked->job = nullptr;
    tracked->job_prev = tracked->job_next = nullptr;
    tracked = following;
  }
  jobs.erase(job.no);
}

// A run asked for by hand. While its job's replan is not committed it waits, for the replan could
// end it after it was sent.
void Planner::State::admit(const OpenRun& requested) {
  if (find_run(requested.no) || !acts_for(requested.shard)) return;
  JobEntry* job = find_job(requested.job);
  if (job && job->dirty) {
    deferred.push_back(requested);
    return;
  }
  TrackedRun& tracked = track(requested, job);
  if (job) {
    queue_item(tracked, Accept{requested.no, requested.shard});
  } else {
    cancel(tracked, Reason::deleted);
  }
}

void Planner::State::admit_deferred() {
  for (const OpenRun& requested : std::exchange(deferred, {})) admit(requested);
}

}  // namespace cronally::core
