#include "store/job_edit.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace cronally::store {

namespace {

using Change = core::Replan::Change;

Instant anchor_at(Instant stamp) { return std::chrono::floor<std::chrono::milliseconds>(stamp); }

// What v1 is to call a job of this name.
std::optional<std::string> v1_name_of(std::optional<std::string> wanted, const std::string& name) {
  return wanted == name ? std::nullopt : std::move(wanted);
}

}  // namespace

core::Job job_of(AccountNo account, JobDraft draft, Instant stamp) {
  core::Job job{.id = draft.id,
                .account = account,
                .shard = shard_of(draft.id),
                .revision = 1,
                .definition = std::move(draft.definition),
                .created_at = stamp,
                .updated_at = stamp};
  job.anchor = job.definition.anchor.value_or(anchor_at(stamp));
  job.v1_name = v1_name_of(std::move(draft.v1_name), job.definition.name);
  return job;
}

std::optional<Change> change_between(const core::JobDefinition& before,
                                     const core::JobDefinition& after) {
  if (before == after) return std::nullopt;
  auto same_but_pause = before;
  same_but_pause.paused = after.paused;
  if (same_but_pause != after) return Change::changed;
  return after.paused ? Change::paused : Change::resumed;
}

core::Job next_revision(core::Job job, core::JobDefinition definition, Instant stamp) {
  const bool same_schedule =
      job.definition.schedule == definition.schedule && job.definition.anchor == definition.anchor;
  job.updated_at = stamp;
  if (definition.anchor) {
    job.anchor = *definition.anchor;
  } else if (!same_schedule) {
    job.anchor = anchor_at(stamp);
  }
  job.definition = std::move(definition);
  ++job.revision;
  return job;
}

std::vector<OwedBefore> owed_before(const std::vector<StoredRevision>& revisions, bool deleted) {
  std::vector<OwedBefore> owed;
  // Backwards: one change withdraws what all revisions before it owed.
  auto withdrawn = deleted ? core::Reason::deleted : core::Reason::none;
  for (std::size_t i = revisions.size(); i-- > 1;) {
    const auto& next = revisions[i];
    const auto& one = revisions[i - 1];
    const auto& definition = one.definition;
    if (change_between(definition, next.definition) == Change::changed) {
      withdrawn = core::Reason::changed;
    }
    if (definition.paused || !next.owed_from || *next.owed_from >= next.changed_at) continue;
    owed.push_back({.revision = one.revision,
                    .name = definition.name,
                    .schedule = definition.schedule,
                    .zone = definition.zone,
                    .dst = definition.dst,
                    .anchor = one.anchor,
                    .from = *next.owed_from,
                    .until = next.changed_at,
                    .withdrawn = withdrawn});
  }
  std::ranges::reverse(owed);
  return owed;
}

std::optional<std::string> v1_name_after(const core::Job& job, const JobDraft& draft) {
  if (!draft.v1_name && job.definition.name == draft.definition.name) return job.v1_name;
  return v1_name_of(draft.v1_name, draft.definition.name);
}

RunId id_at(RunId id, Instant due) {
  std::uint64_t words[2] = {};
  for (std::size_t i = 0; i < 16; ++i) words[i / 8] = words[i / 8] << 8 | id.value.bytes[i];
  return {uuid_v7(due, words[0], words[1])};
}

std::string name_taken_text(const std::string& name) {
  return "a job named '" + name + "' exists already; choose another name, or change that job";
}

}  // namespace cronally::store
