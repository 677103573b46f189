#include <algorithm>

#include "core/planner_state.h"

namespace cronally::core {
namespace {

std::int64_t second_of(Instant at) {
  return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

// How often a run is looked for whose request is out at the owner before: that one may record a
// failure, and a retry is owed then, at whatever time.
constexpr Duration left_look = std::chrono::seconds{2};

Instant start_of(std::int64_t second) { return Instant{std::chrono::seconds{second}}; }

}  // namespace

// Remembers that the store holds a run that memory does not, owed at `send_at`.
void Planner::State::read_later(Instant send_at) {
  later.insert(second_of(send_at));
  if (reading) later_in_read.insert(second_of(send_at));
}

bool Planner::State::read_due() const {
  if (read_now) return plan_lane.idle();
  const Instant until = now.wall + lead();
  if (now.steady < read_not_before) return false;
  return unread_from <= until || (!later.empty() && start_of(*later.begin()) <= until);
}

// At most one read at a time, at most one per half lead but for those that a change asks for, and
// none while memory is full.
void Planner::State::read_runs() {
  if (reading || runs.size() >= options.armed_max || !read_due()) return;
  const Instant near = std::max({now.wall + horizon(), cursor_max(), passed_over_until});
  read_now = false;
  read_not_before = now.steady + lead() / 2;
  issue_read(unread_from <= near ? instant_max : near);
}

// From `at` on, which is a time to read at: rows that no read has seen may lie anywhere.
void Planner::State::discover_again(Instant at) {
  unread_from = std::min(unread_from, at);
  unread_again = std::min(unread_again, at);
}

void Planner::State::issue_read(Instant until) {
  unread_again = never;
  reading = ++last_number;
  read_until = until;
  departed.clear();
  changed_in_read.clear();
  later_in_read.clear();
  actions.push_back(
      ReadOpenRuns{*reading, acting, until, options.runs_per_read + runs.size() + rows_left});
}

Instant Planner::State::read_wake() const {
  if (reading || runs.size() >= options.armed_max) return never;
  if (read_now) return plan_lane.idle() ? now.wall : never;
  Instant at = unread_from == never ? never : unread_from - lead();
  if (!later.empty()) at = std::min(at, start_of(*later.begin()) - lead());
  return at == never ? never : std::max(at, wall_of(read_not_before));
}

void Planner::State::on(RunsRead& event) {
  if (!reading || event.read != *reading) return;
  if (stopped()) {
    reading.reset();
    return;
  }
  // The seconds that the read covers are known anew: what stays in the store is noted again. What
  // was noted while the read was under way it may not have seen.
  const Instant known_until =
      event.complete || event.runs.empty() ? read_until : event.runs.back().send_at - instant_tick;
  while (!later.empty() && start_of(*later.begin() + 1) - instant_tick <= known_until) {
    later.erase(later.begin());
  }
  later.insert(later_in_read.begin(), later_in_read.end());
  rows_left = 0;
  for (const OpenRun& row : event.runs) {
    if (!take_row(row)) read_later(row.send_at);
    if (!find_run(row.no)) ++rows_left;
  }
  finish_read(event);
}

void Planner::State::finish_read(const RunsRead& event) {
  reading.reset();
  departed.clear();
  changed_in_read.clear();
  const bool discovering = read_until == instant_max;
  if (event.complete || event.runs.empty()) {
    if (discovering) unread_from = unread_again;
    return;
  }
  const OpenRun& last = event.runs.back();
  if (discovering) unread_from = std::min(last.send_at, unread_again);
  if (last.send_at <= now.wall + horizon() && runs.size() < options.armed_max) {
    issue_read(read_until);
  }
}

// A row may be older than what has happened since it was read: then memory knows better. False
// when the run must be read again later.
bool Planner::State::take_row(const OpenRun& row) {
  if (find_run(row.no) || departed.contains(row.no) || !acts_for(row.shard)) return true;
  const Fence fence = fences.of(row.shard);
  if (row.fence != fence && row.left_until > now.wall) {
    discover_again(std::min(row.left_until, now.wall + left_look));
    return true;
  }
  JobEntry* job = find_job(row.job);
  if (changed_in_read.contains(row.job)) {
    read_now = true;
    return false;
  }
  if (job && job->dirty) {
    job->read_after = true;
    return false;
  }
  // Its claim may be in the batch under way, whose outcome arms it: not twice.
  const bool fresh = row.fence == fence && row.attempt == 1 && row.failures == 0;
  if (fresh && !plan_lane.idle()) {
    read_now = true;
    return false;
  }
  if (job && row.send_at > now.wall + horizon()) return false;
  const DestinationNo destination = job ? job->destination : 0;
  if (!has_room(destination)) {
    if (runs.size() >= options.armed_max || row.send_at > now.wall + horizon()) return false;
    destination_at(destination).overflowed = true;
    passed_over_until = std::max(passed_over_until, row.send_at);
    return true;
  }
  TrackedRun& tracked = track(row, job);
  // Its job's replan left it alone, for an owner before may have sent it.
  tracked.excluded = job && row.fence != fence && row.revision < job->revision;
  if (row.fence == fence) {
    arm(tracked);  // never sent under its number: this process would know it
  } else {
    take_over(tracked);
  }
  return true;
}

// The run of an owner before: what it may have sent is not sent again under the same number.
void Planner::State::take_over(TrackedRun& tracked) {
  const OpenRun& run = tracked.run;
  if (!tracked.job) {
    cancel(tracked, Reason::deleted);
    return;
  }
  bool sent_perhaps = run.send_at <= shard_at(run.shard).sent_until;
  if (tracked.at_most_once) {
    if (run.state == RunState::begun) {
      queue_end(tracked, {Verdict::unknown, Reason::fate_unknown});
      return;
    }
    // Under another revision it may have been at least once, which does not say what it sends.
    if (sent_perhaps && run.revision != tracked.job->revision) {
      queue_end(tracked, {Verdict::unknown, Reason::fate_unknown});
      return;
    }
    sent_perhaps = false;
  }
  tracked.replaces_unknown = sent_perhaps;
  if (sent_perhaps && run.unknowns + 1 >= unknown_attempts_max) {
    queue_end(tracked, {Verdict::unknown, Reason::unknown_attempts});
    return;
  }
  if (!still_wanted(tracked)) return;
  queue_item(tracked, Takeover{run.no, run.shard, run.attempt, sent_perhaps});
}

}  // namespace cronally::core
