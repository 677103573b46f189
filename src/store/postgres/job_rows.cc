#include "store/postgres/job_rows.h"

#include <array>
#include <unordered_map>
#include <utility>

#include "core/definition_json.h"
#include "store/postgres/exchange.h"
#include "store/postgres/job_match.h"

namespace cronally::store::postgres {

namespace {

// Any bytes, which text need not hold.
void add_v1_name(Blobs& names, const core::Job& job) {
  if (job.v1_name) {
    names.add(Bytes{*job.v1_name});
  } else {
    names.add_null();
  }
}

// The columns that jobs_insert and jobs_update share, in their order, from `name` on.
class PlanColumns {
 public:
  void add(const core::Job& job) {
    const auto& definition = job.definition;
    names_.add(definition.name);
    labels_.add(labels_json(definition.labels));
    changes_.add(job.change);
    paused_.add(definition.paused);
    stamps_.add(job.updated_at);
    schedules_.add(definition.schedule);
    zones_.add(definition.zone);
    dst_.add(definition.dst);
    anchors_.add(job.anchor);
    deliveries_.add(definition.delivery);
    attempts_.add(definition.retry.attempts);
    backoff_min_.add(definition.retry.backoff_min);
    backoff_max_.add(definition.retry.backoff_max);
    age_max_.add(definition.retry.age_max);
    catch_up_.add(definition.catch_up.mode);
    windows_.add(definition.catch_up.window);
    limits_.add(definition.catch_up.limit);
    destinations_.add(core::destination_of(definition.target));
    add_v1_name(v1_names_, job);
  }
  void add_to(Params& params) const {
    params.add(names_).add(labels_).add(changes_).add(paused_).add(stamps_).add(schedules_);
    params.add(zones_).add(dst_).add(anchors_).add(deliveries_).add(attempts_).add(backoff_min_);
    params.add(backoff_max_).add(age_max_).add(catch_up_).add(windows_).add(limits_);
    params.add(destinations_).add(v1_names_);
  }

 private:
  Texts names_, labels_, schedules_, zones_, destinations_;
  Blobs v1_names_;
  Flags paused_;
  Numbers changes_, stamps_, dst_, anchors_, deliveries_, attempts_, backoff_min_, backoff_max_;
  Numbers age_max_, catch_up_, windows_, limits_;
};

}  // namespace

std::size_t JobRows::make(core::Job job, std::vector<NewSecret> secrets) {
  entries_.push_back({.kind = Kind::made, .job = std::move(job), .secrets = std::move(secrets)});
  return entries_.size() - 1;
}

std::size_t JobRows::revise(core::Job job, core::Replan::Change kind,
                            std::vector<NewSecret> secrets) {
  entries_.push_back({.kind = Kind::revised,
                      .job = std::move(job),
                      .change = kind,
                      .secrets = std::move(secrets)});
  return entries_.size() - 1;
}

std::size_t JobRows::keep(core::Job job, bool v1_name_changed) {
  entries_.push_back({.kind = v1_name_changed ? Kind::renamed : Kind::kept, .job = std::move(job)});
  return entries_.size() - 1;
}

std::vector<core::Job> JobRows::write() {
  number_changes();
  insert_made();
  insert_revisions_and_secrets();  // before the jobs: it looks at how they stood
  update_revised();
  std::vector<core::Job> jobs;
  jobs.reserve(entries_.size());
  for (auto& entry : entries_) jobs.push_back(std::move(entry.job));
  entries_.clear();
  return jobs;
}

// Each change has a number of its own, as if they had been made one by one.
void JobRows::number_changes() {
  std::array<std::int64_t, shard_count> counts{};
  for (const auto& entry : entries_) {
    if (is_changed(entry)) ++counts.at(static_cast<std::size_t>(entry.job.shard.value));
  }
  auto last = transaction_.shards_changed(counts);
  for (auto& entry : entries_) {
    if (!is_changed(entry)) continue;
    entry.job.change = ++last[static_cast<std::size_t>(entry.job.shard.value)];
  }
}

void JobRows::insert_made() {
  Uuids ids;
  Numbers shards;
  PlanColumns columns;
  std::unordered_map<JobId, core::Job*> made;
  for (auto& entry : entries_) {
    if (entry.kind != Kind::made) continue;
    ids.add(entry.job.id);
    shards.add(entry.job.shard);
    columns.add(entry.job);
    made.emplace(entry.job.id, &entry.job);
  }
  if (made.empty()) return;
  Params params;
  params.add(made.begin()->second->account).add(ids).add(shards);
  columns.add_to(params);
  for (const Row row : transaction_.db().run("jobs_insert", std::move(params))) {
    made.at(JobId{row.uuid(0)})->no = {row.integer(1)};
  }
}

void JobRows::update_revised() {
  Numbers jobs, kinds;
  PlanColumns columns;
  for (const auto& entry : entries_) {
    if (entry.kind != Kind::revised) continue;
    jobs.add(entry.job.no);
    kinds.add(entry.change);
    columns.add(entry.job);
  }
  if (jobs.size() == 0) return;
  Params params;
  params.add(jobs).add(kinds);
  columns.add_to(params);
  transaction_.db().run("jobs_update", std::move(params));
}

void JobRows::insert_revisions_and_secrets() {
  Numbers jobs, revisions, dst, anchors, stamps, secret_jobs;
  Texts definitions, schedules, zones, names;
  Uuids secrets;
  Blobs sealed;
  Numbers renamed;
  Blobs v1_names;
  for (const auto& entry : entries_) {
    const auto& job = entry.job;
    if (entry.kind == Kind::renamed) {
      renamed.add(job.no);
      add_v1_name(v1_names, job);
    }
    if (!is_changed(entry)) continue;
    jobs.add(job.no);
    revisions.add(job.revision);
    definitions.add(core::write_definition(job.definition));
    schedules.add(job.definition.schedule);
    zones.add(job.definition.zone);
    dst.add(job.definition.dst);
    anchors.add(job.anchor);
    names.add(job.definition.name);
    stamps.add(job.updated_at);
    for (const auto& secret : entry.secrets) {
      secrets.add(secret.id);
      secret_jobs.add(job.no);
      sealed.add(Bytes{secret.sealed});
    }
  }
  Exchange exchange;
  if (renamed.size() > 0) {
    exchange.add("jobs_v1_name_set", std::move(Params().add(renamed).add(v1_names)));
  }
  if (jobs.size() > 0) {
    Params params;
    params.add(jobs).add(revisions).add(definitions).add(schedules).add(zones).add(dst);
    params.add(anchors).add(names).add(stamps);
    exchange.add("revisions_insert", std::move(params));
  }
  if (secrets.size() > 0) {
    exchange.add("secrets_insert", std::move(Params().add(secrets).add(secret_jobs).add(sealed)));
  }
  exchange.run(transaction_.db());
}

}  // namespace cronally::store::postgres
