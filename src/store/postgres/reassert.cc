#include "store/postgres/reassert.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

namespace cronally::store::postgres {

namespace {

using core::PutBack;
using namespace std::chrono_literals;

// Older runs are not put back; nor, beyond an hour, those below the oldest of the ledger, which
// retention may have removed (the oldest due go first).
constexpr Duration age_max = 24h;
constexpr Duration age_unpruned = 1h;

constexpr std::string_view attempt_text = "told by the journal of its node; the answer was lost";

// Where a remembered run belongs, and what is there.
struct Place {
  PutBack what = PutBack::job_lost;
  JobNo job;
  ShardNo shard;
  Revision revision = 0;  // the job's newest
  RunNo run;              // that holds the occurrence
};

std::optional<core::StoredRun> stored_run(const Row& row) {
  if (row.null(4)) return std::nullopt;
  core::StoredRun stored{.id = {row.uuid(5)}};
  if (!row.null(6)) stored.verdict = row.as<core::Verdict>(6);
  if (!row.null(7)) stored.state = row.as<core::RunState>(7);
  stored.attempt = static_cast<std::int32_t>(row.integer(8));
  stored.fence = {row.integer(9)};
  stored.acted_on = !row.null(10) && row.flag(10);
  return stored;
}

std::vector<Place> find(Connection& db, const Remembered& runs, Instant now) {
  Numbers places, dues, kinds;
  Uuids jobs, ids;
  for (std::size_t place = 0; place < runs.size(); ++place) {
    const auto& [node, job, run, verdict, reason, attempts] = runs[place];
    places.add(static_cast<std::int64_t>(place));
    jobs.add(job);
    ids.add(run.id);
    dues.add(run.due);
    kinds.add(run.kind);
  }
  Params params;
  params.add(places).add(jobs).add(ids).add(dues).add(kinds);
  const auto rows = db.run({{"run_oldest"}, {"reassert_find", std::move(params)}});
  const Instant oldest = rows[0][0].maybe_instant(0).value_or(Instant::min());
  std::vector<Place> found(runs.size());
  for (const Row row : rows[1]) {
    const auto at = static_cast<std::size_t>(row.integer(0));
    Place& place = found.at(at);
    const bool job_known = !row.null(1);
    if (job_known) {
      place.job = {row.integer(1)};
      place.shard = {row.integer(2)};
      place.revision = static_cast<Revision>(row.integer(3));
    }
    if (!row.null(4)) place.run = {row.integer(4)};
    place.what = core::put_back(runs[at], job_known, stored_run(row));
    const Instant due = runs[at].run.due;
    const bool old = due < now - age_max || (due < oldest && due < now - age_unpruned);
    if (old && place.what != PutBack::known) place.what = PutBack::too_old;
  }
  return found;
}

// A run's occurrence key; of a run on request, its request's is not remembered.
std::string key_of(const core::OpenRun& run) {
  return run.kind == core::RunKind::scheduled ? "" : "journal:" + run.id.text();
}

class Putter {
 public:
  Putter(Transaction& transaction, const Remembered& runs)
      : transaction_(transaction),
        runs_(runs),
        places_(find(transaction.db(), runs, transaction.now())) {}

  std::vector<PutBack> write() {
    insert();
    raise();
    end();
    note_attempts();
    std::vector<PutBack> what;
    for (const Place& place : places_) what.push_back(place.what);
    return what;
  }

 private:
  template <class Use>
  void each(PutBack what, Use use) {
    for (std::size_t at = 0; at < runs_.size(); ++at) {
      if (places_[at].what == what) use(runs_[at], places_[at]);
    }
  }
  // Those that were not written had moved on; of an insertion, another's claim came first.
  void settle(PutBack what, PutBack otherwise, const Rows& rows) {
    std::unordered_set<RunNo> written;
    for (const Row row : rows) written.insert(RunNo{row.integer(0)});
    for (Place& place : places_) {
      if (place.what != what) continue;
      if (written.contains(place.run)) {
        transaction_.run_changed(place.shard, place.run);
        if (what == PutBack::inserted) transaction_.runs_added(place.shard, 1);
      } else {
        place.what = otherwise;
      }
    }
  }

  void insert();
  void raise();
  void end();
  void note_attempts();

  Transaction& transaction_;
  const Remembered& runs_;
  std::vector<Place> places_;
};

void Putter::insert() {
  Numbers numbers, dues, jobs, shards, revisions, kinds, scheduled, states, fences, attempts;
  Numbers send_ats, failures, unknowns, firsts, verdicts, reasons;
  Uuids ids;
  Texts keys;
  each(PutBack::inserted, [&](const core::RememberedRun& known, Place& place) {
    const core::OpenRun& run = known.run;
    place.run = transaction_.next_run(run.due);
    numbers.add(place.run);
    dues.add(run.due);
    ids.add(run.id);
    jobs.add(place.job);
    shards.add(place.shard);
    revisions.add(std::min(run.revision, place.revision));  // the edit may be lost as well
    kinds.add(run.kind);
    keys.add(key_of(run));
    scheduled.add(run.scheduled_at);
    states.add(run.state);
    fences.add(run.fence);
    attempts.add(run.attempt);
    send_ats.add(run.send_at);
    failures.add(run.failures);
    unknowns.add(run.unknowns);
    firsts.add(run.first_attempt_at);
    const bool ended = run.state == core::RunState::ended;
    ended ? verdicts.add(known.verdict) : verdicts.add_null();
    reasons.add(known.reason);
  });
  if (numbers.size() == 0) return;
  Params params;
  params.add(numbers).add(dues).add(ids).add(jobs).add(shards).add(revisions).add(kinds).add(keys);
  params.add(scheduled).add(states).add(fences).add(attempts).add(send_ats).add(failures);
  params.add(unknowns).add(firsts).add(verdicts).add(reasons).add(transaction_.now());
  settle(PutBack::inserted, PutBack::taken,
         transaction_.db().run("reassert_insert", std::move(params)));
}

void Putter::raise() {
  Numbers numbers, states, fences, attempts, send_ats, failures, unknowns, firsts;
  each(PutBack::raised, [&](const core::RememberedRun& known, const Place& place) {
    const core::OpenRun& run = known.run;
    numbers.add(place.run);
    states.add(run.state);
    fences.add(run.fence);
    attempts.add(run.attempt);
    send_ats.add(run.send_at);
    failures.add(run.failures);
    unknowns.add(run.unknowns);
    firsts.add(run.first_attempt_at);
  });
  if (numbers.size() == 0) return;
  Params params;
  params.add(numbers).add(states).add(fences).add(attempts).add(send_ats);
  params.add(failures).add(unknowns).add(firsts);
  settle(PutBack::raised, PutBack::known,
         transaction_.db().run("reassert_raise", std::move(params)));
}

void Putter::end() {
  Numbers numbers, dues, fences, attempts, verdicts, reasons;
  each(PutBack::ended, [&](const core::RememberedRun& known, const Place& place) {
    numbers.add(place.run);
    dues.add(known.run.due);
    fences.add(known.run.fence);
    attempts.add(known.run.attempt);
    verdicts.add(known.verdict);
    reasons.add(known.reason);
  });
  if (numbers.size() == 0) return;
  Params params;
  params.add(numbers).add(dues).add(fences).add(attempts).add(verdicts).add(reasons);
  params.add(transaction_.now());
  settle(PutBack::ended, PutBack::known, transaction_.db().run("reassert_end", std::move(params)));
}

// Of all runs that were written.
void Putter::note_attempts() {
  Numbers runs, numbers, revisions, fences, fates, statuses, firsts, ended, lease_fences;
  Uuids nodes;
  for (std::size_t at = 0; at < runs_.size(); ++at) {
    const Place& place = places_[at];
    if (place.what != PutBack::inserted && place.what != PutBack::raised &&
        place.what != PutBack::ended) {
      continue;
    }
    lease_fences.add(runs_[at].run.fence);
    nodes.add(runs_[at].node);
    for (const core::JournalAttempt& attempt : runs_[at].attempts) {
      if (attempt.fate == core::Fate::withdrawn) continue;  // its number was not used
      transaction_.need_day_of(place.run);
      runs.add(place.run);
      numbers.add(attempt.number);
      revisions.add(attempt.revision);
      fences.add(attempt.fence);
      fates.add(attempt.fate);
      statuses.add(attempt.status);
      firsts.add(attempt.first_byte_at);
      ended.add(attempt.ended_at);
      lease_fences.add(attempt.fence);
      nodes.add(runs_[at].node);
    }
  }
  if (lease_fences.size() == 0) return;
  Params leases;
  leases.add(lease_fences).add(nodes).add(transaction_.now());
  std::vector<Call> calls{{"reassert_leases", std::move(leases)}};
  if (runs.size() > 0) {
    Params params;
    params.add(runs).add(numbers).add(revisions).add(fences).add(fates).add(statuses);
    params.add(firsts).add(ended).add(Bytes{attempt_text});
    calls.push_back({"reassert_attempts", std::move(params)});
  }
  transaction_.db().run(std::move(calls));
}

}  // namespace

std::vector<PutBack> look_back(Connection& db, const Remembered& runs, Instant now) {
  std::vector<PutBack> what;
  for (const Place& place : find(db, runs, now)) what.push_back(place.what);
  return what;
}

std::vector<PutBack> put_back(Transaction& transaction, const Remembered& runs) {
  return Putter(transaction, runs).write();
}

}  // namespace cronally::store::postgres
