// A store that forgets, and what nodes put back. What is judged there is core/journal.h's.
#include <algorithm>

#include "tests/sim/model_store.h"

namespace cronally::sim {

using core::PutBack;

ModelStore::Memory ModelStore::memory() const {
  std::lock_guard lock(mutex_);
  Memory now{.shards = shards_,
             .runs = runs_,
             .open = open_,
             .run_ids = run_ids_,
             .scheduled = scheduled_,
             .spans = spans_,
             .living = living_,
             .generation = generation_};
  for (const auto& [no, job] : jobs_) now.planned[no] = job.planned_revision;
  return now;
}

// Numbers of runs and fences are not given again: a server skips those that it may have given.
void ModelStore::put_back(const Memory& before) {
  std::lock_guard lock(mutex_);
  for (const auto& [no, run] : runs_) forgotten_[run.open.id] = run;
  shards_ = before.shards;
  runs_ = before.runs;
  open_ = before.open;
  run_ids_ = before.run_ids;
  scheduled_ = before.scheduled;
  spans_ = before.spans;
  living_ = before.living;
  generation_ = before.generation;
  for (auto& [no, job] : jobs_) {
    const auto planned = before.planned.find(no);
    job.planned_revision = planned == before.planned.end() ? 0 : planned->second;
  }
  unnoticed_ = true;
}

const RunRecord* ModelStore::find_ever(const RunId& id) const {
  if (const RunRecord* known = find_record(id)) return known;
  const auto found = forgotten_.find(id);
  return found == forgotten_.end() ? nullptr : &found->second;
}

// Nothing is granted.
bool ModelStore::is_quiet(const core::Heartbeat& said, core::HeartbeatAnswer& answer) {
  const core::ServerMark noted{1, unnoticed_ ? 1 : 2};
  const auto rise = core::judge_memory(noted, {1, 2}, generation_, said.generation, false);
  if (rise > 0) {
    unnoticed_ = false;
    generation_ += rise;
    quiet_ = {answer.at, core::quiet_until({answer.at, answer.at}, said.ttl, false, answer.at)};
    const Fence nobodys{(generation_ << core::generation_shift) + ++counter_};
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      free({static_cast<std::int64_t>(i)});
      shards_[i].fence = nobodys;
    }
  } else if (answer.at < quiet_.until) {
    quiet_.until = core::quiet_until(quiet_, said.ttl, said.putting_back, answer.at);
  }
  answer.generation = generation_;
  answer.quiet_until = quiet_.until;
  const bool remembers =
      !said.putting_back && (said.generation == 0 || said.generation == generation_);
  if (remembers && answer.at >= quiet_.until) return false;
  living_[said.node] = {said.node, said.draining, answer.at + said.ttl};
  answer.lacking = 1;
  commit_clock();
  return true;
}

std::vector<PutBack> ModelStore::reassert(const std::vector<core::RememberedRun>& runs) {
  std::lock_guard lock(mutex_);
  std::vector<PutBack> what;
  for (const auto& known : runs) what.push_back(reassert(known));
  return what;
}

PutBack ModelStore::reassert(const core::RememberedRun& known) {
  const auto job = std::ranges::find_if(
      jobs_, [&](const auto& record) { return record.second.job.id == known.job; });
  RunRecord* stored = nullptr;
  if (job != jobs_.end()) {
    const auto found = scheduled_.find({job->first, known.run.due});
    if (found != scheduled_.end()) stored = find_run(found->second);
  }
  std::optional<core::StoredRun> row;
  if (stored) {
    const core::OpenRun& open = stored->open;
    row = core::StoredRun{open.id, open.state == core::RunState::ended, open.state, open.attempt,
                          open.fence};
  }
  const PutBack what = core::put_back(known, job != jobs_.end(), row);
  if (what == PutBack::inserted) insert(known, job->second);
  if (what != PutBack::raised && what != PutBack::ended) return what;
  stored->open.attempt = known.run.attempt;
  stored->open.fence = known.run.fence;
  if (what == PutBack::ended) {
    for (const auto& attempt : known.attempts) stored->attempts[attempt.number];
    end_run(*stored, known.verdict, known.reason);
    return what;
  }
  stored->open.state = std::max(stored->open.state, known.run.state);
  stored->open.send_at = known.run.send_at;
  stored->open.failures = std::max(stored->open.failures, known.run.failures);
  stored->open.unknowns = std::max(stored->open.unknowns, known.run.unknowns);
  if (!stored->open.first_attempt_at) stored->open.first_attempt_at = known.run.first_attempt_at;
  return what;
}

void ModelStore::insert(const core::RememberedRun& known, const JobRecord& job) {
  RunRecord record{.open = known.run};
  record.open.no = {++last_run_};
  record.open.job = job.job.no;
  record.open.revision = std::min(known.run.revision, job.job.revision);
  for (const auto& attempt : known.attempts) record.attempts[attempt.number];
  const RunNo no = record.open.no;
  run_ids_[record.open.id] = no;
  scheduled_[{job.job.no, record.open.due}] = no;
  const bool ended = record.open.state == core::RunState::ended;
  RunRecord& kept = runs_[no] = std::move(record);
  if (!ended) {
    open_.insert(no);
    return;
  }
  end_run(kept, known.verdict, known.reason);
}

}  // namespace cronally::sim
