#include "core/journal_notes.h"

#include <algorithm>

namespace cronally::core {
namespace {

// How a run stands once the item has taken effect, and whether that lets it be sent. Items that
// name no run have no such record.
struct Standing {
  JournalRun record;
  bool durable = true;
};

Standing standing(const OpenRun& run, Fence fence) {
  Standing after{.record = {.run = run}};
  after.record.run.fence = fence;
  return after;
}

JournalAttempt attempt_of(const Outcome& outcome) {
  return {.number = outcome.attempt,
          .revision = outcome.revision,
          .fence = outcome.fence,
          .fate = outcome.result.fate,
          .status = outcome.result.status,
          .first_byte_at = outcome.result.first_byte_at,
          .ended_at = outcome.result.ended_at};
}

Standing ended(Standing after, Verdict verdict, Reason reason) {
  after.record.run.state = RunState::ended;
  after.record.verdict = verdict;
  after.record.reason = reason;
  after.durable = false;
  return after;
}

Standing after(const Accept&, const OpenRun& run, Fence fence) {
  Standing then = standing(run, fence);
  then.record.run.state = RunState::claimed;
  return then;
}

Standing after(const Begin& item, const OpenRun& run, Fence fence) {
  Standing then = standing(run, fence);
  then.record.run.state = item.taken_back ? RunState::claimed : RunState::begun;
  then.durable = !item.taken_back;
  return then;
}

Standing after(const Takeover& item, const OpenRun& run, Fence fence) {
  Standing then = standing(run, fence);
  if (item.sent_perhaps) {
    ++then.record.run.attempt;
    ++then.record.run.unknowns;
  }
  return then;
}

Standing after(const Outcome& item, const OpenRun& run, Fence) {
  Standing then = standing(run, item.fence);
  then.record.attempt = attempt_of(item);
  if (const auto* end = std::get_if<Outcome::End>(&item.next)) {
    return ended(std::move(then), end->verdict, end->reason);
  }
  OpenRun& next = then.record.run;
  next.state = RunState::begun;
  next.attempt = item.attempt + 1;
  next.send_at = std::get<Outcome::Again>(item.next).send_at;
  ++next.failures;
  if (!next.first_attempt_at) {
    next.first_attempt_at = item.result.first_byte_at.value_or(item.result.ended_at);
  }
  return then;
}

Standing after(const End& item, const OpenRun& run, Fence fence) {
  return ended(standing(run, fence), item.verdict, item.reason);
}

JournalRun claimed(const Claim& claim, Fence fence, JobId job) {
  return {.job = job,
          .run = {.id = claim.id,
                  .job = claim.job,
                  .shard = claim.shard,
                  .revision = claim.revision,
                  .scheduled_at = claim.scheduled_at,
                  .due = claim.due,
                  .fence = fence,
                  .send_at = claim.due}};
}

}  // namespace

void JournalNotes::learn(const Event& event) {
  if (const auto* acquired = std::get_if<ShardsAcquired>(&event)) {
    for (const auto& grant : acquired->shards) {
      ids_.at(static_cast<std::size_t>(grant.shard.value)).clear();
    }
    learn(acquired->jobs);
  } else if (const auto* read = std::get_if<ChangesRead>(&event)) {
    learn(read->jobs);
  } else if (const auto* changed = std::get_if<SchedulesChanged>(&event)) {
    learn(changed->jobs);
  }
}

void JournalNotes::learn(const std::vector<PlannedJob>& jobs) {
  ShardSet touched;
  for (const PlannedJob& job : jobs) {
    const auto shard = static_cast<std::size_t>(job.shard.value);
    ids_.at(shard).emplace_back(job.no, job.id);
    touched.set(shard);
  }
  for (std::size_t shard = 0; shard < ids_.size(); ++shard) {
    if (!touched.test(shard)) continue;
    auto& ids = ids_[shard];
    if (!std::ranges::is_sorted(ids)) std::ranges::sort(ids);
    const auto twice = std::ranges::unique(ids);
    ids.erase(twice.begin(), twice.end());
  }
}

JobId JournalNotes::id_of(ShardNo shard, JobNo job) const {
  const auto& ids = ids_.at(static_cast<std::size_t>(shard.value));
  const auto found = std::ranges::lower_bound(ids, job, {}, &std::pair<JobNo, JobId>::first);
  return found != ids.end() && found->first == job ? found->second : JobId{};
}

BatchNotes JournalNotes::of(const Planner& planner, const Batch& batch) const {
  BatchNotes notes{.fences = batch.fences};
  notes.first.reserve(batch.items.size());
  const auto note_run = [&](std::size_t place, const auto& item) {
    const OpenRun* run = planner.run(item.run);
    if (!run) return;
    Standing then = after(item, *run, batch.fences.of(item.shard));
    then.record.job = id_of(item.shard, run->job);
    notes.durable |= then.durable;
    // What became of an attempt is so, whoever has the run by then.
    if (!then.record.attempt) notes.before.emplace_back(place, JournalRun{then.record.job, *run});
    notes.first.emplace_back(std::move(then.record));
  };
  for (std::size_t place = 0; place < batch.items.size(); ++place) {
    const Item& item = batch.items[place];
    if (const auto* claim = std::get_if<Claim>(&item)) {
      const JobId job = id_of(claim->shard, claim->job);
      notes.first.emplace_back(claimed(*claim, batch.fences.of(claim->shard), job));
      notes.claims.emplace_back(place, *claim);
      notes.durable = true;
    } else if (const auto* replan = std::get_if<Replan>(&item)) {
      JournalReplan record{.job = id_of(replan->shard, replan->job),
                           .revision = replan->revision,
                           .changed_at = replan->changed_at,
                           .owed = replan->owed,
                           .kept = {},
                           .fence = batch.fences.of(replan->shard),
                           .at = {}};
      for (const RunNo no : replan->in_flight) {
        if (const OpenRun* run = planner.run(no)) record.kept.push_back(run->id);
      }
      notes.replans.emplace_back(place, std::move(record));
    } else if (const auto* advance = std::get_if<Advance>(&item)) {
      notes.advances.emplace_back(place, *advance);
    } else {
      std::visit(
          [&](const auto& one) {
            if constexpr (requires { one.run; }) note_run(place, one);
          },
          item);
    }
  }
  return notes;
}

BatchFollows following(const BatchNotes& notes, const BatchCommitted& committed) {
  BatchFollows follows;
  const auto status = [&](std::size_t place) { return committed.outcomes.at(place).status; };
  EarlyClaims held_back;
  for (const auto& [place, claim] : notes.claims) {
    if (status(place) == ItemStatus::early) held_back.note(claim);
    if (status(place) != ItemStatus::done) follows.records.emplace_back(JournalVoid{claim.id});
  }
  for (const auto& [place, run] : notes.before) {
    if (status(place) == ItemStatus::done) continue;
    if (run.run.state == RunState::requested) {
      follows.records.emplace_back(JournalVoid{run.run.id});
    } else {
      follows.records.emplace_back(run);
    }
  }
  for (const auto& [place, replan] : notes.replans) {
    if (status(place) != ItemStatus::done) continue;
    JournalReplan made = replan;
    made.at = committed.at;
    follows.records.emplace_back(std::move(made));
  }
  for (const auto& [place, advance] : notes.advances) {
    if (status(place) != ItemStatus::done) continue;
    follows.cursors.emplace_back(Lease{advance.shard, notes.fences.of(advance.shard)},
                                 held_back.cursor_after(advance));
  }
  return follows;
}

}  // namespace cronally::core
