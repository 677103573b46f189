#include "store/postgres/jobs.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "store/cursor.h"
#include "store/job_edit.h"
#include "store/postgres/job_match.h"
#include "store/postgres/job_rows.h"
#include "store/postgres/rows.h"

namespace cronally::store::postgres {

using Change = core::Replan::Change;

namespace {

// Thrown inside a transaction to undo it; carries the outcome to the caller.
struct Undo {
  Error error;
};

constexpr auto not_owed = std::numeric_limits<std::int64_t>::min();

// Runs `work` in a transaction; an Undo becomes the error side.
template <class T>
Result<T> write_or_undo(Writer& writer, const std::function<T(Transaction&)>& work) {
  std::optional<T> value;
  try {
    writer.write([&](Transaction& transaction) { value.emplace(work(transaction)); });
  } catch (Undo& undo) {
    return fail(std::move(undo.error));
  }
  return std::move(*value);
}

std::optional<core::Job> read_job(Connection& db, AccountNo account, JobId id) {
  const auto rows = db.run("job_by_id", std::move(Params().add(account).add(id)));
  return rows.empty() ? std::nullopt : std::optional(job_row(rows[0]));
}

using JobsByName = std::unordered_map<std::string, core::Job>;

JobsByName read_jobs(Connection& db, AccountNo account, const Texts& names) {
  JobsByName jobs;
  for (const Row row : db.run("jobs_by_name", std::move(Params().add(account).add(names)))) {
    auto job = job_row(row);
    auto name = job.definition.name;
    jobs.emplace(std::move(name), std::move(job));
  }
  return jobs;
}

core::Job require_job(Connection& db, AccountNo account, JobId id,
                      std::optional<Revision> expected) {
  auto job = read_job(db, account, id);
  if (!job) throw Undo{{"not_found", "there is no such job"}};
  if (expected && job->revision != *expected) {
    throw Undo{{"revision_conflict", "the job was changed meanwhile: it is at revision " +
                                         std::to_string(job->revision) + ", not " +
                                         std::to_string(*expected)}};
  }
  return std::move(*job);
}

// Hands the job's next revision to `rows`, or the job itself where nothing differs.
void revise(JobRows& rows, Transaction& transaction, core::Job job, JobDraft draft) {
  const auto v1_name_was = std::exchange(job.v1_name, v1_name_after(job, draft));
  const auto kind = change_between(job.definition, draft.definition);
  if (!kind) {
    const bool renamed = job.v1_name != v1_name_was;
    rows.keep(std::move(job), renamed);
    return;
  }
  auto next = next_revision(std::move(job), std::move(draft.definition), transaction.stamp());
  rows.revise(std::move(next), *kind, std::move(draft.secrets));
}

// Every draft in order; throws Undo with all names that are taken.
class Drafts {
 public:
  Drafts(Transaction& transaction, AccountNo account, Existing existing)
      : transaction_(transaction), account_(account), existing_(existing), rows_(transaction) {}

  std::vector<core::Job> write(std::vector<JobDraft>& drafts) {
    read_existing(drafts);
    for (std::size_t i = 0; i < drafts.size(); ++i) write_one(i, std::move(drafts[i]));
    if (!conflict_.fields.empty()) throw Undo{conflict_};
    flush();
    return std::move(jobs_);
  }

 private:
  void read_existing(const std::vector<JobDraft>& drafts) {
    Texts names;
    for (const auto& draft : drafts) names.add(draft.definition.name);
    existing_jobs_ = read_jobs(transaction_.db(), account_, names);
  }

  void write_one(std::size_t place, JobDraft draft) {
    const auto name = draft.definition.name;
    if (existing_ == Existing::replace && pending_.contains(name)) flush();
    const auto found = existing_jobs_.find(name);
    const bool taken = found != existing_jobs_.end() || pending_.contains(name);
    if (taken && existing_ == Existing::fail) {
      conflict_.message = name_taken_text(name);
      conflict_.fields.push_back(
          {"/items/" + std::to_string(place) + "/name", name_taken_text(name)});
      return;
    }
    pending_.emplace(name);
    if (found != existing_jobs_.end()) {
      revise(rows_, transaction_, found->second, std::move(draft));
    } else {
      auto secrets = std::move(draft.secrets);
      rows_.make(job_of(account_, std::move(draft), transaction_.stamp()), std::move(secrets));
    }
  }

  // A name that comes again is written anew, on top of what it was written as.
  void flush() {
    for (auto& job : rows_.write()) {
      existing_jobs_.insert_or_assign(job.definition.name, job);
      jobs_.push_back(std::move(job));
    }
    pending_.clear();
  }

  Transaction& transaction_;
  const AccountNo account_;
  const Existing existing_;
  JobRows rows_;
  JobsByName existing_jobs_;
  std::unordered_set<std::string> pending_;  // names in rows_
  std::vector<core::Job> jobs_;
  Error conflict_{"name_taken", ""};
};

std::optional<Created> replay(Transaction& transaction, AccountNo account,
                              const Idempotency& idempotency) {
  Params params;
  params.add(account).add(idempotency.key).add(transaction.now() - std::chrono::hours{24});
  const auto rows = transaction.db().run("idempotency_find", std::move(params));
  if (rows.empty()) return std::nullopt;
  if (rows[0].view(0) != idempotency.digest) {
    throw Undo{{"idempotency_mismatch",
                "this Idempotency-Key was used for another request; use a new key for a new "
                "request"}};
  }
  return Replayed{rows[0].text(1)};
}

void remember(Transaction& transaction, AccountNo account, const Idempotency& idempotency,
              const std::vector<core::Job>& jobs) {
  Params params;
  params.add(account).add(idempotency.key).add(Bytes{idempotency.digest});
  params.add(idempotency.render(jobs)).add(transaction.now());
  transaction.db().run("idempotency_insert", std::move(params));
}

core::Run read_run(Connection& db, RunNo run, Instant due) {
  auto runs = full_runs(db, db.run("run_by_no", std::move(Params().add(run).add(due))));
  if (runs.empty()) {
    throw Undo{{"key_used",
                "this key was used for a run that is no longer kept; use a new key for a new run"}};
  }
  return std::move(runs.front());
}

core::Run insert_request(Transaction& transaction, const core::Job& job, core::RunKind kind,
                         const std::string& key, RunId id) {
  const auto due = transaction.stamp();
  const RunNo run = transaction.next_run(due);
  Params request;
  request.add(run).add(due).add(id_at(id, due)).add(job.no).add(job.shard).add(job.revision);
  request.add(kind).add(key).add(not_owed);
  Params used;
  used.add(job.no).add(key).add(run).add(due);
  transaction.db().run({{"request_insert", std::move(request)}, {"key_insert", std::move(used)}});
  transaction.runs_added(job.shard, 1);
  transaction.run_changed(job.shard, run);
  transaction.effects().requested = true;
  return read_run(transaction.db(), run, due);
}

}  // namespace

Result<Created> PostgresJobs::create_jobs(AccountNo account, std::vector<JobDraft> drafts,
                                          Existing existing,
                                          std::optional<Idempotency> idempotency) {
  return write_or_undo<Created>(engine_.edits, [&](Transaction& transaction) -> Created {
    if (idempotency) {
      if (auto replayed = replay(transaction, account, *idempotency)) return std::move(*replayed);
    }
    auto wanted = drafts;  // kept: the work may be done twice
    auto jobs = Drafts(transaction, account, existing).write(wanted);
    if (idempotency) remember(transaction, account, *idempotency, jobs);
    return jobs;
  });
}

Result<core::Job> PostgresJobs::change_job(AccountNo account, JobDraft draft, Revision expected) {
  return write_or_undo<core::Job>(engine_.edits, [&](Transaction& transaction) {
    auto& db = transaction.db();
    auto job = require_job(db, account, draft.id, expected);
    const auto& name = draft.definition.name;
    if (name != job.definition.name && !read_jobs(db, account, Texts().add(name)).empty()) {
      auto text = name_taken_text(name);
      throw Undo{{"name_taken", text, {{"/name", text}}}};
    }
    JobRows rows(transaction);
    revise(rows, transaction, std::move(job), draft);
    return std::move(rows.write().front());
  });
}

Result<core::Job> PostgresJobs::delete_job(AccountNo account, JobId id,
                                           std::optional<Revision> expected) {
  return write_or_undo<core::Job>(engine_.edits, [&](Transaction& transaction) {
    auto& db = transaction.db();
    auto job = require_job(db, account, id, expected);
    const auto stamp = transaction.stamp();
    std::array<std::int64_t, shard_count> counts{};
    const auto shard = static_cast<std::size_t>(job.shard.value);
    counts.at(shard) = 1;
    job.change = transaction.shards_changed(counts)[shard] + 1;
    Params revision;
    revision.add(job.no).add(job.revision).add(stamp);
    Params deleted;
    deleted.add(job.no).add(job.change).add(Change::deleted).add(stamp);
    db.run({{"revision_repeat", std::move(revision)}, {"job_delete", std::move(deleted)}});
    ++job.revision;
    job.updated_at = stamp;
    return job;
  });
}

// The bell tells what owners have seen; that a lease ended nobody tells, so that is looked at.
bool PostgresJobs::await_seen(ShardNo shard, std::int64_t change, Duration timeout) {
  constexpr Duration look_every = std::chrono::milliseconds{250};
  const runtime::SystemClock clock{runtime::SystemClock::Hooks::ignore};
  const auto until = clock.steady() + timeout;
  while (true) {
    const auto wait = std::clamp<Duration>(until - clock.steady(), Duration{}, look_every);
    if (engine_.bell.wait_seen(shard, change, wait)) return true;
    try {
      const bool seen = engine_.readers.read([&](Connection& db) {
        return db.run("shard_seen", std::move(Params().add(shard).add(change)))[0].flag(0);
      });
      if (seen) return true;
    } catch (const Unavailable&) {
      // The edit is committed; whether its owner has seen it is told when the database is back.
    }
    if (clock.steady() >= until) return false;
  }
}

std::optional<core::Job> PostgresJobs::find_job(AccountNo account, JobId job) {
  return engine_.readers.read([&](Connection& db) { return read_job(db, account, job); });
}

std::optional<core::Job> PostgresJobs::find_job(AccountNo account, std::string_view name) {
  return engine_.readers.read([&](Connection& db) -> std::optional<core::Job> {
    auto jobs = read_jobs(db, account, Texts().add(name));
    if (jobs.empty()) return std::nullopt;
    return std::move(jobs.begin()->second);
  });
}

Result<Page<core::Job>> PostgresJobs::list_jobs(AccountNo account, const JobFilter& filter) {
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (filter.cursor) {
    auto cursor = read_cursor<1>(*filter.cursor);
    if (!cursor) return fail(cursor.error());
    before = (*cursor)[0];
  }
  const JobMatch match(filter.labels, filter.name_prefix);
  return engine_.readers.read([&](Connection& db) -> Result<Page<core::Job>> {
    Params params;
    params.add(account).add(before).add(static_cast<std::int64_t>(filter.limit) + 1);
    std::string_view statement = "job_list";
    if (const auto few = match.few(db, account)) {
      Numbers jobs;
      for (const JobNo job : *few) jobs.add(job);
      params.add(jobs);
      statement = "job_list_among";
    } else if (!match.all()) {
      match.add_names(params);
      match.add_labels(params);
      statement = "job_list_filtered";
    }
    Page<core::Job> page;
    for (const Row row : db.run(statement, std::move(params))) {
      page.items.push_back(job_row(row));
    }
    if (page.items.size() > filter.limit) {
      page.items.pop_back();
      page.next_cursor = write_cursor<1>({page.items.back().no.value});
    }
    return page;
  });
}

Result<core::Run> PostgresJobs::request_run(AccountNo account, JobId id, core::RunKind kind,
                                            std::string key, RunId run) {
  return write_or_undo<core::Run>(engine_.edits, [&](Transaction& transaction) {
    auto& db = transaction.db();
    const auto job = require_job(db, account, id, std::nullopt);
    const auto known = db.run("key_find", std::move(Params().add(job.no).add(key)));
    if (known.empty()) return insert_request(transaction, job, kind, key, run);
    return read_run(db, {known[0].integer(0)}, known[0].instant(1));
  });
}

}  // namespace cronally::store::postgres
