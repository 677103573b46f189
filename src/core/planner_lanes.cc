#include <algorithm>

#include "core/planner_state.h"

namespace cronally::core {
namespace {

// After a refusal (disk full) the same batch is tried again after 50 ms, 100 ms … 2 s, each with
// a jitter of a half: often enough that nobody waits long once the cause is gone.
constexpr Duration repeat_min = std::chrono::milliseconds{50};
constexpr int repeat_doublings = 5;

}  // namespace

void Planner::State::submit(Lane& lane, std::vector<Item> items) {
  lane.content = Batch{fences, std::move(items)};
  lane.setbacks = 0;
  resubmit(lane);
}

void Planner::State::resubmit(Lane& lane) {
  lane.batch = ++last_number;
  actions.push_back(Commit{*lane.batch, lane.content});
}

void Planner::State::repeat_lanes() {
  for (Lane* lane : {&plan_lane, &run_lane}) {
    if (lane->batch || lane->idle() || now.steady < lane->repeat_at) continue;
    drop_foreign(lane->content);
    if (!lane->idle()) resubmit(*lane);
  }
}

bool Planner::State::outcomes_may_wait() const {
  return !draining && run_items_urgent == 0 && run_items.size() < options.outcomes_per_batch &&
         now.steady < run_items_since + options.outcome_wait;
}

void Planner::State::flush_runs() {
  if (run_items.empty() || !run_lane.idle() || outcomes_may_wait()) return;
  run_items_urgent = 0;
  std::vector<Item> items;
  if (run_items.size() <= options.claims_per_batch) {
    items = std::exchange(run_items, {});
    run_items.reserve(options.outcomes_per_batch);
  } else {
    const auto end = run_items.begin() + static_cast<std::ptrdiff_t>(options.claims_per_batch);
    items.assign(std::move_iterator(run_items.begin()), std::move_iterator(end));
    run_items.erase(run_items.begin(), end);
  }
  submit(run_lane, std::move(items));
}

void Planner::State::setback(Lane& lane, bool at_once) {
  const int doublings = std::min(lane.setbacks, repeat_doublings);
  const Duration wait = repeat_min * (1 << doublings);
  const auto jitter = static_cast<std::int64_t>(static_cast<double>(wait.count()) * random.unit());
  ++lane.setbacks;
  lane.repeat_at = at_once ? now.steady : now.steady + wait / 2 + Duration{jitter / 2};
}

void Planner::State::on(BatchDone& event) {
  Lane* lane = plan_lane.batch == event.batch  ? &plan_lane
               : run_lane.batch == event.batch ? &run_lane
                                               : nullptr;
  if (!lane) return;
  lane->batch.reset();
  if (const auto* committed = std::get_if<BatchCommitted>(&event.fate)) {
    commit_recent = std::max(event.took, commit_recent * 7 / 8);
    (lane == &plan_lane) ? plan_committed(*committed, event.took) : runs_committed(*committed);
    return;
  }
  // Unknown: the first repeat goes at once, for it also finds out what became of the first try.
  setback(*lane, std::holds_alternative<BatchUnknown>(event.fate) && lane->setbacks == 0);
}

void Planner::State::plan_committed(const BatchCommitted& committed, Duration took) {
  constexpr std::size_t large = 256;  // below it, the commit and not its items takes the time
  const std::vector<Item>& items = plan_lane.content.items;
  if (items.size() >= large) {
    claim_time = std::max(std::chrono::nanoseconds{took} / std::ssize(items), claim_time * 7 / 8);
  }
  EarlyClaims held_back;
  const Batch content = std::move(plan_lane.content);
  plan_lane.content = {};
  for (std::size_t i = 0; i < content.items.size(); ++i) {
    const ShardNo shard = std::visit([](const auto& item) { return item.shard; }, content.items[i]);
    if (!owns(shard, content.fences.of(shard))) continue;  // forgotten meanwhile
    const ItemOutcome& outcome = committed.outcomes.at(i);
    if (outcome.status == ItemStatus::fenced) {
      lose(ShardSet{}.set(static_cast<std::size_t>(shard.value)));
    } else {
      plan_item_done(content.items[i], outcome, held_back);
    }
  }
  admit_deferred();
}

void Planner::State::plan_item_done(const Item& item, const ItemOutcome& outcome,
                                    EarlyClaims& held_back) {
  if (const auto* claim = std::get_if<Claim>(&item)) {
    if (outcome.status == ItemStatus::early) held_back.note(*claim);
    if (acts_for(claim->shard)) claim_done(*claim, outcome);
  } else if (const auto* replanned = std::get_if<Replan>(&item)) {
    finish_replan(*replanned, outcome.status);
  } else if (const auto* advance = std::get_if<Advance>(&item)) {
    Shard& shard = shard_at(advance->shard);
    shard.cursor = std::max(shard.cursor, held_back.cursor_after(*advance));
    shard.seen = std::max(shard.seen, advance->seen);
  }
}

void Planner::State::claim_done(const Claim& claim, const ItemOutcome& outcome) {
  JobEntry* job = find_job(claim.job);
  const bool current = job && job->revision == claim.revision;
  switch (outcome.status) {
    case ItemStatus::done: break;
    case ItemStatus::present: read_later(claim.due); return;
    case ItemStatus::early:
      if (current) early.push_back(claim);
      return;
    case ItemStatus::stale:
      if (current) job->next_due = never;
      return;
    case ItemStatus::gone:
    case ItemStatus::fenced: return;
  }
  if (job && (job->dirty || !current)) job->read_after = true;
  if (!current || job->dirty || draining) return;
  if (!find_run(outcome.run)) arm_claim(claim, outcome, *job);
}

void Planner::State::arm_claim(const Claim& claim, const ItemOutcome& outcome, JobEntry& job) {
  if (!has_room(job.destination)) {
    if (runs.size() >= options.armed_max) {
      read_later(claim.due);
    } else {
      destination_at(job.destination).overflowed = true;
    }
    return;
  }
  TrackedRun& tracked = track({.no = outcome.run,
                               .id = claim.id,
                               .job = claim.job,
                               .shard = claim.shard,
                               .revision = claim.revision,
                               .scheduled_at = claim.scheduled_at,
                               .due = claim.due,
                               .fence = fences.of(claim.shard),
                               .send_at = claim.due},
                              &job);
  actions.push_back(Prepare{claim.job, claim.revision});
  arm(tracked);
}

void Planner::State::runs_committed(const BatchCommitted& committed) {
  const Batch content = std::move(run_lane.content);
  run_lane.content = {};
  for (std::size_t i = 0; i < content.items.size(); ++i) {
    const Item& item = content.items[i];
    const ItemStatus status = committed.outcomes.at(i).status;
    const ShardNo shard = std::visit([](const auto& what) { return what.shard; }, item);
    if (std::holds_alternative<Outcome>(item)) {
      run_item_done(item, status);
    } else if (!owns(shard, content.fences.of(shard))) {
      continue;  // forgotten meanwhile
    } else if (status == ItemStatus::fenced) {
      lose(ShardSet{}.set(static_cast<std::size_t>(shard.value)));
    } else {
      run_item_done(item, status);
    }
  }
}

void Planner::State::run_item_done(const Item& item, ItemStatus status) {
  const RunNo no = std::visit(
      [](const auto& what) {
        if constexpr (requires { what.run; }) return what.run;
        return RunNo{};
      },
      item);
  TrackedRun* tracked = find_run(no);
  if (!tracked || tracked->phase != Phase::committing) return;
  tracked->phase = Phase::armed;
  tracked->reporting = false;
  if (status != ItemStatus::done || std::holds_alternative<End>(item)) {
    // It moved on meanwhile: whoever had sent it before may have told its outcome.
    const bool moved = std::holds_alternative<Takeover>(item) || status == ItemStatus::fenced;
    if (moved && acts_for(tracked->run.shard)) read_later(now.wall);
    untrack(*tracked);
    return;
  }
  if (const auto* outcome = std::get_if<Outcome>(&item)) {
    outcome_done(*tracked, *outcome);
    return;
  }
  OpenRun& run = tracked->run;
  if (const auto* begin = std::get_if<Begin>(&item)) {
    run.state = begin->taken_back ? RunState::claimed : RunState::begun;
  } else if (const auto* taken = std::get_if<Takeover>(&item)) {
    run.fence = fences.of(run.shard);
    if (taken->sent_perhaps) {
      ++run.attempt;
      ++run.unknowns;
    }
  } else if (std::holds_alternative<Accept>(item)) {
    run.fence = fences.of(run.shard);
    run.state = RunState::claimed;
  }
  arm(*tracked);
}

void Planner::State::outcome_done(TrackedRun& tracked, const Outcome& outcome) {
  const auto* again = std::get_if<Outcome::Again>(&outcome.next);
  if (!again) {
    untrack(tracked);
    return;
  }
  OpenRun& run = tracked.run;
  run.state = RunState::begun;
  run.attempt = outcome.attempt + 1;
  run.send_at = again->send_at;
  ++run.failures;
  if (!run.first_attempt_at) run.first_attempt_at = attempted_at(outcome.result);
  tracked.replaces_unknown = false;
  arm(tracked);
}

}  // namespace cronally::core
