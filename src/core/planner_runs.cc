#include <algorithm>

#include "base/check.h"
#include "core/planner_state.h"

namespace cronally::core {
namespace {

// A deliverer that calls a request back for reasons of its own (no permit yet) is asked again
// after this.
constexpr Duration withdrawn_pause = std::chrono::milliseconds{50};

bool tried(const OpenRun& run) { return run.attempt > 1 || run.failures > 0 || run.unknowns > 0; }

}  // namespace

// ---- Memory -----------------------------------------------------------------------------------

TrackedRun* Planner::State::find_run(RunNo no) {
  const auto found = runs.find(no);
  return found == runs.end() ? nullptr : &found->second;
}

Destination& Planner::State::destination_at(DestinationNo no) {
  const auto index = static_cast<std::size_t>(no);
  if (index >= destinations.size()) destinations.resize(index + 1);
  return destinations[index];
}

// A destination may hold its share, and beyond it as much as is left free: one that answers nothing
// ends with half of the room, two with a third each, and so on ("dynamic thresholds", Choudhury and
// Hahne 1998).
bool Planner::State::has_room(DestinationNo destination) {
  if (runs.size() >= options.armed_max) return false;
  const std::size_t tracked = destination_at(destination).tracked;
  return tracked < options.armed_per_destination_max || tracked < options.armed_max - runs.size();
}

TrackedRun& Planner::State::track(const OpenRun& run, JobEntry* job) {
  TrackedRun& tracked = runs[run.no];
  tracked.run = run;
  tracked.job = job;
  if (job) {
    tracked.destination = job->destination;
    tracked.at_most_once = job->delivery == DeliveryMode::at_most_once;
    tracked.job_next = job->runs;
    if (job->runs) job->runs->job_prev = &tracked;
    job->runs = &tracked;
  }
  ++destination_at(tracked.destination).tracked;
  ++shard_at(run.shard).tracked;
  return tracked;
}

void Planner::State::untrack(TrackedRun& tracked) {
  if (tracked.phase == Phase::waiting) dequeue(tracked);
  if (tracked.job_prev) tracked.job_prev->job_next = tracked.job_next;
  if (tracked.job_next) tracked.job_next->job_prev = tracked.job_prev;
  if (tracked.job && tracked.job->runs == &tracked) tracked.job->runs = tracked.job_next;
  if (tracked.job && tracked.job->orphaned && !tracked.job->runs) jobs.erase(tracked.job->no);
  --shard_at(tracked.run.shard).tracked;
  Destination& destination = destination_at(tracked.destination);
  --destination.tracked;
  if (destination.overflowed && destination.tracked <= options.armed_per_destination_max / 2) {
    destination.overflowed = false;
    read_now = true;
  }
  if (reading) departed.insert(tracked.run.no);
  runs.erase(tracked.run.no);
}

// ---- Before the request -----------------------------------------------------------------------

// Decides anew what becomes of a run that nothing is happening to.
void Planner::State::arm(TrackedRun& tracked) {
  if (tracked.phase == Phase::waiting) dequeue(tracked);
  tracked.phase = Phase::armed;
  if (!owns(tracked.run.shard, tracked.run.fence)) {  // sent by this node when it owned the shard
    if (acts_for(tracked.run.shard)) read_later(tracked.run.send_at);
    untrack(tracked);
    return;
  }
  if (!still_wanted(tracked)) return;
  const bool begun = tracked.at_most_once && tracked.run.state == RunState::begun;
  if (!begun && tracked.run.send_at > now.wall + horizon()) {
    read_later(tracked.run.send_at);
    untrack(tracked);
    return;
  }
  const Duration ahead = tracked.at_most_once && !begun ? begin_lead() : Duration{0};
  set_timer(tracked, tracked.run.send_at - ahead);
}

// False when the run was ended or left to the store.
bool Planner::State::still_wanted(TrackedRun& tracked) {
  const bool begun = tracked.at_most_once && tracked.run.state == RunState::begun;
  const bool excluded = std::exchange(tracked.excluded, false);
  if (draining || !acts_for(tracked.run.shard)) {
    if (begun) {  // whoever comes next may send it: it did not leave
      queue_item(tracked, Begin{tracked.run.no, tracked.run.shard, tracked.run.attempt, true});
    } else {
      untrack(tracked);
    }
    return false;
  }
  const JobEntry* job = tracked.job;
  if (!job || job->deleted) {
    cancel(tracked, Reason::deleted);
    return false;
  }
  if (job->paused && tracked.run.due <= job->changed_at) {  // held, in the store
    if (begun) {
      cancel(tracked, Reason::changed);
    } else {
      untrack(tracked);
    }
    return false;
  }
  if ((job->paused && tracked.run.kind == RunKind::scheduled) ||
      (excluded && !survives_change(tracked))) {
    cancel(tracked, Reason::changed);
    return false;
  }
  if (excluded) rebind(tracked);
  if (tracked.at_most_once && tried(tracked.run)) {  // at least once, when it was tried
    const bool failed = tracked.run.failures > 0;
    queue_end(tracked, failed ? Outcome::End{Verdict::failed, Reason::exhausted}
                              : Outcome::End{Verdict::unknown, Reason::fate_unknown});
    return false;
  }
  if (expired(tracked)) {
    queue_end(tracked, expired_end(tracked.run, tracked.replaces_unknown));
    return false;
  }
  return true;
}

// The rule of Replan (core/batch.h), for a run that a replan had to leave alone.
bool Planner::State::survives_change(const TrackedRun& tracked) const {
  const OpenRun& run = tracked.run;
  const JobEntry& job = *tracked.job;
  if (tried(run)) return true;
  if (run.due <= job.changed_at) return job.last_change == Replan::Change::resumed;
  if (run.kind != RunKind::scheduled) return true;
  return cron::next(job.schedule, run.due - instant_tick) == run.due;
}

// From here on the run is sent as its job's newest revision says.
void Planner::State::rebind(TrackedRun& tracked) {
  --destination_at(tracked.destination).tracked;
  tracked.destination = tracked.job->destination;
  ++destination_at(tracked.destination).tracked;
  tracked.at_most_once = tracked.job->delivery == DeliveryMode::at_most_once;
}

bool Planner::State::expired(const TrackedRun& tracked) const {
  const auto deadline =
      begin_deadline(tracked.run, tracked.replaces_unknown, policies[tracked.job->policy].catch_up);
  return deadline && now.wall > *deadline;
}

void Planner::State::set_timer(TrackedRun& tracked, Instant at) {
  tracked.timer = at;
  if (at != never) timers.emplace(at, tracked.run.no.value);
}

void Planner::State::fire_timers() {
  while (!timers.empty()) {
    const auto [at, no] = timers.top();
    TrackedRun* tracked = find_run(RunNo{no});
    const bool valid = tracked && tracked->timer == at;
    if (valid && at > now.wall) return;
    timers.pop();
    if (!valid) continue;
    tracked->timer = never;
    on_timer(*tracked);
  }
}

void Planner::State::on_timer(TrackedRun& tracked) {
  if (tracked.phase == Phase::in_flight || tracked.phase == Phase::committing) return;
  if (!still_wanted(tracked)) return;
  if (tracked.phase == Phase::waiting) return;
  if (tracked.at_most_once && tracked.run.state != RunState::begun) {
    queue_item(tracked, Begin{tracked.run.no, tracked.run.shard, tracked.run.attempt});
  } else if (now.wall < tracked.run.send_at) {
    set_timer(tracked, tracked.run.send_at);
  } else {
    ready(tracked);
  }
}

void Planner::State::ready(TrackedRun& tracked) {
  const Destination& destination = destination_at(tracked.destination);
  if (destination.in_flight < options.destination_concurrency && !destination.first) {
    send(tracked);
  } else {
    enqueue(tracked);
  }
}

// The one place from which a request leaves.
void Planner::State::send(TrackedRun& tracked) {
  CHECK(now.wall >= tracked.run.send_at, "a request was about to leave early");
  CHECK(owns(tracked.run.shard, tracked.run.fence),
        "a request was about to leave under another owner's fence");
  tracked.phase = Phase::in_flight;
  tracked.timer = never;
  tracked.sent_revision = tracked.job->revision;
  ++in_flight;
  ++shard_at(tracked.run.shard).in_flight;
  ++destination_at(tracked.destination).in_flight;
  actions.push_back(
      Send{tracked.run, tracked.sent_revision, tracked.destination, tracked.at_most_once});
}

void Planner::State::enqueue(TrackedRun& tracked) {
  Destination& destination = destination_at(tracked.destination);
  tracked.phase = Phase::waiting;
  tracked.queue_prev = destination.last;
  (destination.last ? destination.last->queue_next : destination.first) = &tracked;
  destination.last = &tracked;
  ++waiting;
  const auto deadline =
      begin_deadline(tracked.run, tracked.replaces_unknown, policies[tracked.job->policy].catch_up);
  set_timer(tracked, deadline ? *deadline + instant_tick : never);
}

void Planner::State::dequeue(TrackedRun& tracked) {
  Destination& destination = destination_at(tracked.destination);
  (tracked.queue_prev ? tracked.queue_prev->queue_next : destination.first) = tracked.queue_next;
  (tracked.queue_next ? tracked.queue_next->queue_prev : destination.last) = tracked.queue_prev;
  tracked.queue_prev = tracked.queue_next = nullptr;
  tracked.phase = Phase::armed;
  --waiting;
}

// Gives free slots to those who wait longest. A clock that was stepped back sends them back to
// their timers.
void Planner::State::pump(DestinationNo no) {
  while (destination_at(no).first &&
         destination_at(no).in_flight < options.destination_concurrency) {
    TrackedRun& tracked = *destination_at(no).first;
    dequeue(tracked);
    if (!still_wanted(tracked)) continue;
    if (now.wall < tracked.run.send_at) {
      set_timer(tracked, tracked.run.send_at);
    } else {
      send(tracked);
    }
  }
}

// ---- After the request ------------------------------------------------------------------------

void Planner::State::on(AttemptEnded& event) {
  TrackedRun* tracked = find_run(event.run);
  if (!tracked || tracked->phase != Phase::in_flight || tracked->run.attempt != event.attempt) {
    return;
  }
  const DestinationNo destination = tracked->destination;
  --in_flight;
  --shard_at(tracked->run.shard).in_flight;
  --destination_at(destination).in_flight;
  tracked->phase = Phase::armed;
  if (event.result.fate == Fate::withdrawn) {
    withdrawn(*tracked);
  } else if (!tracked->job) {
    NextStep next = Outcome::End{Verdict::cancelled, Reason::deleted};
    if (event.result.fate == Fate::answered && event.result.status / 100 == 2) {
      next = Outcome::End{Verdict::succeeded, Reason::none};
    }
    report(*tracked, std::move(event.result), next);
  } else {
    const JobEntry& job = *tracked->job;
    const Retry& retry = policies[job.policy].retry;
    const Duration age_max = age_max_of(retry, job.schedule, tracked->run.scheduled_at);
    NextStep next = next_step({.run = tracked->run,
                               .result = event.result,
                               .delivery = tracked->at_most_once ? DeliveryMode::at_most_once
                                                                 : DeliveryMode::at_least_once,
                               .retry = retry,
                               .age_max = age_max,
                               .now = now.wall,
                               .jitter = random.unit()});
    const bool again = std::holds_alternative<Outcome::Again>(next);
    if (again && job.deleted) next = Outcome::End{Verdict::cancelled, Reason::deleted};
    report(*tracked, std::move(event.result), next);
  }
  pump(destination);
}

void Planner::State::report(TrackedRun& tracked, AttemptResult result, NextStep next) {
  const OpenRun& run = tracked.run;
  queue_item(tracked, Outcome{run.no, run.shard, run.fence, run.attempt, tracked.sent_revision,
                              std::move(result), next});
  tracked.reporting = true;
}

// The number was not used; whether the run is still wanted decides its job.
void Planner::State::withdrawn(TrackedRun& tracked) {
  const RunNo no = tracked.run.no;
  arm(tracked);
  TrackedRun* kept = find_run(no);
  if (kept && kept->phase == Phase::armed) set_timer(*kept, now.wall + withdrawn_pause);
}

void Planner::State::queue_item(TrackedRun& tracked, Item item) {
  if (tracked.phase == Phase::waiting) dequeue(tracked);
  tracked.phase = Phase::committing;
  tracked.timer = never;
  if (run_items.empty()) run_items_since = now.steady;
  if (!std::holds_alternative<Outcome>(item)) ++run_items_urgent;
  run_items.push_back(std::move(item));
}

void Planner::State::queue_end(TrackedRun& tracked, Outcome::End end) {
  queue_item(tracked, End{tracked.run.no, tracked.run.shard, end.verdict, end.reason});
}

void Planner::State::cancel(TrackedRun& tracked, Reason reason) {
  queue_end(tracked, {Verdict::cancelled, reason});
}

}  // namespace cronally::core
