#include "tests/sim/model_store.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "store/job_edit.h"

namespace cronally::sim {

using core::Replan;

ModelStore::ModelStore(Clock clock, Holders holders)
    : clock_(std::move(clock)),
      holders_(holders),
      shards_(shard_count),
      last_commit_(clock_().wall),
      last_steady_(clock_().steady) {
  for (auto& shard : shards_) shard.cursor = last_commit_;
}

Instant ModelStore::commit_clock() {
  const Now now = clock_();
  last_commit_ = std::max(last_commit_, now.wall);
  last_steady_ = now.steady;
  return now.wall;
}

// As store/sqlite: an instant for an edit, later than every one before it.
Instant ModelStore::stamp() {
  last_stamp_ = std::max(clock_().wall, last_stamp_ + Duration{1});
  last_commit_ = std::max(last_commit_, last_stamp_);
  return last_stamp_;
}

const RunRecord* ModelStore::find_record(const RunId& id) const {
  const auto found = run_ids_.find(id);
  return found == run_ids_.end() ? nullptr : &runs_.at(found->second);
}

// ---- Spine ------------------------------------------------------------------------------------

store::JobPlan ModelStore::plan_of(const JobRecord& record) const {
  store::JobPlan plan = plan_of(record, record.definitions.back());
  plan.last_change = record.last_change;
  if (plan.planned) return plan;
  std::vector<store::StoredRevision> revisions;
  for (const DefinitionSpan& span : record.definitions) {
    if (span.revision < record.planned_revision) continue;
    std::optional<Instant> owed_from;
    if (!revisions.empty()) {
      const DefinitionSpan& before =
          record.definitions[static_cast<std::size_t>(span.revision - 2)];
      owed_from = std::max(before.from, before.accounted_until);
    }
    revisions.push_back({span.revision, span.definition, span.anchor, span.from, owed_from});
  }
  plan.owed_before = store::owed_before(revisions, record.deleted);
  return plan;
}

store::JobPlan ModelStore::plan_of(const JobRecord& record, const DefinitionSpan& span) const {
  const core::JobDefinition& definition = span.definition;
  return {.no = record.job.no,
          .id = record.job.id,
          .shard = record.job.shard,
          .revision = span.revision,
          .name = definition.name,
          .schedule = definition.schedule,
          .zone = definition.zone,
          .dst = definition.dst,
          .anchor = span.anchor,
          .changed_at = span.from,
          .change = record.job.change,
          .planned = record.planned_revision == span.revision,
          .paused = definition.paused,
          .deleted = record.deleted,
          .last_change = span.change,
          .delivery = definition.delivery,
          .retry = definition.retry,
          .catch_up = definition.catch_up,
          .destination = core::destination_of(definition.target)};
}

bool holds(const JobRecord& record, const core::OpenRun& run) {
  return record.job.definition.paused && !record.deleted && run.due <= record.job.updated_at;
}

void ModelStore::submit(core::Batch batch, std::function<void(core::BatchFate)> done) {
  done(apply(batch));
}

std::vector<core::OpenRun> ModelStore::read_open_runs(const ShardSet& shards, Instant until,
                                                      std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<core::OpenRun> open;
  for (const RunNo no : open_) {
    const RunRecord& run = runs_.at(no);
    if (run.open.state == core::RunState::requested) continue;
    const bool held = holds(jobs_.at(run.open.job), run.open);
    const bool asked = shards.test(static_cast<std::size_t>(run.open.shard.value));
    if (run.open.send_at <= until && !held && asked) open.push_back(run.open);
  }
  std::ranges::sort(open, {}, [](const auto& run) { return std::pair{run.send_at, run.no}; });
  if (open.size() > limit) open.resize(limit);
  return open;
}

store::Changes ModelStore::peek_changes(
    const std::vector<std::pair<ShardNo, std::int64_t>>& since) const {
  std::lock_guard lock(mutex_);
  store::Changes found;
  std::array<std::optional<std::int64_t>, shard_count> known{};
  for (const auto& [no, from] : since) {
    known.at(static_cast<std::size_t>(no.value)) = from;
    if (shard(no).change > from) found.seen.emplace_back(no, shard(no).change);
  }
  const auto known_of = [&](ShardNo no) { return known.at(static_cast<std::size_t>(no.value)); };
  for (const auto& [no, record] : jobs_) {
    const auto from = known_of(record.job.shard);
    if (from && record.job.change > *from) found.jobs.push_back(plan_of(record));
  }
  for (const RunNo no : open_) {
    const core::OpenRun& run = runs_.at(no).open;
    if (run.state == core::RunState::requested && known_of(run.shard)) {
      found.requested.push_back(run);
    }
  }
  return found;
}

store::Changes ModelStore::changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since) {
  std::lock_guard lock(mutex_);
  store::Changes found = peek_changes(since);
  std::erase_if(found.requested, [this](const core::OpenRun& run) {
    const Fence holder = shard(run.shard).fence;
    return std::exchange(requested_told_[run.no], holder) == holder;
  });
  return found;
}

bool ModelStore::seen(ShardNo no, std::int64_t change) const {
  if (doubted()) return false;  // an owner may not have heard
  const ShardRecord& known = shard(no);
  const Duration early =
      acknowledge_early_ ? Duration{std::chrono::milliseconds{1500}} : Duration{};
  return known.seen >= change ||
         (holders_ == Holders::several && known.ends <= clock_().wall + early);
}

store::Changes ModelStore::wait_for_changes(
    const std::vector<std::pair<ShardNo, std::int64_t>>& since, Duration timeout) {
  std::unique_lock lock(mutex_);
  store::Changes found;
  changed_.wait_for(lock, timeout, [&] {
    found = changes(since);
    return interrupted_ || !found.seen.empty() || !found.requested.empty();
  });
  interrupted_ = false;
  return found;
}

void ModelStore::interrupt_waits() {
  std::lock_guard lock(mutex_);
  interrupted_ = true;
  changed_.notify_all();
}

std::vector<std::shared_ptr<const store::Deliverable>> ModelStore::read_deliverables(
    const std::vector<std::pair<JobNo, Revision>>& wanted) {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const store::Deliverable>> found;
  for (const auto& [no, revision] : wanted) {
    const auto& known = deliverables_[no];
    const auto one = revision == 0 ? (known.empty() ? known.end() : std::prev(known.end()))
                                   : known.find(revision);
    found.push_back(one == known.end() ? nullptr : one->second);
  }
  return found;
}

std::vector<store::Spine::UncountedSpan> ModelStore::uncounted_spans(std::size_t limit) {
  std::lock_guard lock(mutex_);
  std::vector<UncountedSpan> found;
  for (std::size_t i = 0; i < spans_.size() && found.size() < limit; ++i) {
    const SkipRecord& span = spans_[i];
    if (span.count) continue;
    const JobRecord& record = jobs_.at(span.job);
    const auto as_of = std::ranges::find(record.definitions, span.revision,
                                         [](const DefinitionSpan& each) { return each.revision; });
    found.push_back({static_cast<std::int64_t>(i), plan_of(record, *as_of), span.from, span.to});
  }
  return found;
}

void ModelStore::set_span_counts(const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) {
  std::lock_guard lock(mutex_);
  for (const auto& [no, count] : counts) spans_.at(static_cast<std::size_t>(no)).count = count;
}

// ---- Jobs -------------------------------------------------------------------------------------

JobRecord* ModelStore::live_job(AccountNo account, const JobId& id) {
  for (auto& [no, record] : jobs_) {
    if (record.job.id == id && record.account == account && !record.deleted) return &record;
  }
  return nullptr;
}

JobRecord* ModelStore::live_job(AccountNo account, std::string_view name) {
  for (auto& [no, record] : jobs_) {
    const bool named = record.job.definition.name == name;
    if (named && record.account == account && !record.deleted) return &record;
  }
  return nullptr;
}

JobRecord& ModelStore::insert_job(AccountNo account, const store::JobDraft& draft) {
  const JobNo no{++last_job_};
  JobRecord& record = jobs_[no];
  record.account = account;
  record.job.definition.name = draft.definition.name;
  call_v1(record.job, draft);
  record.job.id = draft.id;
  record.job.no = no;
  record.job.account = account;
  record.job.shard = shard_of(draft.id);
  revise(record, draft, Replan::Change::created);
  record.job.created_at = record.job.updated_at;
  return record;
}

// What v1 calls the job: as it is told, else it stays while the name does.
void ModelStore::call_v1(core::Job& job, const store::JobDraft& draft) {
  const std::string& name = draft.definition.name;
  if (draft.v1_name) {
    job.v1_name = draft.v1_name == name ? std::nullopt : draft.v1_name;
  } else if (job.definition.name != name) {
    job.v1_name.reset();
  }
}

// Writes the next revision; the definition before it ends here, accounted for up to the cursor if
// it was planned at all.
void ModelStore::revise(JobRecord& record, const store::JobDraft& draft, Replan::Change change) {
  core::Job& job = record.job;
  core::JobDefinition definition = draft.definition;
  ShardRecord& shard = shards_.at(static_cast<std::size_t>(job.shard.value));
  const Instant at = stamp();
  for (const auto& secret : draft.secrets) secrets_[secret.id] = secret.sealed;
  if (!record.definitions.empty()) {
    DefinitionSpan& before = record.definitions.back();
    before.replaced_at = at;
    if (record.planned_revision == job.revision) before.accounted_until = shard.cursor;
  }
  const bool same_schedule = job.revision > 0 && job.definition.schedule == definition.schedule;
  if (definition.anchor) {
    job.anchor = *definition.anchor;
  } else if (!same_schedule) {
    job.anchor = std::chrono::floor<std::chrono::milliseconds>(at);
  }
  job.definition = std::move(definition);
  ++job.revision;
  job.updated_at = at;
  job.change = ++shard.change;
  // A change that is not replanned yet is not hidden by a pause on top of it.
  const bool unplanned = job.revision > 1 && record.planned_revision + 1 < job.revision;
  const bool changed = record.last_change <= Replan::Change::changed;
  if (!unplanned || !changed || change == Replan::Change::deleted) record.last_change = change;
  record.definitions.push_back({job.revision, job.definition, job.anchor, at, change, {}});
  auto deliverable = std::make_shared<store::Deliverable>();
  deliverable->job = job.id;
  deliverable->account = record.account;
  deliverable->definition = job.definition;
  for (const auto& secret : core::secrets_of(job.definition.target)) {
    deliverable->sealed_headers.emplace_back(secret.name, secrets_.at(secret.secret));
    deliverable->sealed_ids.push_back(secret.secret);
  }
  deliverables_[job.no][job.revision] = std::move(deliverable);
  changed_.notify_all();
}

Result<store::Created> ModelStore::create_jobs(AccountNo account,
                                               std::vector<store::JobDraft> drafts,
                                               store::Existing existing,
                                               std::optional<store::Idempotency> idempotency) {
  std::lock_guard lock(mutex_);
  if (idempotency) {
    const auto known = idempotent_.find(idempotency->key);
    if (known != idempotent_.end()) {
      if (known->second.first != idempotency->digest) {
        return fail("idempotency_mismatch", "this Idempotency-Key was used for another request");
      }
      return store::Created{store::Replayed{known->second.second}};
    }
  }
  std::set<std::string> names;
  Error taken{"name_taken", "a job has this name", {}};
  for (std::size_t i = 0; i < drafts.size(); ++i) {
    const std::string& name = drafts[i].definition.name;
    const bool lives = live_job(account, name) && existing == store::Existing::fail;
    if (names.insert(name).second && !lives) continue;
    taken.fields.push_back({"/items/" + std::to_string(i) + "/name", "taken"});
  }
  if (!taken.fields.empty()) return fail(taken);
  commit_clock();
  std::vector<core::Job> created;
  for (const auto& draft : drafts) {
    JobRecord* record = live_job(account, draft.definition.name);
    if (!record) {
      record = &insert_job(account, draft);
    } else {
      call_v1(record->job, draft);
      if (!(record->job.definition == draft.definition)) {
        revise(*record, draft, Replan::Change::changed);
      }
    }
    created.push_back(record->job);
  }
  if (idempotency) {
    idempotent_[idempotency->key] = {idempotency->digest, idempotency->render(created)};
  }
  return store::Created{std::move(created)};
}

Result<core::Job> ModelStore::change_job(AccountNo account, store::JobDraft draft,
                                         Revision expected) {
  std::lock_guard lock(mutex_);
  JobRecord* record = live_job(account, draft.id);
  if (!record) return fail("not_found", "there is no such job");
  if (record->job.revision != expected) {
    return fail("revision_conflict", "the job was changed meanwhile: read it again");
  }
  const JobRecord* named = live_job(account, draft.definition.name);
  if (named && named != record) return fail("name_taken", "a job has this name");
  call_v1(record->job, draft);
  if (record->job.definition == draft.definition) return record->job;
  core::JobDefinition but_for_pause = record->job.definition;
  but_for_pause.paused = draft.definition.paused;
  const auto change = but_for_pause != draft.definition ? Replan::Change::changed
                      : draft.definition.paused         ? Replan::Change::paused
                                                        : Replan::Change::resumed;
  commit_clock();
  revise(*record, draft, change);
  return record->job;
}

Result<core::Job> ModelStore::delete_job(AccountNo account, JobId job,
                                         std::optional<Revision> expected) {
  std::lock_guard lock(mutex_);
  JobRecord* record = live_job(account, job);
  if (!record) return fail("not_found", "there is no such job");
  if (expected && record->job.revision != *expected) {
    return fail("revision_conflict", "the job was changed meanwhile: read it again");
  }
  commit_clock();
  revise(*record, {job, record->job.definition, {}}, Replan::Change::deleted);
  record->deleted = true;
  return record->job;
}

bool ModelStore::await_seen(ShardNo shard, std::int64_t change, Duration timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return seen(shard, change); });
}

std::optional<core::Job> ModelStore::find_job(AccountNo account, JobId job) {
  std::lock_guard lock(mutex_);
  const JobRecord* record = live_job(account, job);
  return record ? std::optional{record->job} : std::nullopt;
}

std::optional<core::Job> ModelStore::find_job(AccountNo account, std::string_view name) {
  std::lock_guard lock(mutex_);
  const JobRecord* record = live_job(account, name);
  return record ? std::optional{record->job} : std::nullopt;
}

Result<store::Page<core::Job>> ModelStore::list_jobs(AccountNo account,
                                                     const store::JobFilter& filter) {
  std::lock_guard lock(mutex_);
  std::int64_t before = last_job_ + 1;  // newest first; the cursor is the last number shown
  if (filter.cursor) {
    const char* end = filter.cursor->data() + filter.cursor->size();
    const auto [rest, error] = std::from_chars(filter.cursor->data(), end, before);
    if (error != std::errc{} || rest != end) return fail("invalid_cursor", "not a cursor");
  }
  store::Page<core::Job> page;
  for (auto it = jobs_.rbegin(); it != jobs_.rend(); ++it) {
    const auto& [no, record] = *it;
    const core::JobDefinition& definition = record.job.definition;
    if (record.deleted || record.account != account || no.value >= before) continue;
    if (filter.name_prefix && !definition.name.starts_with(*filter.name_prefix)) continue;
    const bool labelled = std::ranges::all_of(filter.labels, [&](const auto& label) {
      const auto found = definition.labels.find(label.first);
      return found != definition.labels.end() && found->second == label.second;
    });
    if (!labelled) continue;
    if (page.items.size() == filter.limit) {
      page.next_cursor = std::to_string(page.items.back().no.value);
      break;
    }
    page.items.push_back(record.job);
  }
  return page;
}

Result<core::Run> ModelStore::request_run(AccountNo account, JobId job, core::RunKind kind,
                                          std::string key, RunId id) {
  std::lock_guard lock(mutex_);
  const JobRecord* record = live_job(account, job);
  if (!record) return fail("not_found", "there is no such job");
  const auto [entry, fresh] = keys_.try_emplace({record->job.no, key}, RunNo{last_run_ + 1});
  if (fresh) {
    const Instant at = stamp();
    RunRecord& run = runs_[RunNo{++last_run_}];
    run.key = key;
    run.open = {.no = RunNo{last_run_},
                .id = id,
                .job = record->job.no,
                .shard = record->job.shard,
                .revision = record->job.revision,
                .kind = kind,
                .state = core::RunState::requested,
                .scheduled_at = at,
                .due = at,
                .fence = Fence{0},
                .send_at = at};
    run_ids_[id] = run.open.no;
    open_.insert(run.open.no);
    changed_.notify_all();
  }
  const RunRecord& run = runs_.at(entry->second);
  return core::Run{.id = run.open.id,
                   .no = run.open.no,
                   .job = record->job.id,
                   .job_no = record->job.no,
                   .job_name = record->job.definition.name,
                   .revision = run.open.revision,
                   .kind = run.open.kind,
                   .key = run.key,
                   .scheduled_at = run.open.scheduled_at,
                   .due = run.open.due,
                   .state = run.open.state,
                   .verdict = run.verdict,
                   .reason = run.reason,
                   .fence = run.open.fence,
                   .ended_at = run.ended_at};
}

}  // namespace cronally::sim
