#include <algorithm>

#include "core/planner_state.h"

namespace cronally::core {
namespace {

// After a refusal (disk full) the same batch is tried again after 50 ms, 100 ms … 2 s, each with
// a jitter of a half: often enough that nobody waits long once the cause is gone.
constexpr Duration repeat_min = std::chrono::milliseconds{50};
constexpr int repeat_doublings = 5;

bool refused_for_good(const BatchFate& fate) {
  const auto* refused = std::get_if<BatchRefused>(&fate);
  return refused && refused->error.code == "lease_lost";
}

}  // namespace

void Planner::State::submit(Lane& lane, std::vector<Item> items) {
  lane.content = Batch{fence, std::move(items)};
  lane.setbacks = 0;
  resubmit(lane);
}

void Planner::State::resubmit(Lane& lane) {
  lane.batch = ++last_number;
  actions.push_back(Commit{*lane.batch, lane.content});
}

void Planner::State::repeat_lanes() {
  for (Lane* lane : {&plan_lane, &run_lane}) {
    if (lost || lane->batch || lane->idle() || now.steady < lane->repeat_at) continue;
    resubmit(*lane);
  }
}

bool Planner::State::outcomes_may_wait() const {
  return !draining && run_items_urgent == 0 && run_items.size() < options.outcomes_per_batch &&
         now.steady < run_items_since + options.outcome_wait;
}

void Planner::State::flush_runs() {
  if (lost || run_items.empty() || !run_lane.idle() || outcomes_may_wait()) return;
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
  if (refused_for_good(event.fate)) lose_lease();
  if (lost) {
    lane->content = {};
    return;
  }
  if (const auto* committed = std::get_if<BatchCommitted>(&event.fate)) {
    commit_recent = std::max(event.took, commit_recent * 7 / 8);
    (lane == &plan_lane) ? plan_committed(*committed, event.took) : runs_committed(*committed);
    lane->content = {};
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
  for (std::size_t i = 0; i < items.size() && !lost; ++i) {
    const ItemOutcome& outcome = committed.outcomes.at(i);
    if (outcome.status == ItemStatus::fenced) {
      lose_lease();
    } else if (const auto* claim = std::get_if<Claim>(&items[i])) {
      if (outcome.status == ItemStatus::early) held_back.note(*claim);
      claim_done(*claim, outcome);
    } else if (const auto* replanned = std::get_if<Replan>(&items[i])) {
      finish_replan(*replanned, outcome.status);
    } else if (const auto* advance = std::get_if<Advance>(&items[i])) {
      Shard& shard = shards.at(static_cast<std::size_t>(advance->shard.value));
      shard.cursor = std::max(shard.cursor, held_back.cursor_after(*advance));
      shard.seen = std::max(shard.seen, advance->seen);
    }
  }
  if (!lost) admit_deferred();
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
  if (find_run(outcome.run)) return;
  if (!has_room(job->destination)) {
    if (runs.size() >= options.armed_max) {
      read_later(claim.due);
    } else {
      destination_at(job->destination).overflowed = true;
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
                               .fence = fence,
                               .send_at = claim.due},
                              job);
  actions.push_back(Prepare{claim.job, claim.revision});
  arm(tracked);
}

void Planner::State::runs_committed(const BatchCommitted& committed) {
  const std::vector<Item>& items = run_lane.content.items;
  for (std::size_t i = 0; i < items.size() && !lost; ++i) {
    const ItemStatus status = committed.outcomes.at(i).status;
    if (status == ItemStatus::fenced) {
      lose_lease();
    } else {
      run_item_done(items[i], status);
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
  if (status != ItemStatus::done || std::holds_alternative<End>(item)) {
    untrack(*tracked);
    return;
  }
  if (const auto* outcome = std::get_if<Outcome>(&item)) {
    outcome_done(*tracked, *outcome);
    return;
  }
  OpenRun& run = tracked->run;
  if (std::holds_alternative<Begin>(item)) {
    run.state = RunState::begun;
  } else if (const auto* taken = std::get_if<Takeover>(&item)) {
    run.fence = fence;
    if (taken->sent_perhaps) {
      ++run.attempt;
      ++run.unknowns;
    }
  } else if (std::holds_alternative<Accept>(item)) {
    run.fence = fence;
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
