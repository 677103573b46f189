#include "core/planner.h"

#include <algorithm>

#include "core/planner_state.h"

namespace cronally::core {

Planner::Planner(const PlannerOptions& options) : state_(std::make_unique<State>(options)) {}
Planner::~Planner() = default;
Planner::Planner(Planner&&) noexcept = default;
Planner& Planner::operator=(Planner&&) noexcept = default;

std::vector<Action> Planner::step(const Now& now, Event event) {
  State& state = *state_;
  state.now = now;
  state.actions.clear();
  const bool woken = std::holds_alternative<Woke>(event);
  std::visit([&](auto& what) { state.on(what); }, event);
  state.proceed();
  state.wake(woken);
  return std::move(state.actions);
}

PlannerStats Planner::stats() const {
  const State& state = *state_;
  return {.jobs = state.jobs.size(),
          .armed = state.runs.size() - state.waiting - state.in_flight,
          .waiting = state.waiting,
          .in_flight = state.in_flight,
          .lead = state.lead()};
}

const OpenRun* Planner::run(RunNo no) const {
  const TrackedRun* tracked = state_->find_run(no);
  return tracked ? &tracked->run : nullptr;
}

void Planner::State::on(DrainStarted&) {
  if (draining) return;
  draining = true;
  std::vector<TrackedRun*> unsent;
  for (auto& [no, tracked] : runs) {
    if (tracked.phase == Phase::in_flight) {
      actions.push_back(Withdraw{no, tracked.run.attempt});
    } else if (tracked.phase != Phase::committing) {
      unsent.push_back(&tracked);
    }
  }
  for (TrackedRun* tracked : unsent) arm(*tracked);  // as in withdraw_all()
}

void Planner::State::proceed() {
  fire_timers();
  repeat_lanes();
  if (!stopped()) {
    read_runs();
    plan();
  }
  flush_runs();
  release_shards();
  check_drained();
}

void Planner::State::check_drained() {
  if (!draining || drained || in_flight > 0 || !plan_lane.idle() || !run_lane.idle()) return;
  if (!run_items.empty() || leaving.any()) return;
  drained = true;
  actions.push_back(Drained{});
}

Instant Planner::State::next_wake() {
  Instant at = never;
  if (!timers.empty()) at = timers.top().first;
  for (const Lane* lane : {&plan_lane, &run_lane}) {
    if (!lane->batch && !lane->idle()) at = std::min(at, wall_of(lane->repeat_at));
  }
  if (!run_items.empty() && run_lane.idle()) {
    at = std::min(at, wall_of(run_items_since + options.outcome_wait));
  }
  at = std::min(at, release_wake());
  if (stopped()) return at;
  return std::min({at, plan_wake(), read_wake()});
}

void Planner::State::wake(bool woken) {
  const Instant at = next_wake();
  if (at == never) return;
  if (at == woke_for && !woken) return;
  woke_for = at;
  actions.push_back(WakeAt{at});
}

}  // namespace cronally::core
