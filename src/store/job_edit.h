// What an edit makes of a job: pure, the same in every store.
#pragma once

#include <optional>
#include <string>

#include "core/batch.h"
#include "core/job.h"
#include "store/database.h"

namespace cronally::store {

// A job that is made of a draft at `stamp`, under the name that v1 shall call it by; its number and
// its change number are the store's.
core::Job job_of(AccountNo account, JobDraft draft, Instant stamp);

// What `after` makes of the job: nullopt where nothing differs.
std::optional<core::Replan::Change> change_between(const core::JobDefinition& before,
                                                   const core::JobDefinition& after);

// The job's next revision, made at `stamp`; the change number is the store's. The effective anchor
// stays unless the schedule changed or the definition gives one.
core::Job next_revision(core::Job job, core::JobDefinition definition, Instant stamp);

// A revision as it is stored. `owed_from`: since when nobody had planned what the revision before
// it owed, if that was before this one's commit.
struct StoredRevision {
  Revision revision = 0;
  core::JobDefinition definition;
  Instant anchor;
  Instant changed_at;
  std::optional<Instant> owed_from;
};

// What the replan of the newest revision has to account for besides it. `revisions`: from the one
// that was planned last (or the first) to the newest, which `deleted` the job or not.
std::vector<OwedBefore> owed_before(const std::vector<StoredRevision>& revisions, bool deleted);

// What v1 calls the job once the draft is written (core::Job::v1_name).
std::optional<std::string> v1_name_after(const core::Job& job, const JobDraft& draft);

// The id of a run asked for by hand, made anew to carry its due.
RunId id_at(RunId id, Instant due);

// The message of "name_taken".
std::string name_taken_text(const std::string& name);

}  // namespace cronally::store
