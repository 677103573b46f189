#include <algorithm>

#include "core/planner_state.h"

namespace cronally::core {
namespace {

// In steady state one batch plans all that falls due within this span, so that many jobs with
// different instants cost at most ten commits a second.
constexpr Duration plan_span = std::chrono::milliseconds{100};

// A cursor may be a lead ahead of the clock, and the clock may be slewed a little; more than this
// means that it was stepped back.
constexpr Duration hold_slack = std::chrono::seconds{1};

}  // namespace

// The heap's first entry that is still true.
Instant Planner::State::first_due() {
  while (!dues.empty()) {
    const auto [at, no] = dues.top();
    const JobEntry* job = find_job(JobNo{no});
    if (job && job->next_due == at && !job->dirty && !job->collected) return at;
    dues.pop();
  }
  return never;
}

void Planner::State::set_next_due(JobEntry& job, std::optional<Instant> due) {
  job.next_due = due.value_or(never);
  if (job.collected) collected_first = std::min(collected_first, job.next_due);
  if (due) dues.emplace(*due, job.no.value);
}

// The lead, and the time that claiming what is collected will take.
Duration Planner::State::plan_lead() const {
  const auto backlog = claim_time * static_cast<std::int64_t>(collected);
  return lead_for(options.lead_min + std::chrono::duration_cast<Duration>(backlog), commit_recent);
}

Instant Planner::State::cursor_max() const {
  Instant newest = Instant::min();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (acting.test(i)) newest = std::max(newest, shards[i].cursor);
  }
  return newest;
}

bool Planner::State::hold_clock() {
  const Instant newest = cursor_max();
  const bool held = newest > now.wall + lead_max + hold_slack;
  if (held && !held_until) {
    held_until = newest - lead();
    actions.push_back(ClockHeld{held_until});
  } else if (!held && held_until) {
    held_until.reset();
    actions.push_back(ClockHeld{});
  }
  return held;
}

// Replans come first, for somebody waits for them; but after one of them the plan has its turn,
// so that a stream of edits does not keep the jobs from being planned.
void Planner::State::plan() {
  const bool held = hold_clock();
  if (!plan_lane.idle()) return;
  if (!held && settle_recompiled()) return;
  if (replanned_last && !held && plan_ahead()) return;
  if (replan()) return;
  if (!held) plan_ahead();
}

// One batch: everything owed in (cursor, now + lead] of whole shards, and their cursors. A batch
// that grows too large leaves the remaining shards, cursors and all, to the next one. So no claim
// ever stands beyond its shard's cursor, and a takeover decides over nothing that is claimed.
bool Planner::State::plan_ahead() {
  collect(now.wall + lead_plan_max);
  looked_at = now.wall;
  const Instant until = now.wall + plan_lead();
  const bool due = std::min(collected_first, first_early()) <= until - plan_span;
  const bool idle_too_long = now.wall - advanced_at >= options.cursor_age_max;
  if (!due && !idle_too_long) return false;

  std::vector<Item> items;
  add_early(until, items);
  std::array<bool, shard_count> left{};
  collected_first = never;
  for (std::size_t i = 0; i < due_by_shard.size(); ++i) {
    if (items.size() >= options.claims_per_batch && !due_by_shard[i].empty()) {
      left[i] = true;
      collected_first = until;
      continue;
    }
    std::erase_if(due_by_shard[i], [&](JobNo no) { return !still_ahead(no, until, items); });
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (!acting.test(i) || left[i]) continue;
    items.push_back(Advance{ShardNo{static_cast<std::int64_t>(i)},
                            std::max(shards[i].cursor, until), shards[i].seen});
  }
  advanced_at = now.wall;
  replanned_last = false;
  submit(plan_lane, std::move(items));
  return true;
}

// Of what is collected: accounts for the job if it is due until `until`. True when it is due later
// and stays in its list.
bool Planner::State::still_ahead(JobNo no, Instant until, std::vector<Item>& items) {
  JobEntry* job = find_job(no);
  if (job && job->collected && !job->dirty && job->next_due > until &&
      job->next_due <= now.wall + lead_plan_max) {
    collected_first = std::min(collected_first, job->next_due);
    return true;
  }
  --collected;
  if (!job || !job->collected) return false;
  job->collected = false;
  if (job->dirty) return false;
  if (job->next_due <= until) {
    account(*job, until, items);
  } else if (job->next_due != never) {
    set_next_due(*job, job->next_due);
  }
  return false;
}

// Moves what is due until `until` from the heap to its shard's list.
void Planner::State::collect(Instant until) {
  for (Instant at = first_due(); at <= until; at = first_due()) {
    JobEntry* job = find_job(JobNo{dues.top().second});
    dues.pop();
    job->collected = true;
    collected_first = std::min(collected_first, at);
    ++collected;
    due_by_shard[job->shard].push_back(job->no);
  }
}

// All that `job` owes until `until`: what is past goes by its catch-up policy, what is ahead is
// claimed.
void Planner::State::account(JobEntry& job, Instant until, std::vector<Item>& items) {
  std::optional<Instant> due = job.next_due;
  if (*due <= now.wall) {
    const Missed missed =
        catch_up_missed(job.schedule, policies[job.policy].catch_up,
                        {.from = *due - instant_tick, .until = now.wall, .now = now.wall});
    for (const auto& span : missed.skips) {
      items.push_back(
          Skip{job.no, ShardNo{job.shard}, job.revision, span.from, span.to, span.reason});
    }
    for (const Instant claimed : missed.claims) add_claim(job, claimed, items);
    due = cron::next(job.schedule, now.wall);
  }
  for (; due && *due <= until; due = cron::next(job.schedule, *due)) add_claim(job, *due, items);
  set_next_due(job, due);
}

void Planner::State::add_claim(const JobEntry& job, Instant due, std::vector<Item>& items) {
  const RunId id{uuid_v7(due, random.next(), random.next())};
  items.push_back(Claim{job.no, ShardNo{job.shard}, job.revision, id, due, due});
}

Instant Planner::State::first_early() const {
  Instant first = never;
  for (const Claim& claim : early) first = std::min(first, claim.due);
  return first;
}

void Planner::State::add_early(Instant until, std::vector<Item>& items) {
  std::erase_if(early, [&](const Claim& claim) {
    const JobEntry* job = find_job(claim.job);
    if (!job || job->revision != claim.revision) return true;  // the change's replan decided
    if (claim.due > until) return false;
    items.push_back(claim);
    return true;
  });
}

// When plan() has something to do again, if its lane is free.
Instant Planner::State::plan_wake() {
  if (held_until) return *held_until;
  if (!plan_lane.idle()) return never;
  Instant at = advanced_at + options.cursor_age_max;
  const Instant due = std::min(collected_first, first_early());
  if (due != never) at = std::min(at, due - plan_lead() + plan_span);
  const Instant further = first_due();
  if (further != never) at = std::min(at, std::max(further - lead_plan_max, looked_at + plan_span));
  return at;
}

}  // namespace cronally::core
