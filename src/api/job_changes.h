// Changes of a job as the handlers of both APIs make them: read, edited, written unless somebody
// was faster, and acknowledged when nothing starts under the old definition any more (DESIGN §3.8).
// All honour If-Match.
#pragma once

#include <functional>

#include "api/call.h"

namespace cronally::api {

enum class Ack { wait, none };

// Lets `edit` make the new definition of the job that call.params[0] names. Codes of `edit`, and
// "not_found", "precondition_failed", "name_taken", "revision_conflict", "undecided".
Result<core::Job> change_job(const Call& call, Ack ack,
                             const std::function<Result<store::JobDraft>(const core::Job&)>& edit);

// Deletes it; as it was, but at its last revision. The same codes.
Result<core::Job> remove_job(const Call& call);

}  // namespace cronally::api
