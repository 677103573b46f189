// PATCH, DELETE, pause and resume of a job. Their acks wait until the scheduler has seen the
// change (DESIGN §3.8), so that nothing starts under the old definition afterwards.
#include "api/job_changes.h"

#include "api/handlers.h"
#include "api/job_answers.h"
#include "api/json_body.h"
#include "api/query.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

// Each try loses only to another edit that was committed, so a few are enough.
constexpr int tries_max = 8;

Error conflict(bool if_match) {
  if (if_match)
    return {"precondition_failed",
            "the job's revision is not the one of If-Match; GET it, and repeat with its ETag"};
  return {"revision_conflict", "others keep changing this job; try again"};
}

Result<void> check_if_match(const net::Request& request, const core::Job& job) {
  const auto wanted = request.headers.find("If-Match");
  if (!wanted) return {};
  if (*wanted != "*" && !wanted->contains('"'))
    return fail(
        "invalid_request",
        "If-Match must hold the job's ETag as it came, in double quotes, such as " + etag_of(job));
  if (names_etag(*wanted, etag_of(job), true)) return {};
  return fail(conflict(true));
}

Result<void> await_ack(const Call& call, const core::Job& job) {
  if (call.deps().database.jobs().await_seen(job.shard, job.change, call.time_left())) return {};
  return fail("undecided",
              "the change is stored, but the scheduler has not confirmed it in time: a run of the "
              "old definition may still begin; GET the job, look at /readyz, and repeat");
}

}  // namespace

Result<core::Job> change_job(const Call& call, Ack ack,
                             const std::function<Result<store::JobDraft>(const core::Job&)>& edit) {
  const bool if_match = call.request.headers.find("If-Match").has_value();
  for (int tries = 0; tries < tries_max; ++tries) {
    const Result<core::Job> job = find_job(call, call.params[0]);
    if (!job) return fail(job.error());
    if (const Result<void> matches = check_if_match(call.request, *job); !matches)
      return fail(matches.error());
    Result<store::JobDraft> draft = edit(*job);
    if (!draft) return fail(draft.error());
    Result<core::Job> changed =
        call.deps().database.jobs().change_job(call.account(), std::move(*draft), job->revision);
    if (changed) {
      if (ack == Ack::none) return changed;
      if (const Result<void> seen = await_ack(call, *changed); !seen) return fail(seen.error());
      return changed;
    }
    const std::string& code = changed.error().code;
    if (code == "not_found") return fail(not_found("job", call.params[0]));
    if (code == "name_taken")
      return fail({"name_taken",
                   "another live job has this name; choose another",
                   {{"/name", "is the name of another live job"}}});
    if (code != "revision_conflict") return fail(changed.error());
    if (if_match) break;
  }
  return fail(conflict(if_match));
}

Result<core::Job> remove_job(const Call& call) {
  const Result<core::Job> job = find_job(call, call.params[0]);
  if (!job) return fail(job.error());
  const bool if_match = call.request.headers.find("If-Match").has_value();
  if (const Result<void> matches = check_if_match(call.request, *job); !matches)
    return fail(matches.error());
  Result<core::Job> gone = call.deps().database.jobs().delete_job(
      call.account(), job->id, if_match ? std::optional(job->revision) : std::nullopt);
  if (!gone)
    return fail(gone.error().code == "revision_conflict" ? conflict(true)
                                                         : not_found("job", call.params[0]));
  if (const Result<void> seen = await_ack(call, *gone); !seen) return fail(seen.error());
  return gone;
}

Result<void> no_body(const Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  if (call.request.body.empty()) return {};
  const Result<json::object> body = read_body(call.request);
  if (!body) return fail(body.error());
  if (body->empty()) return {};
  return fail("invalid_request", "this request has no fields; send it without a body");
}

namespace {

Answer set_paused(Call& call, bool paused) {
  if (const Result<void> empty = no_body(call); !empty) return fail(empty.error());
  const Result<core::Job> job =
      change_job(call, paused ? Ack::wait : Ack::none, [paused](const core::Job& old) {
        store::JobDraft draft{old.id, old.definition, {}};
        draft.definition.paused = paused;
        return Result<store::JobDraft>(std::move(draft));
      });
  if (!job) return fail(job.error());
  return job_response(call, 200, *job);
}

}  // namespace

Answer patch_job(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  const Result<json::object> patch = read_body(call.request, "application/merge-patch+json");
  if (!patch) return fail(patch.error());
  const Result<core::Job> job = change_job(call, Ack::wait, [&](const core::Job& old) {
    return read_draft(call, core::patch_job(old.definition, *patch), &old);
  });
  if (!job) return fail(job.error());
  return job_response(call, 200, *job);
}

Answer delete_job(Call& call) {
  if (const Result<void> empty = no_body(call); !empty) return fail(empty.error());
  const Result<core::Job> gone = remove_job(call);
  if (!gone) return fail(gone.error());
  return net::Response{204, {}, {}};
}

Answer pause_job(Call& call) { return set_paused(call, true); }
Answer resume_job(Call& call) { return set_paused(call, false); }

}  // namespace cronally::api
