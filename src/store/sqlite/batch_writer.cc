#include "store/sqlite/batch_writer.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "store/stored.h"

namespace cronally::store::sqlite {

using core::ItemOutcome;
using core::RunState;

BatchWriter::BatchWriter(Transaction& transaction, const core::Fences& fences)
    : transaction_(transaction), db_(transaction.db()), mine_(fences) {
  auto shards = db_.use("shards_read");
  while (shards.step()) {
    shards_.at(static_cast<std::size_t>(shards.integer(0))) = {.fence = shards.integer(2),
                                                               .change = shards.integer(3)};
  }
}

std::vector<ItemOutcome> BatchWriter::write(const std::vector<core::Item>& items) {
  std::vector<ItemOutcome> outcomes;
  outcomes.reserve(items.size());
  note_unchanged(items);
  for (const auto& item : items) {
    outcomes.push_back(std::visit([this](const auto& one) { return write_guarded(one); }, item));
  }
  return outcomes;
}

template <class T>
ItemOutcome BatchWriter::write_guarded(const T& item) {
  if (item.shard.value < 0 || item.shard.value >= shard_count) return {ItemStatus::fenced, {}};
  if constexpr (std::is_same_v<T, core::Outcome>) {
    fence_ = item.fence;
    if (!owns(item.shard) && !carried_on(item)) return {ItemStatus::fenced, {}};
  } else {
    fence_ = mine_.of(item.shard);
    if (!owns(item.shard)) return {ItemStatus::fenced, {}};
  }
  return write_item(item);
}

bool BatchWriter::owns(ShardNo shard) const {
  return shards_[static_cast<std::size_t>(shard.value)].fence == fence_.value;
}

// Whether the run of an owner before is still as that owner left it.
bool BatchWriter::carried_on(const core::Outcome& outcome) {
  auto row = db_.use("run_guard");
  row.bind(outcome.run);
  return row.step() && row.integer(1) == outcome.fence.value;
}

// Where the batch's owner has seen the shard's last change, its jobs are as it plans them.
void BatchWriter::note_unchanged(const std::vector<core::Item>& items) {
  for (const auto& item : items) {
    const auto* advance = std::get_if<core::Advance>(&item);
    if (advance == nullptr || advance->shard.value < 0 || advance->shard.value >= shard_count)
      continue;
    Shard& shard = shards_[static_cast<std::size_t>(advance->shard.value)];
    shard.unchanged =
        shard.fence == mine_.of(advance->shard).value && advance->seen >= shard.change;
  }
}

const BatchWriter::JobGuard& BatchWriter::guard(JobNo job) {
  auto [found, fresh] = guards_.try_emplace(job);
  if (fresh) {
    auto row = db_.use("job_guard");
    row.bind(job);
    if (row.step()) {
      found->second = {.known = true,
                       .revision = static_cast<Revision>(row.integer(0)),
                       .paused = row.flag(1),
                       .deleted = row.flag(2),
                       .planned = static_cast<Revision>(row.integer(3)),
                       .changed_at = row.instant(4)};
    }
  }
  return found->second;
}

template <class Planned>
bool BatchWriter::stands(const Planned& item, Instant until) {
  if (shards_[static_cast<std::size_t>(item.shard.value)].unchanged) return true;
  const auto& now = guard(item.job);
  const bool owes = !now.paused || until <= now.changed_at;
  return now.known && now.revision == item.revision && owes && !now.deleted;
}

// ---- planning ---------------------------------------------------------------------------------

ItemOutcome BatchWriter::write_item(const core::Claim& claim) {
  const bool stale = !stands(claim, claim.due);
  const bool early = claim.due > transaction_.now() + core::lead_max;
  if (!stale && !early && insert_claim(claim)) {
    RunNo run{db_.last_row()};
    transaction_.run_added();
    transaction_.run_changed(run);
    return {ItemStatus::done, run};
  }
  // A repeated claim did commit, whatever was edited since.
  auto found = db_.use("claim_find");
  found.bind(claim.job).bind(claim.due);
  if (found.step() && found.uuid(1) == claim.id.value) {
    return {ItemStatus::done, RunNo{found.integer(0)}};
  }
  if (stale) return {ItemStatus::stale, {}};
  if (!early) return {ItemStatus::present, {}};
  early_.note(claim);
  return {ItemStatus::early, {}};
}

bool BatchWriter::insert_claim(const core::Claim& claim) {
  db_.use("claim_insert")
      .bind(transaction_.next_run())
      .bind(claim.id)
      .bind(claim.job)
      .bind(claim.shard)
      .bind(claim.revision)
      .bind(claim.scheduled_at)
      .bind(claim.due)
      .bind(fence_)
      .run();
  return db_.changes() > 0;
}

ItemOutcome BatchWriter::write_item(const core::Skip& skip) {
  if (!stands(skip, Instant::max())) return {ItemStatus::stale, {}};
  db_.use("skip_insert")
      .bind(skip.job)
      .bind(skip.revision)
      .bind(skip.from)
      .bind(skip.to)
      .bind(skip.reason)
      .run();
  return {ItemStatus::done, {}};
}

ItemOutcome BatchWriter::write_item(const core::Advance& advance) {
  db_.use("shard_advance")
      .bind(advance.shard)
      .bind(early_.cursor_after(advance))
      .bind(advance.seen)
      .run();
  transaction_.effects().seen.emplace_back(advance.shard, advance.seen);
  return {ItemStatus::done, {}};
}

ItemOutcome BatchWriter::write_item(const core::Replan& replan) {
  const auto& now = guard(replan.job);
  // Repeated: runs that were claimed since are none of its business.
  if (now.known && now.planned == replan.revision) return {ItemStatus::done, {}};
  if (!now.known || now.revision != replan.revision) return {ItemStatus::stale, {}};
  replan_runs(replan);
  skip_before(replan);
  db_.use("job_planned").bind(replan.job).bind(replan.revision).run();
  guards_[replan.job].planned = replan.revision;
  erase_unused_secrets(replan);
  return {ItemStatus::done, {}};
}

// The table of core::Replan, run by run.
void BatchWriter::replan_runs(const core::Replan& replan) {
  using Change = core::Replan::Change;
  struct Open {
    RunNo run;
    Instant due;
    core::RunKind kind;
    bool attempted;
    bool sent_perhaps;  // by an owner before
  };
  std::vector<Open> open;
  {
    auto rows = db_.use("open_runs_of_job");
    rows.bind(replan.shard).bind(replan.job);
    while (rows.step()) {
      open.push_back({.run = {rows.integer(0)},
                      .due = rows.instant(1),
                      .kind = rows.as<core::RunKind>(2),
                      .attempted = rows.integer(4) + rows.integer(5) > 0,
                      .sent_perhaps = rows.integer(3) != fence_.value &&
                                      rows.instant(1) <= transaction_.now()});
    }
  }
  const bool deleted = replan.change == Change::deleted;
  const bool changed = replan.change == Change::changed;
  const auto reason = deleted ? core::Reason::deleted : core::Reason::changed;
  const auto live = guard(replan.job);
  for (const auto& run : open) {
    if (std::ranges::find(replan.in_flight, run.run) != replan.in_flight.end()) continue;
    const bool ahead =
        run.kind == core::RunKind::scheduled && !run.attempted && run.due > replan.changed_at;
    if (ahead && run.sent_perhaps) continue;
    if (ahead) {
      const bool owed =
          !live.paused && !live.deleted && std::ranges::binary_search(replan.owed, run.due);
      if (owed) {
        db_.use("run_rebind").bind(run.run).bind(replan.revision).run();
      } else {
        db_.use("run_delete").bind(run.run).run();
        transaction_.runs_removed(1);
      }
      transaction_.run_changed(run.run);
    } else if (deleted || (changed && !run.attempted && run.due <= replan.changed_at)) {
      (void)write_item(core::End{run.run, replan.shard, core::Verdict::cancelled, reason});
    }
  }
}

void BatchWriter::skip_before(const core::Replan& replan) {
  for (const auto& skip : replan.skips) {
    db_.use("skip_before_insert")
        .bind(skip.job)
        .bind(skip.revision)
        .bind(skip.from)
        .bind(skip.to)
        .bind(skip.reason)
        .run();
  }
}

// Secrets that neither the newest definition nor an open run can still use. Runs that are open
// keep all; the job's next change, or its end, looks again.
void BatchWriter::erase_unused_secrets(const core::Replan& replan) {
  std::vector<SecretId> unused;
  {
    auto secrets = db_.use("secrets_of_job");
    secrets.bind(replan.job);
    while (secrets.step()) unused.push_back({secrets.uuid(0)});
  }
  if (unused.empty()) return;
  {
    auto open = db_.use("open_runs_of_job");
    open.bind(replan.shard).bind(replan.job);
    if (open.step()) return;
  }
  if (!guard(replan.job).deleted) {
    auto newest = db_.use("definition_newest");
    newest.bind(replan.job);
    if (!newest.step()) return;
    for (const auto& secret : core::secrets_of(definition_of(newest.view(0)).target)) {
      std::erase(unused, secret.secret);
    }
  }
  for (const auto& id : unused) db_.use("secret_delete").bind(id).run();
}

// ---- runs -------------------------------------------------------------------------------------

ItemOutcome BatchWriter::write_item(const core::Accept& accept) {
  db_.use("run_accept").bind(accept.run).bind(fence_).run();
  if (db_.changes() > 0) {
    transaction_.run_changed(accept.run);
    return {ItemStatus::done, accept.run};
  }
  auto row = db_.use("run_guard");
  row.bind(accept.run);
  bool repeated = row.step() && row.as<RunState>(0) == RunState::claimed &&
                  row.integer(1) == fence_.value && row.integer(2) == 1;
  return {repeated ? ItemStatus::done : ItemStatus::gone, accept.run};
}

ItemOutcome BatchWriter::write_item(const core::Begin& begin) {
  const RunState state = begin.taken_back ? RunState::claimed : RunState::begun;
  db_.use("run_begin").bind(begin.run).bind(fence_).bind(begin.attempt).bind(state).run();
  if (db_.changes() == 0) return {ItemStatus::gone, begin.run};
  transaction_.run_changed(begin.run);
  return {ItemStatus::done, begin.run};
}

ItemOutcome BatchWriter::write_item(const core::Takeover& takeover) {
  std::int64_t fence_was = 0;
  Revision revision = 0;
  {
    auto row = db_.use("run_identity");
    row.bind(takeover.run);
    if (!row.step()) return {ItemStatus::gone, takeover.run};
    fence_was = row.integer(2);
    revision = static_cast<Revision>(row.integer(3));
  }
  db_.use("run_takeover")
      .bind(takeover.run)
      .bind(fence_)
      .bind(takeover.attempt_was)
      .bind(takeover.sent_perhaps)
      .run();
  if (db_.changes() > 0) {
    if (takeover.sent_perhaps) {
      // The ledger names the attempt whose fate nobody can tell any more.
      db_.use("attempt_insert")
          .bind(takeover.run)
          .bind(takeover.attempt_was)
          .bind(revision)
          .bind(fence_was)
          .bind(core::Fate::unknown)
          .bind(0)
          .bind_null()
          .bind(transaction_.now())
          .bind("whether it left is not known: its server ended before recording it")
          .bind_blob("")
          .run();
    }
    transaction_.run_changed(takeover.run);
    return {ItemStatus::done, takeover.run};
  }
  auto row = db_.use("run_guard");
  row.bind(takeover.run);
  bool repeated = row.step() && row.as<RunState>(0) != RunState::ended &&
                  row.integer(1) == fence_.value &&
                  row.integer(2) == takeover.attempt_was + (takeover.sent_perhaps ? 1 : 0);
  return {repeated ? ItemStatus::done : ItemStatus::gone, takeover.run};
}

ItemOutcome BatchWriter::write_item(const core::Outcome& outcome) {
  insert_attempt(outcome);
  const auto tried_at = outcome.result.first_byte_at.value_or(outcome.result.ended_at);
  if (const auto* end = std::get_if<core::Outcome::End>(&outcome.next)) {
    db_.use("run_end_outcome")
        .bind(outcome.run)
        .bind(fence_)
        .bind(outcome.attempt)
        .bind(end->verdict)
        .bind(end->reason)
        .bind(transaction_.now())
        .bind(tried_at)
        .run();
    if (db_.changes() > 0) {
      ended(outcome.run, end->verdict);
      return {ItemStatus::done, outcome.run};
    }
  } else {
    db_.use("run_again")
        .bind(outcome.run)
        .bind(fence_)
        .bind(outcome.attempt)
        .bind(std::get<core::Outcome::Again>(outcome.next).send_at)
        .bind(tried_at)
        .run();
    if (db_.changes() > 0) {
      transaction_.run_changed(outcome.run);
      return {ItemStatus::done, outcome.run};
    }
  }
  return {already_followed(outcome) ? ItemStatus::done : ItemStatus::gone, outcome.run};
}

void BatchWriter::insert_attempt(const core::Outcome& outcome) {
  const auto& result = outcome.result;
  db_.use("attempt_insert")
      .bind(outcome.run)
      .bind(outcome.attempt)
      .bind(outcome.revision)
      .bind(fence_)
      .bind(result.fate)
      .bind(result.status)
      .bind(result.first_byte_at)
      .bind(result.ended_at)
      .bind(result.error)
      .bind_blob(result.response)
      .run();
}

// Whether this very outcome is what the run's row shows: the batch is being repeated.
bool BatchWriter::already_followed(const core::Outcome& outcome) {
  auto row = db_.use("run_guard");
  row.bind(outcome.run);
  if (!row.step() || row.integer(1) != fence_.value) return false;
  if (const auto* end = std::get_if<core::Outcome::End>(&outcome.next)) {
    return row.as<RunState>(0) == RunState::ended && row.integer(2) == outcome.attempt &&
           row.as<core::Verdict>(4) == end->verdict && row.as<core::Reason>(5) == end->reason;
  }
  return row.as<RunState>(0) == RunState::begun && row.integer(2) == outcome.attempt + 1 &&
         row.instant(3) == std::get<core::Outcome::Again>(outcome.next).send_at;
}

ItemOutcome BatchWriter::write_item(const core::End& end) {
  db_.use("run_end")
      .bind(end.run)
      .bind(fence_)
      .bind(end.verdict)
      .bind(end.reason)
      .bind(transaction_.now())
      .run();
  if (db_.changes() > 0) {
    ended(end.run, end.verdict);
    return {ItemStatus::done, end.run};
  }
  bool repeated = already_ended(end.run, end.verdict, end.reason);
  return {repeated ? ItemStatus::done : ItemStatus::gone, end.run};
}

bool BatchWriter::already_ended(RunNo run, core::Verdict verdict, core::Reason reason) {
  auto row = db_.use("run_guard");
  row.bind(run);
  return row.step() && row.as<RunState>(0) == RunState::ended &&
         row.as<core::Verdict>(4) == verdict && row.as<core::Reason>(5) == reason;
}

// Logs the change and, where somebody is to be told, leaves a notice.
void BatchWriter::ended(RunNo run, core::Verdict verdict) {
  transaction_.run_changed(run);
  if (verdict != core::Verdict::failed && verdict != core::Verdict::unknown) return;
  db_.use("notice_insert").bind(run).bind(transaction_.now()).run();
}

}  // namespace cronally::store::sqlite
