#include "store/sqlite/jobs.h"

#include <chrono>
#include <limits>
#include <utility>

#include "core/definition_json.h"
#include "store/cursor.h"
#include "store/job_edit.h"
#include "store/sqlite/job_match.h"
#include "store/sqlite/rows.h"

namespace cronally::store::sqlite {

using Change = core::Replan::Change;

namespace {

// Thrown inside a transaction to undo it; carries the outcome to the caller.
struct Undo {
  Error error;
};

template <class Find>
std::optional<core::Job> read_job(Connection& db, std::string_view statement, AccountNo account,
                                  const Find& find) {
  auto row = db.use(statement);
  row.bind(account).bind(find);
  return row.step() ? std::optional(job_row(row)) : std::nullopt;
}

// Since when what the job owes is not planned, if that is before `stamp`, when it is replaced. Its
// row is still as it was.
std::optional<Instant> owed_from(Connection& db, JobNo job, Instant stamp) {
  auto row = db.use("owed_from_read");
  row.bind(job);
  if (!row.step() || row.instant(0) >= stamp) return std::nullopt;
  return row.instant(0);
}

void insert_revision(Connection& db, const core::Job& job, std::optional<Instant> owed_from) {
  const auto& definition = job.definition;
  db.use("revision_insert")
      .bind(job.no)
      .bind(job.revision)
      .bind(core::write_definition(definition))
      .bind(definition.schedule)
      .bind(definition.zone)
      .bind(definition.dst)
      .bind(job.anchor)
      .bind(definition.name)
      .bind(job.updated_at)
      .bind(owed_from)
      .run();
}

void insert_secrets(Connection& db, JobNo job, const std::vector<NewSecret>& secrets) {
  for (const auto& secret : secrets) {
    db.use("secret_insert").bind(secret.id).bind(job).bind_blob(secret.sealed).run();
  }
}

void write_labels(Connection& db, std::string_view statement, const core::Job& job) {
  for (const auto& [key, value] : job.definition.labels) {
    db.use(statement).bind(job.account).bind(key).bind(value).bind(job.no).run();
  }
}

// The planning columns, in the order that job_insert and job_update share.
void bind_plan(Statement& statement, const core::Job& job) {
  const auto& definition = job.definition;
  statement.bind(definition.schedule)
      .bind(definition.zone)
      .bind(definition.dst)
      .bind(job.anchor)
      .bind(definition.delivery)
      .bind(definition.retry.attempts)
      .bind(definition.retry.backoff_min)
      .bind(definition.retry.backoff_max)
      .bind(definition.retry.age_max)
      .bind(definition.catch_up.mode)
      .bind(definition.catch_up.window)
      .bind(definition.catch_up.limit)
      .bind(core::destination_of(definition.target));
}

core::Job insert_job(Transaction& transaction, AccountNo account, JobDraft draft) {
  auto& db = transaction.db();
  const auto secrets = std::move(draft.secrets);
  const auto stamp = transaction.stamp();
  auto job = job_of(account, std::move(draft), stamp);
  job.change = transaction.shard_changed(job.shard);
  {
    auto insert = db.use("job_insert");
    insert.bind(job.id)
        .bind(account)
        .bind(job.shard)
        .bind(job.definition.name)
        .bind(job.change)
        .bind(Change::created)
        .bind(job.definition.paused)
        .bind(stamp)
        .bind(stamp);
    bind_plan(insert, job);
    insert.bind(job.v1_name).run();
  }
  job.no = {db.last_row()};
  write_labels(db, "label_insert", job);
  insert_revision(db, job, std::nullopt);
  insert_secrets(db, job.no, secrets);
  return job;
}

core::Job update_job(Transaction& transaction, core::Job job, JobDraft draft) {
  auto& db = transaction.db();
  const auto v1_name_was = std::exchange(job.v1_name, v1_name_after(job, draft));
  const auto kind = change_between(job.definition, draft.definition);
  if (!kind) {
    if (job.v1_name != v1_name_was) {
      db.use("job_v1_name_set").bind(job.no).bind(job.v1_name).run();
    }
    return job;
  }
  write_labels(db, "label_delete", job);
  job = next_revision(std::move(job), std::move(draft.definition), transaction.stamp());
  write_labels(db, "label_insert", job);
  job.change = transaction.shard_changed(job.shard);
  insert_revision(db, job, owed_from(db, job.no, job.updated_at));
  {
    auto update = db.use("job_update");
    update.bind(job.no)
        .bind(job.definition.name)
        .bind(job.revision)
        .bind(job.change)
        .bind(*kind)
        .bind(job.definition.paused)
        .bind(job.updated_at);
    bind_plan(update, job);
    update.bind(job.v1_name).run();
  }
  insert_secrets(db, job.no, draft.secrets);
  return job;
}

// Every draft in order; throws Undo with all names that are taken.
std::vector<core::Job> write_drafts(Transaction& transaction, AccountNo account,
                                    std::vector<JobDraft>& drafts, Existing existing) {
  std::vector<core::Job> jobs;
  Error conflict{"name_taken", ""};
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const auto name = drafts[i].definition.name;
    auto found = read_job(transaction.db(), "job_by_name", account, name);
    if (found && existing == Existing::fail) {
      conflict.message = name_taken_text(name);
      conflict.fields.push_back({"/items/" + std::to_string(i) + "/name", name_taken_text(name)});
    } else if (found) {
      jobs.push_back(update_job(transaction, std::move(*found), std::move(drafts[i])));
    } else {
      jobs.push_back(insert_job(transaction, account, std::move(drafts[i])));
    }
  }
  if (!conflict.fields.empty()) throw Undo{conflict};
  return jobs;
}

std::optional<Created> replay(Transaction& transaction, AccountNo account,
                              const Idempotency& idempotency) {
  auto row = transaction.db().use("idempotency_find");
  row.bind(account).bind(idempotency.key).bind(transaction.now() - std::chrono::hours{24});
  if (!row.step()) return std::nullopt;
  if (row.text(0) != idempotency.digest) {
    throw Undo{{"idempotency_mismatch",
                "this Idempotency-Key was used for another request; use a new key for a new "
                "request"}};
  }
  return Replayed{row.text(1)};
}

// Runs `work` in a transaction; an Undo becomes the error side.
template <class T>
Result<T> write_or_undo(Writer& writer, const std::function<T(Transaction&)>& work) {
  std::optional<T> value;
  try {
    writer.write([&](Transaction& transaction) { value.emplace(work(transaction)); }, Need::room);
  } catch (Undo& undo) {
    return fail(std::move(undo.error));
  }
  return std::move(*value);
}

core::Job require_job(Transaction& transaction, AccountNo account, JobId id,
                      std::optional<Revision> expected) {
  auto job = read_job(transaction.db(), "job_by_id", account, id);
  if (!job) throw Undo{{"not_found", "there is no such job"}};
  if (expected && job->revision != *expected) {
    throw Undo{{"revision_conflict", "the job was changed meanwhile: it is at revision " +
                                         std::to_string(job->revision) + ", not " +
                                         std::to_string(*expected)}};
  }
  return std::move(*job);
}

core::Run insert_request(Transaction& transaction, const core::Job& job, core::RunKind kind,
                         const std::string& key, RunId id) {
  auto& db = transaction.db();
  const auto due = transaction.stamp();
  const RunNo run = transaction.next_run();
  db.use("request_insert")
      .bind(run)
      .bind(id_at(id, due))
      .bind(job.no)
      .bind(job.shard)
      .bind(job.revision)
      .bind(kind)
      .bind(key)
      .bind(due)
      .run();
  transaction.run_added();
  db.use("key_insert").bind(job.no).bind(key).bind(run).bind(due).run();
  transaction.run_changed(run);
  transaction.effects().requested = true;
  auto row = db.use("run_by_no");
  row.bind(run);
  row.step();
  return full_run(db, row);
}

// A page of jobs, the newest below `before` first, along what JobMatch found cheapest.
struct JobList {
  Connection& db;
  AccountNo account;
  const JobMatch& match;
  std::int64_t before;
  std::size_t limit;

  std::vector<core::Job> read() const {
    switch (match.way()) {
      case JobMatch::Way::all: break;
      case JobMatch::Way::label: return by_label();
      case JobMatch::Way::name: return by_name();
    }
    auto rows = db.use("job_list");
    rows.bind(account).bind(before);
    return take(rows);
  }

 private:
  std::vector<core::Job> by_label() const {
    auto rows = db.use("job_list_by_label");
    rows.bind(account).bind(before).bind(match.key()).bind(match.value());
    match.bind_other_labels(rows);
    match.bind_names(rows);
    return take(rows);
  }

  std::vector<core::Job> by_name() const {
    if (match.common()) {
      auto jobs = by_name("job_list_among");
      if (jobs.size() == limit) return jobs;
    }
    return by_name("job_list_by_name");
  }

  std::vector<core::Job> by_name(std::string_view statement) const {
    auto rows = db.use(statement);
    rows.bind(account).bind(before);
    match.bind_names(rows);
    match.bind_labels(rows);
    return take(rows);
  }

  std::vector<core::Job> take(Statement& rows) const {
    rows.bind(static_cast<std::int64_t>(limit));
    std::vector<core::Job> jobs;
    while (rows.step()) jobs.push_back(job_row(rows));
    return jobs;
  }
};

}  // namespace

Result<Created> SqliteJobs::create_jobs(AccountNo account, std::vector<JobDraft> drafts,
                                        Existing existing, std::optional<Idempotency> idempotency) {
  return write_or_undo<Created>(engine_.writer, [&](Transaction& transaction) -> Created {
    if (idempotency) {
      if (auto replayed = replay(transaction, account, *idempotency)) return std::move(*replayed);
    }
    auto jobs = write_drafts(transaction, account, drafts, existing);
    if (idempotency) {
      transaction.db()
          .use("idempotency_insert")
          .bind(account)
          .bind(idempotency->key)
          .bind_blob(idempotency->digest)
          .bind(idempotency->render(jobs))
          .bind(transaction.now())
          .run();
    }
    return jobs;
  });
}

Result<core::Job> SqliteJobs::change_job(AccountNo account, JobDraft draft, Revision expected) {
  return write_or_undo<core::Job>(engine_.writer, [&](Transaction& transaction) {
    auto job = require_job(transaction, account, draft.id, expected);
    if (draft.definition.name != job.definition.name &&
        read_job(transaction.db(), "job_by_name", account, draft.definition.name)) {
      auto text = name_taken_text(draft.definition.name);
      throw Undo{{"name_taken", text, {{"/name", text}}}};
    }
    return update_job(transaction, std::move(job), std::move(draft));
  });
}

Result<core::Job> SqliteJobs::delete_job(AccountNo account, JobId id,
                                         std::optional<Revision> expected) {
  return write_or_undo<core::Job>(engine_.writer, [&](Transaction& transaction) {
    auto& db = transaction.db();
    auto job = require_job(transaction, account, id, expected);
    const auto stamp = transaction.stamp();
    job.change = transaction.shard_changed(job.shard);
    const auto owed = owed_from(db, job.no, stamp);
    db.use("revision_repeat").bind(job.no).bind(job.revision).bind(stamp).bind(owed).run();
    db.use("job_delete").bind(job.no).bind(job.change).bind(Change::deleted).bind(stamp).run();
    ++job.revision;
    job.updated_at = stamp;
    return job;
  });
}

std::optional<core::Job> SqliteJobs::find_job(AccountNo account, JobId job) {
  return engine_.readers.read(
      [&](Connection& db) { return read_job(db, "job_by_id", account, job); });
}

std::optional<core::Job> SqliteJobs::find_job(AccountNo account, std::string_view name) {
  return engine_.readers.read(
      [&](Connection& db) { return read_job(db, "job_by_name", account, name); });
}

Result<Page<core::Job>> SqliteJobs::list_jobs(AccountNo account, const JobFilter& filter) {
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (filter.cursor) {
    auto cursor = read_cursor<1>(*filter.cursor);
    if (!cursor) return fail(cursor.error());
    before = (*cursor)[0];
  }
  return engine_.readers.read([&](Connection& db) -> Result<Page<core::Job>> {
    const JobMatch match(db, account, filter.labels, filter.name_prefix);
    const JobList list{
        .db = db, .account = account, .match = match, .before = before, .limit = filter.limit + 1};
    Page<core::Job> page;
    page.items = list.read();
    if (page.items.size() > filter.limit) {
      page.items.pop_back();
      page.next_cursor = write_cursor<1>({page.items.back().no.value});
    }
    return page;
  });
}

Result<core::Run> SqliteJobs::request_run(AccountNo account, JobId id, core::RunKind kind,
                                          std::string key, RunId run) {
  return write_or_undo<core::Run>(engine_.writer, [&](Transaction& transaction) {
    auto& db = transaction.db();
    auto job = require_job(transaction, account, id, std::nullopt);
    RunNo known{0};
    {
      auto found = db.use("key_find");
      found.bind(job.no).bind(key);
      if (found.step()) known = {found.integer(0)};
    }
    if (known.value == 0) return insert_request(transaction, job, kind, key, run);
    auto row = db.use("run_by_no");
    row.bind(known);
    if (!row.step()) {
      throw Undo{{"key_used",
                  "this key was used for a run that is no longer kept; use a new key for a new "
                  "run"}};
    }
    return full_run(db, row);
  });
}

}  // namespace cronally::store::sqlite
