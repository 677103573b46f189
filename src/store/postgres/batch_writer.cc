#include "store/postgres/batch_writer.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <variant>

#include "store/postgres/batch_replans.h"

namespace cronally::store::postgres {

namespace {

ShardNo shard_of_item(const core::Item& item) {
  return std::visit([](const auto& one) { return one.shard; }, item);
}

// Whether a shard under the fence `lease` takes an item under `fence`.
bool fits(Fence fence, Fence lease) {
#ifdef CRONALLY_TEST_HOOKS
  if (std::getenv("CRONALLY_TEST_UNFENCED")) return true;  // scheduler/lease_holder.h
#endif
  return fence.value != 0 && lease == fence;
}

}  // namespace

void EndRows::add(RunNo run, Fence fence, core::Verdict verdict, core::Reason reason) {
  runs_.add(run);
  fences_.add(fence);
  verdicts_.add(verdict);
  reasons_.add(reason);
}

void EndRows::add_to(Exchange& exchange, Exchange::Take take) {
  if (runs_.size() == 0) return;
  Params params;
  params.add(runs_).add(fences_).add(verdicts_).add(reasons_);
  exchange.add("runs_end", std::move(params), std::move(take));
}

BatchWriter::BatchWriter(Transaction& transaction, const core::Batch& batch)
    : transaction_(transaction), batch_(batch), outcomes_(batch.items.size()) {}

std::vector<core::ItemOutcome> BatchWriter::write() {
  const core::ItemOutcome fenced{ItemStatus::fenced, {}};
  std::ranges::fill(outcomes_, fenced);
  std::vector<bool> counts(batch_.items.size(), true);
  auto staged = stages_of(batch_.items, counts);
  std::size_t written = open(staged, counts) ? 1 : 0;
  if (!std::ranges::all_of(counts, std::identity())) {
    std::ranges::fill(outcomes_, fenced);
    count_foreign(counts);
    staged = stages_of(batch_.items, counts);
  }
  Exchange writes;  // what replans decided leaves with the claims that follow
  for (; written < staged.stages.size(); ++written) {
    const auto& stage = staged.stages[written];
    if (stage.replans.empty()) add_stage(writes, stage);
    writes.run(transaction_.db());
    if (stage.replans.empty()) {
      judge_stage(stage);
    } else {
      write_replans(transaction_, stage.replans, batch_.fences, outcomes_, writes);
    }
  }
  writes.run(transaction_.db());
  advance(staged.advances);
  return std::move(outcomes_);
}

void BatchWriter::set(std::size_t place, ItemStatus status, RunNo run) {
  outcomes_[place] = {status, run};
}

bool BatchWriter::open(const Stages& staged, std::vector<bool>& counted) {
  const bool ahead = !staged.stages.empty() && staged.stages.front().replans.empty();
  Exchange lock, writes;
  add_lock(lock);
  auto calls = lock.take_calls();
  const std::size_t locks = calls.size();
  if (ahead) {
    writes.add("savepoint", {});
    add_stage(writes, staged.stages.front());
    std::ranges::move(writes.take_calls(), std::back_inserter(calls));
  }
  const auto rows = transaction_.open(std::move(calls));
  lock.answered(std::span(rows).first(locks));
  for (std::size_t place = 0; place < counted.size(); ++place) {
    counted[place] = counts(batch_.items[place]);
  }
  if (!ahead) return false;
  if (!std::ranges::all_of(counted, std::identity())) {
    transaction_.db().run("savepoint_undo");
    return false;
  }
  writes.answered(std::span(rows).subspan(locks));
  judge_stage(staged.stages.front());
  return true;
}

// Locks the leases of the shards, in their order, against being taken while this is written.
void BatchWriter::add_lock(Exchange& exchange) {
  std::set<ShardNo> shards;
  for (const auto& item : batch_.items) shards.insert(shard_of_item(item));
  Numbers numbers;
  for (const ShardNo shard : shards) numbers.add(shard);
  exchange.add("shards_lock", std::move(Params().add(numbers)), [this](const Rows& rows) {
    for (const Row row : rows) leases_[ShardNo{row.integer(0)}] = {row.integer(1)};
  });
  // On a server that has forgotten, no lease of before counts.
  exchange.add("memory_judged", {}, [this](const Rows& rows) {
    if (!rows[0].flag(0)) leases_.clear();
  });
}

bool BatchWriter::counts(const core::Item& item) const {
  const ShardNo shard = shard_of_item(item);
  const auto* outcome = std::get_if<core::Outcome>(&item);
  const Fence fence = outcome ? outcome->fence : fence_of(shard);
  const auto lease = leases_.find(shard);
  return fits(fence, lease == leases_.end() ? Fence{} : lease->second);
}

// Of an owner before, what became of a run counts that is still as that owner left it.
void BatchWriter::count_foreign(std::vector<bool>& counts) {
  std::vector<RunNo> runs;  // whose shard is another's by now
  for (std::size_t place = 0; place < counts.size(); ++place) {
    const auto* outcome = std::get_if<core::Outcome>(&batch_.items[place]);
    if (outcome && !counts[place]) runs.push_back(outcome->run);
  }
  if (runs.empty()) return;
  const auto states = read_states(runs);
  for (std::size_t place = 0; place < counts.size(); ++place) {
    const auto* outcome = std::get_if<core::Outcome>(&batch_.items[place]);
    if (!outcome || counts[place]) continue;
    const auto found = states.find(outcome->run);
    counts[place] = found != states.end() && found->second.fence == outcome->fence;
  }
}

void BatchWriter::add_stage(Exchange& exchange, const Stage& stage) {
  add_claims(exchange, stage);
  add_skips(exchange, stage);
  add_accepts(exchange, stage);
  add_begins(exchange, stage);
  add_takeovers(exchange, stage);
  add_attempts(exchange, stage);
  add_outcomes(exchange, stage);
  add_ends(exchange, stage);
}

void BatchWriter::judge_stage(const Stage& stage) {
  find_claims(stage.claims);
  judge_repeated(stage);
}

// ---- planning ---------------------------------------------------------------------------------

void BatchWriter::add_claims(Exchange& exchange, const Stage& stage) {
  if (stage.claims.empty()) return;
  Numbers runs, jobs, shards, revisions, scheduled, dues, fences;
  Uuids ids;
  std::unordered_map<RunNo, Placed<core::Claim>> numbered;
  numbered.reserve(stage.claims.size());
  for (const auto& placed : stage.claims) {
    const auto& claim = *placed.item;
    const RunNo run = transaction_.next_run(claim.due);
    numbered.emplace(run, placed);
    runs.add(run);
    jobs.add(claim.job);
    shards.add(claim.shard);
    revisions.add(claim.revision);
    ids.add(claim.id);
    scheduled.add(claim.scheduled_at);
    dues.add(claim.due);
    fences.add(fence_of(claim.shard));
    set(placed.place, ItemStatus::early);  // until it is known better
  }
  Params params;
  params.add(runs).add(jobs).add(shards).add(revisions).add(ids).add(scheduled).add(dues).add(
      fences);
  params.add(core::lead_max);
  exchange.add("claims_insert", std::move(params),
               [this, numbered = std::move(numbered)](const Rows& rows) {
                 std::vector<std::pair<std::size_t, RunNo>> made;
                 for (const Row row : rows) {
                   const RunNo run{row.integer(0)};
                   const auto& placed = numbered.at(run);
                   set(placed.place, ItemStatus::done, run);
                   transaction_.runs_added(placed.item->shard, 1);
                   made.emplace_back(placed.place, run);
                 }
                 std::ranges::sort(made);
                 for (const auto& [place, run] : made) {
                   transaction_.run_changed(shard_of_item(batch_.items[place]), run);
                 }
               });
}

// Of the claims that were not made: found with their own id, another's, stale, or early.
void BatchWriter::find_claims(const std::vector<Placed<core::Claim>>& claims) {
  Numbers places, jobs, revisions, dues;
  for (const auto& [place, claim] : claims) {
    if (outcomes_[place].status == ItemStatus::done) continue;
    places.add(static_cast<std::int64_t>(place));
    jobs.add(claim->job);
    revisions.add(claim->revision);
    dues.add(claim->due);
  }
  if (places.size() == 0) return;
  Params params;
  params.add(places).add(jobs).add(revisions).add(dues);
  for (const Row row : transaction_.db().run("claims_find", std::move(params))) {
    const auto place = static_cast<std::size_t>(row.integer(0));
    const auto& claim = std::get<core::Claim>(batch_.items[place]);
    if (!row.null(1) && row.uuid(2) == claim.id.value) {
      set(place, ItemStatus::done, {row.integer(1)});  // whatever was edited since
    } else if (!row.flag(3)) {
      set(place, ItemStatus::stale);
    } else if (!row.null(1)) {
      set(place, ItemStatus::present);
    } else {
      early_.note(claim);
    }
  }
}

void BatchWriter::add_skips(Exchange& exchange, const Stage& stage) {
  if (stage.skips.empty()) return;
  Numbers places, jobs, revisions, froms, tos, reasons;
  for (const auto& [place, skip] : stage.skips) {
    set(place, ItemStatus::stale);
    places.add(static_cast<std::int64_t>(place));
    jobs.add(skip->job);
    revisions.add(skip->revision);
    froms.add(skip->from);
    tos.add(skip->to);
    reasons.add(skip->reason);
  }
  Params params;
  params.add(places).add(jobs).add(revisions).add(froms).add(tos).add(reasons);
  exchange.add("skips_insert", std::move(params), [this](const Rows& rows) {
    for (const Row row : rows) set(static_cast<std::size_t>(row.integer(0)), ItemStatus::done);
  });
}

// One row for each shard: an Advance never moves anything back, so the farthest stands for all.
void BatchWriter::advance(const std::vector<Placed<core::Advance>>& advances) {
  if (advances.empty()) return;
  std::map<ShardNo, std::pair<Instant, std::int64_t>> farthest;
  for (const auto& [place, item] : advances) {
    auto [found, fresh] = farthest.try_emplace(item->shard, Instant::min(), 0);
    found->second.first = std::max(found->second.first, early_.cursor_after(*item));
    found->second.second = std::max(found->second.second, item->seen);
    set(place, ItemStatus::done);
  }
  Numbers shards, cursors, seen;
  for (const auto& [shard, to] : farthest) {
    shards.add(shard);
    cursors.add(to.first);
    seen.add(to.second);
    transaction_.effects().seen.emplace_back(shard, to.second);
  }
  Params params;
  params.add(shards).add(cursors).add(seen);
  transaction_.write_last({"shards_advance", std::move(params)});
}

// ---- runs -------------------------------------------------------------------------------------

// Marks those whose run is among the answer's rows, in the order of the batch, and logs them.
template <class T>
Exchange::Take BatchWriter::mark_done(const std::vector<Placed<T>>& items) {
  for (const auto& [place, item] : items) {
    if (outcomes_[place].status == ItemStatus::fenced) set(place, ItemStatus::gone, item->run);
  }
  return [this, &items](const Rows& rows) {
    std::unordered_set<RunNo> written;
    for (const Row row : rows) written.insert(RunNo{row.integer(0)});
    for (const auto& [place, item] : items) {
      if (!written.contains(item->run)) continue;
      set(place, ItemStatus::done, item->run);
      transaction_.run_changed(item->shard, item->run);
    }
  };
}

void BatchWriter::add_accepts(Exchange& exchange, const Stage& stage) {
  if (stage.accepts.empty()) return;
  Numbers runs, fences;
  for (const auto& [place, accept] : stage.accepts) {
    runs.add(accept->run);
    fences.add(fence_of(accept->shard));
  }
  exchange.add("runs_accept", std::move(Params().add(runs).add(fences)), mark_done(stage.accepts));
}

void BatchWriter::add_begins(Exchange& exchange, const Stage& stage) {
  if (stage.begins.empty()) return;
  Numbers runs, fences, attempts, states;
  for (const auto& [place, begin] : stage.begins) {
    runs.add(begin->run);
    fences.add(fence_of(begin->shard));
    attempts.add(begin->attempt);
    states.add(begin->taken_back ? core::RunState::claimed : core::RunState::begun);
  }
  exchange.add("runs_begin", std::move(Params().add(runs).add(fences).add(attempts).add(states)),
               mark_done(stage.begins));
}

void BatchWriter::add_takeovers(Exchange& exchange, const Stage& stage) {
  if (stage.takeovers.empty()) return;
  Numbers runs, fences, attempts, sent;
  for (const auto& [place, takeover] : stage.takeovers) {
    transaction_.need_day_of(takeover->run);
    runs.add(takeover->run);
    fences.add(fence_of(takeover->shard));
    attempts.add(takeover->attempt_was);
    sent.add(std::int64_t{takeover->sent_perhaps});
  }
  Params params;
  params.add(runs).add(fences).add(attempts).add(sent);
  exchange.add("runs_takeover", std::move(params), mark_done(stage.takeovers));
}

// Written also for an outcome that comes late.
void BatchWriter::add_attempts(Exchange& exchange, const Stage& stage) {
  if (stage.outcomes.empty()) return;
  Numbers runs, numbers, revisions, fences, fates, statuses, first_bytes, ended;
  Blobs errors, responses;
  for (const auto& [place, outcome] : stage.outcomes) {
    transaction_.need_day_of(outcome->run);
    const auto& result = outcome->result;
    runs.add(outcome->run);
    numbers.add(outcome->attempt);
    revisions.add(outcome->revision);
    fences.add(outcome->fence);
    fates.add(result.fate);
    statuses.add(result.status);
    first_bytes.add(result.first_byte_at);
    ended.add(result.ended_at);
    errors.add(Bytes{result.error});
    responses.add(Bytes{result.response});
  }
  Params params;
  params.add(runs).add(numbers).add(revisions).add(fences).add(fates).add(statuses);
  params.add(first_bytes).add(ended).add(errors).add(responses);
  exchange.add("attempts_insert", std::move(params));
}

void BatchWriter::add_outcomes(Exchange& exchange, const Stage& stage) {
  struct Common {
    Numbers runs, fences, attempts;
  };
  Common ends, agains;
  Numbers verdicts, reasons, send_ats, tried_ats;
  for (const auto& [place, outcome] : stage.outcomes) {
    const auto* end = std::get_if<core::Outcome::End>(&outcome->next);
    Common& common = end ? ends : agains;
    common.runs.add(outcome->run);
    common.fences.add(outcome->fence);
    common.attempts.add(outcome->attempt);
    if (end) {
      verdicts.add(end->verdict);
      reasons.add(end->reason);
    } else {
      send_ats.add(std::get<core::Outcome::Again>(outcome->next).send_at);
      tried_ats.add(outcome->result.first_byte_at.value_or(outcome->result.ended_at));
    }
  }
  if (ends.runs.size() > 0) {
    Params params;
    params.add(ends.runs).add(ends.fences).add(ends.attempts).add(verdicts).add(reasons);
    exchange.add("outcomes_end", std::move(params), mark_done(stage.outcomes));
  }
  if (agains.runs.size() > 0) {
    Params params;
    params.add(agains.runs).add(agains.fences).add(agains.attempts).add(send_ats).add(tried_ats);
    exchange.add("outcomes_again", std::move(params), mark_done(stage.outcomes));
  }
}

void BatchWriter::add_ends(Exchange& exchange, const Stage& stage) {
  EndRows rows;
  for (const auto& [place, end] : stage.ends) {
    rows.add(end->run, fence_of(end->shard), end->verdict, end->reason);
  }
  rows.add_to(exchange, mark_done(stage.ends));
}

// ---- items that may have been written before --------------------------------------------------

void BatchWriter::judge_repeated(const Stage& stage) {
  judge_repeated(stage.accepts);
  judge_repeated(stage.takeovers);
  judge_repeated(stage.outcomes);
  judge_repeated(stage.ends);
}

template <class T>
void BatchWriter::judge_repeated(const std::vector<Placed<T>>& items) {
  std::vector<RunNo> runs;
  for (const auto& [place, item] : items) {
    if (outcomes_[place].status == ItemStatus::gone) runs.push_back(item->run);
  }
  if (runs.empty()) return;
  const auto states = read_states(runs);
  for (const auto& [place, item] : items) {
    if (outcomes_[place].status != ItemStatus::gone) continue;
    const auto found = states.find(item->run);
    if (found == states.end() || !is_repeat(*item, found->second)) continue;
    set(place, ItemStatus::done, item->run);
  }
}

std::unordered_map<RunNo, BatchWriter::RunState> BatchWriter::read_states(
    const std::vector<RunNo>& runs) {
  Numbers numbers;
  DueBounds bounds;
  for (const RunNo run : runs) {
    numbers.add(run);
    bounds.cover(run);
  }
  Params params;
  params.add(numbers);
  bounds.add_to(params);
  std::unordered_map<RunNo, RunState> states;
  for (const Row row : transaction_.db().run("runs_guard", std::move(params))) {
    RunState state{
        .state = row.as<core::RunState>(1), .fence = {row.integer(2)}, .attempt = row.integer(3)};
    if (!row.null(4)) state.send_at = row.integer(4);
    if (!row.null(5)) state.verdict = row.integer(5);
    if (!row.null(6)) state.reason = row.integer(6);
    states.emplace(RunNo{row.integer(0)}, state);
  }
  return states;
}

bool BatchWriter::is_repeat(const core::Accept& accept, const RunState& run) const {
  return run.state == core::RunState::claimed && run.fence == fence_of(accept.shard) &&
         run.attempt == 1;
}

bool BatchWriter::is_repeat(const core::Takeover& takeover, const RunState& run) const {
  return run.state != core::RunState::ended && run.fence == fence_of(takeover.shard) &&
         run.attempt == takeover.attempt_was + (takeover.sent_perhaps ? 1 : 0);
}

// Whether this very outcome is what the run's row shows.
bool BatchWriter::is_repeat(const core::Outcome& outcome, const RunState& run) const {
  if (run.fence != outcome.fence) return false;
  if (const auto* end = std::get_if<core::Outcome::End>(&outcome.next)) {
    return run.state == core::RunState::ended && run.attempt == outcome.attempt &&
           run.verdict == plain(end->verdict) && run.reason == plain(end->reason);
  }
  return run.state == core::RunState::begun && run.attempt == outcome.attempt + 1 &&
         run.send_at == plain(std::get<core::Outcome::Again>(outcome.next).send_at);
}

bool BatchWriter::is_repeat(const core::End& end, const RunState& run) const {
  return run.state == core::RunState::ended && run.verdict == plain(end.verdict) &&
         run.reason == plain(end.reason);
}

}  // namespace cronally::store::postgres
