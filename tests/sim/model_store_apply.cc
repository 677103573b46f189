// core/batch.h, item by item.
#include <algorithm>

#include "tests/sim/model_store.h"

namespace cronally::sim {

using core::ItemOutcome;
using core::ItemStatus;
using core::RunState;

namespace {

bool is_open(const RunRecord& run) {
  return run.open.state == RunState::claimed || run.open.state == RunState::begun;
}

bool tried(const core::OpenRun& run) {
  return run.attempt > 1 || run.failures > 0 || run.unknowns > 0;
}

// Whether this very outcome is what the run shows: its batch is being repeated.
bool already_followed(const RunRecord& run, const core::Outcome& item, Fence fence) {
  if (run.open.fence != fence) return false;
  if (const auto* end = std::get_if<core::Outcome::End>(&item.next)) {
    return run.open.state == RunState::ended && run.open.attempt == item.attempt &&
           run.verdict == end->verdict && run.reason == end->reason;
  }
  return run.open.state == RunState::begun && run.open.attempt == item.attempt + 1 &&
         run.open.send_at == std::get<core::Outcome::Again>(item.next).send_at;
}

}  // namespace

core::BatchFate ModelStore::apply(const core::Batch& batch) {
  std::lock_guard lock(mutex_);
  core::BatchCommitted committed{.at = commit_clock()};
  early_ = {};
  for (const auto& item : batch.items) {
    const ShardNo no = std::visit([](const auto& what) { return what.shard; }, item);
    const bool owner = counts(item, batch.fences);
    const bool ack = ignore_fences_of_acks_ && std::holds_alternative<core::Advance>(item);
    if (!owner && !ignore_fences_ && !ack) {
      committed.outcomes.push_back({ItemStatus::fenced, {}});
      continue;
    }
    const Fence fence = batch.fences.of(no);
    const ItemOutcome outcome =
        std::visit([&](const auto& what) { return apply_item(what, fence); }, item);
    if (!owner && !ack && outcome.status == ItemStatus::done) ++stale_writes_;
    committed.outcomes.push_back(outcome);
  }
  changed_.notify_all();
  return committed;
}

// A lease that has ended and was not given to another still counts: nobody else acts for it. On a
// store that has forgotten, none of before does.
bool ModelStore::counts(const core::Item& item, const core::Fences& fences) {
  if (const auto* outcome = std::get_if<core::Outcome>(&item)) {
    if (!unnoticed_ && shard(outcome->shard).fence == outcome->fence) return true;
    const RunRecord* run = find_run(outcome->run);
    return run && run->open.fence == outcome->fence;
  }
  const ShardNo no = std::visit([](const auto& what) { return what.shard; }, item);
  return !unnoticed_ && shard(no).fence == fences.of(no);
}

RunRecord* ModelStore::find_run(RunNo no) {
  const auto found = runs_.find(no);
  return found == runs_.end() ? nullptr : &found->second;
}

// If it owes what is due until then: what was due before a pause may still be claimed.
JobRecord* ModelStore::live_revision(JobNo no, Revision revision, Instant until) {
  const auto found = jobs_.find(no);
  if (found == jobs_.end()) return nullptr;
  JobRecord& record = found->second;
  const bool owes = !record.job.definition.paused || until <= record.job.updated_at;
  const bool live = !record.deleted && owes;
  return live && record.job.revision == revision ? &record : nullptr;
}

void ModelStore::end_run(RunRecord& run, core::Verdict verdict, core::Reason reason) {
  run.open.state = RunState::ended;
  run.verdict = verdict;
  run.reason = reason;
  run.ended_at = last_commit_;
  if (verdict == core::Verdict::succeeded) succeeded_.insert(run.open.id);
  open_.erase(run.open.no);
}

ItemOutcome ModelStore::apply_item(const core::Claim& item, Fence fence) {
  if (const auto known = run_ids_.find(item.id); known != run_ids_.end()) {
    return {ItemStatus::done, known->second};
  }
  if (!live_revision(item.job, item.revision, item.due)) return {ItemStatus::stale, {}};
  if (scheduled_.contains({item.job, item.due})) return {ItemStatus::present, {}};
  if (item.due > clock_().wall + core::lead_max) {
    early_.note(item);
    return {ItemStatus::early, {}};
  }
  const RunNo no{++last_run_};
  RunRecord run;
  run.open = {.no = no,
              .id = item.id,
              .job = item.job,
              .shard = item.shard,
              .revision = item.revision,
              .kind = core::RunKind::scheduled,
              .state = RunState::claimed,
              .scheduled_at = item.scheduled_at,
              .due = item.due,
              .fence = fence,
              .send_at = item.due};
  runs_[no] = run;
  open_.insert(no);
  run_ids_[item.id] = no;
  scheduled_[{item.job, item.due}] = no;
  return {ItemStatus::done, no};
}

ItemOutcome ModelStore::apply_item(const core::Skip& item, Fence) {
  if (!live_revision(item.job, item.revision, Instant::max())) return {ItemStatus::stale, {}};
  const bool present = std::ranges::any_of(spans_, [&](const SkipRecord& skip) {
    return skip.job == item.job && skip.from == item.from && skip.to == item.to;
  });
  if (!present) {
    spans_.push_back({item.job, item.revision, item.from, item.to, item.reason, clock_().wall});
  }
  return {};
}

ItemOutcome ModelStore::apply_item(const core::Advance& item, Fence) {
  ShardRecord& shard = shards_.at(static_cast<std::size_t>(item.shard.value));
  shard.cursor = std::max(shard.cursor, early_.cursor_after(item));
  shard.seen = std::max(shard.seen, item.seen);
  return {};
}

ItemOutcome ModelStore::apply_item(const core::Replan& item, Fence fence) {
  const auto found = jobs_.find(item.job);
  if (found == jobs_.end()) return {ItemStatus::stale, {}};
  JobRecord& record = found->second;
  // A repeat finds its work done. What it would do to runs that came since is not its business.
  if (record.planned_revision == item.revision) return {};
  if (record.job.revision != item.revision) return {ItemStatus::stale, {}};
  const bool live = !record.deleted && !record.job.definition.paused;
  std::vector<RunNo> erased;
  for (const RunNo no : std::vector<RunNo>(open_.begin(), open_.end())) {
    RunRecord& run = runs_.at(no);
    if (run.open.job != item.job) continue;
    if (std::ranges::find(item.in_flight, no) != item.in_flight.end()) continue;
    const bool sent_perhaps = run.open.fence != fence && run.open.due <= clock_().wall;
    const bool ahead = run.open.kind == core::RunKind::scheduled && !tried(run.open) &&
                       run.open.due > item.changed_at;
    const bool owed = live && std::ranges::binary_search(item.owed, run.open.due);
    if (ahead && sent_perhaps) continue;
    if (ahead && owed) {
      run.open.revision = item.revision;
    } else if (ahead) {
      erased.push_back(no);
    } else {
      replan_run(run, item);
    }
  }
  for (const RunNo no : erased) {
    const core::OpenRun& run = runs_.at(no).open;
    run_ids_.erase(run.id);
    scheduled_.erase({run.job, run.due});
    open_.erase(no);
    runs_.erase(no);
  }
  for (const core::Skip& skip : item.skips) skip_before(skip);
  record.planned_revision = item.revision;
  return {};
}

// Less what a run, or a span of the revision, accounts for.
void ModelStore::skip_before(const core::Skip& skip) {
  std::vector<std::pair<Instant, Instant>> known{{skip.to, skip.to}};
  for (const auto& [occurrence, no] : scheduled_) {
    const auto& [job, due] = occurrence;
    if (job == skip.job) known.emplace_back(due - Duration{1}, due);
  }
  for (const SkipRecord& span : spans_) {
    if (span.job == skip.job && span.revision == skip.revision) {
      known.emplace_back(span.from, span.to);
    }
  }
  std::ranges::sort(known);
  Instant from = skip.from;
  for (const auto& [since, until] : known) {
    if (from < std::min(since, skip.to)) {
      spans_.push_back(
          {skip.job, skip.revision, from, std::min(since, skip.to), skip.reason, clock_().wall});
    }
    from = std::max(from, until);
  }
}

// A run that was due by the time of the change, or tried, or asked for by hand.
void ModelStore::replan_run(RunRecord& run, const core::Replan& item) {
  using Change = core::Replan::Change;
  if (item.change == Change::deleted) {
    end_run(run, core::Verdict::cancelled, core::Reason::deleted);
  } else if (item.change == Change::changed && !tried(run.open) &&
             run.open.due <= item.changed_at) {
    end_run(run, core::Verdict::cancelled, core::Reason::changed);
  }
}

ItemOutcome ModelStore::apply_item(const core::Accept& item, Fence fence) {
  RunRecord* run = find_run(item.run);
  if (run && run->open.state == RunState::claimed && run->open.fence == fence) return {};
  if (!run || run->open.state != RunState::requested) return {ItemStatus::gone, {}};
  run->open.state = RunState::claimed;
  run->open.fence = fence;
  return {};
}

ItemOutcome ModelStore::apply_item(const core::Begin& item, Fence fence) {
  RunRecord* run = find_run(item.run);
  if (!run || !is_open(*run) || run->open.fence != fence || run->open.attempt != item.attempt) {
    return {ItemStatus::gone, {}};
  }
  run->open.state = item.taken_back ? RunState::claimed : RunState::begun;
  return {};
}

ItemOutcome ModelStore::apply_item(const core::Takeover& item, Fence fence) {
  RunRecord* run = find_run(item.run);
  if (!run || !is_open(*run)) return {ItemStatus::gone, {}};
  const std::int32_t attempt = item.attempt_was + (item.sent_perhaps ? 1 : 0);
  if (run->open.fence == fence && run->open.attempt == attempt) return {};  // a repeat
  if (run->open.fence >= fence || run->open.attempt != item.attempt_was) {
    return {ItemStatus::gone, {}};
  }
  run->open.fence = fence;
  run->open.attempt = attempt;
  run->open.left_until = {};
  if (item.sent_perhaps) ++run->open.unknowns;
  return {};
}

ItemOutcome ModelStore::apply_item(const core::Outcome& item, Fence) {
  const Fence fence = item.fence;
  RunRecord* run = find_run(item.run);
  if (!run) return {ItemStatus::gone, {}};
  const auto [row, fresh] = run->attempts.try_emplace(item.attempt);
  if (fresh || row->second.fence == fence) {
    row->second = {.number = item.attempt,
                   .revision = item.revision,
                   .fence = fence,
                   .node = nodes_[fence],
                   .result = item.result};
  }
  if (!is_open(*run) || run->open.fence != fence || run->open.attempt != item.attempt) {
    return {already_followed(*run, item, fence) ? ItemStatus::done : ItemStatus::gone, {}};
  }
  if (!run->open.first_attempt_at) {
    run->open.first_attempt_at = item.result.first_byte_at.value_or(item.result.ended_at);
  }
  if (const auto* end = std::get_if<core::Outcome::End>(&item.next)) {
    end_run(*run, end->verdict, end->reason);
    return {};
  }
  run->open.left_until = {};
  run->open.state = RunState::begun;
  run->open.attempt = item.attempt + 1;
  run->open.send_at = std::get<core::Outcome::Again>(item.next).send_at;
  ++run->open.failures;
  return {};
}

ItemOutcome ModelStore::apply_item(const core::End& item, Fence fence) {
  RunRecord* run = find_run(item.run);
  if (!run) return {ItemStatus::gone, {}};
  if (run->open.state == RunState::ended) {
    const bool same = run->verdict == item.verdict && run->reason == item.reason;
    return {same ? ItemStatus::done : ItemStatus::gone, {}};
  }
  if (run->open.fence > fence) return {ItemStatus::gone, {}};
  end_run(*run, item.verdict, item.reason);
  return {};
}

}  // namespace cronally::sim
