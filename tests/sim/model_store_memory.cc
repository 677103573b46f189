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
             .keys = keys_,
             .spans = spans_,
             .living = living_,
             .generation = generation_,
             .counter = counter_,
             .quiet = quiet_};
  for (const auto& [no, job] : jobs_) now.planned[no] = job.planned_revision;
  return now;
}

// Jobs stay, and how often each shard's were changed. Numbers of runs are not given again: a server
// skips those that it may have given.
void ModelStore::put_back(const Memory& before, bool promoted) {
  std::lock_guard lock(mutex_);
  for (const auto& [no, run] : runs_) forgotten_[run.open.id] = run;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const auto change = shards_[i].change;
    shards_[i] = before.shards[i];
    shards_[i].change = change;
  }
  runs_ = before.runs;
  open_ = before.open;
  run_ids_ = before.run_ids;
  scheduled_ = before.scheduled;
  keys_ = before.keys;
  spans_ = before.spans;
  living_ = before.living;
  generation_ = before.generation;
  counter_ = before.counter;
  quiet_ = before.quiet;
  for (auto& [no, job] : jobs_) {
    const auto planned = before.planned.find(no);
    job.planned_revision = planned == before.planned.end() ? 0 : planned->second;
  }
  unnoticed_ = promoted;
  ++servers_;
}

const RunRecord* ModelStore::find_ever(const RunId& id) const {
  if (const RunRecord* known = find_record(id)) return known;
  const auto found = forgotten_.find(id);
  return found == forgotten_.end() ? nullptr : &found->second;
}

// ---- How it is noticed --------------------------------------------------------------------------

std::int64_t ModelStore::judge(const core::Heartbeat& said) const {
  const core::ServerMark now{1, 2};
  const core::ServerMark noted{1, unnoticed_ ? 1 : 2};
  const bool behind = std::ranges::any_of(
      said.cursors, [this](const auto& known) { return shard(known.first).cursor < known.second; });
  return core::judge_memory(noted, now, generation_, said.generation, behind);
}

std::vector<core::NodeRow> ModelStore::rows() const {
  std::vector<core::NodeRow> rows;
  for (const auto& [node, row] : living_) rows.push_back(row);
  return rows;
}

void ModelStore::revoke(std::int64_t rise, Instant now) {
  unnoticed_ = false;
  ++noticed_;
  generation_ += rise;
  quiet_ = {now, now};
  if (!loud_) quiet_.until = core::quiet_until(quiet_, generation_, rows(), now);
  const Fence nobodys{(generation_ << core::generation_shift) + ++counter_};
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    free({static_cast<std::int64_t>(i)});
    shards_[i].fence = nobodys;
  }
}

// The row of who says a heartbeat, and of those that it tells of.
void ModelStore::note_alive(const core::Heartbeat& said, Instant now) {
  core::NodeRow& row = living_[said.node];
  row.node = said.node;
  row.draining = said.draining;
  row.ends = now + said.ttl;
  row.beat_at = now;
  row.back = said.putting_back ? 0 : said.generation == 0 ? generation_ : said.generation;
  if (said.generation != generation_) return;
  for (const NodeId peer : said.peers) {
    core::NodeRow& told = living_[peer];
    told.node = peer;
    told.awaited = generation_;
  }
}

// True: nothing is granted.
bool ModelStore::is_quiet(const core::Heartbeat& said, core::HeartbeatAnswer& answer) {
  const Instant now = answer.at;
  note_alive(said, now);
  if (const auto rise = judge(said); rise > 0) {
    revoke(rise, now);
  } else if (now < quiet_.until) {
    quiet_.until = core::quiet_until(quiet_, generation_, rows(), now);
  }
  answer.generation = generation_;
  answer.quiet_until = quiet_.until;
  for (const auto& [node, row] : living_) {
    if (row.ends > now) answer.living.push_back(node);
  }
  const bool remembers =
      !said.putting_back && (said.generation == 0 || said.generation == generation_);
  if (remembers && now >= quiet_.until) return false;
  answer.lacking = 1;
  commit_clock();
  return true;
}

// ---- Putting back -------------------------------------------------------------------------------

std::vector<PutBack> ModelStore::reassert(const std::vector<core::RememberedRun>& runs) {
  std::lock_guard lock(mutex_);
  std::vector<PutBack> what;
  for (const auto& known : runs) what.push_back(reassert(known));
  return what;
}

// The run that holds its occurrence. A run on request has none but its own.
RunRecord* ModelStore::holder_of(const core::RememberedRun& known, JobNo job) {
  if (known.run.kind != core::RunKind::scheduled) {
    const auto found = run_ids_.find(known.run.id);
    return found == run_ids_.end() ? nullptr : find_run(found->second);
  }
  const auto found = scheduled_.find({job, known.run.due});
  return found == scheduled_.end() ? nullptr : find_run(found->second);
}

PutBack ModelStore::reassert(const core::RememberedRun& known) {
  const auto job = std::ranges::find_if(
      jobs_, [&](const auto& record) { return record.second.job.id == known.job; });
  if (job == jobs_.end()) return PutBack::job_lost;
  RunRecord* stored = holder_of(known, job->first);
  std::optional<core::StoredRun> row;
  if (stored) {
    const core::OpenRun& open = stored->open;
    row = core::StoredRun{.id = open.id,
                          .verdict = stored->verdict,
                          .state = open.state,
                          .attempt = open.attempt,
                          .fence = open.fence,
                          .acted_on = core::generation_of(open.fence) == generation_};
  }
  const PutBack what = core::put_back(known, true, row);
  if (what == PutBack::inserted) insert(known, job->second);
  if (what != PutBack::raised && what != PutBack::ended) return what;
  core::OpenRun& open = stored->open;
  open.attempt = std::max(open.attempt, known.run.attempt);
  open.fence = std::max(open.fence, known.run.fence);
  note_attempts(*stored, known);
  if (what == PutBack::ended) {
    end_run(*stored, known.verdict, known.reason);
    return what;
  }
  open.state = std::max(open.state, known.run.state);
  open.send_at = known.run.send_at;
  open.failures = std::max(open.failures, known.run.failures);
  open.unknowns = std::max(open.unknowns, known.run.unknowns);
  if (!open.first_attempt_at) open.first_attempt_at = known.run.first_attempt_at;
  return what;
}

void ModelStore::insert(const core::RememberedRun& known, const JobRecord& job) {
  const RunNo no{++last_run_};
  RunRecord& record = runs_[no] = {.open = known.run};
  record.open.no = no;
  record.open.job = job.job.no;
  record.open.revision = std::min(known.run.revision, job.job.revision);
  note_attempts(record, known);
  run_ids_[record.open.id] = no;
  if (record.open.kind == core::RunKind::scheduled) {
    scheduled_[{job.job.no, record.open.due}] = no;
  } else {
    record.key = "journal:" + known.run.id.text();
    keys_[{job.job.no, record.key}] = no;
  }
  if (record.open.state == core::RunState::ended) {
    end_run(record, known.verdict, known.reason);
  } else {
    open_.insert(no);
  }
}

void ModelStore::note_attempts(RunRecord& record, const core::RememberedRun& known) {
  for (const auto& told : known.attempts) {
    if (told.fate == core::Fate::withdrawn) continue;
    record.attempts.try_emplace(told.number,
                                core::Attempt{.number = told.number,
                                              .revision = told.revision,
                                              .fence = told.fence,
                                              .node = known.node,
                                              .result = {.fate = told.fate,
                                                         .status = told.status,
                                                         .first_byte_at = told.first_byte_at,
                                                         .ended_at = told.ended_at}});
  }
}

}  // namespace cronally::sim
