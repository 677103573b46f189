#include "api/job_answers.h"

#include <algorithm>

#include "base/percent.h"
#include "base/uuid.h"
#include "core/secret_context.h"
#include "runtime/random.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The stored secret of that name, if it holds the same value.
std::optional<SecretId> same_secret(const Call& call, const store::Deliverable& stored,
                                    const core::PlainSecret& secret) {
  for (std::size_t i = 0; i < stored.sealed_headers.size(); ++i) {
    const auto& [name, sealed] = stored.sealed_headers[i];
    if (!net::equal_names(name, secret.name)) continue;
    const SecretId id = stored.sealed_ids[i];
    const Result<SecretText> plain = call.deps().vault.open(core::secret_context(id), sealed);
    if (plain && plain->reveal() == secret.value.reveal()) return id;
  }
  return std::nullopt;
}

void seal_secrets(const Call& call, const core::Job* stored,
                  const std::vector<core::PlainSecret>& secrets, store::JobDraft& draft) {
  std::shared_ptr<const store::Deliverable> deliverable;
  if (stored && !secrets.empty())
    deliverable =
        call.deps().database.spine().read_deliverables({{stored->no, stored->revision}}).at(0);
  for (const core::PlainSecret& secret : secrets) {
    const auto same = deliverable ? same_secret(call, *deliverable, secret) : std::nullopt;
    const SecretId id = same ? *same : seal_secret(call, secret.value, draft.secrets);
    core::set_secret(draft.definition.target, secret.name, id);
  }
}

}  // namespace

Result<core::Job> find_job(const Call& call, std::string_view reference) {
  store::Jobs& jobs = call.deps().database.jobs();
  const std::optional<Uuid> id = parse_uuid(reference);
  std::optional<core::Job> job =
      id ? jobs.find_job(call.account(), JobId{*id}) : jobs.find_job(call.account(), reference);
  if (job) return std::move(*job);
  return fail(not_found("job", reference));
}

json::object job_body(const Call& call, const core::Job& job) {
  return core::write_job(job, core::next_of(job, call.shared.zone_resolver(), call.now()));
}

net::Response job_response(const Call& call, int status, const core::Job& job) {
  net::Response response = json_response(status, job_body(call, job));
  response.headers.add("ETag", etag_of(job));
  if (status == 201) response.headers.add("Location", "/v2/jobs/" + job.id.text());
  return response;
}

Result<store::JobDraft> read_draft(const Call& call, const json::object& object,
                                   const core::Job* stored, std::string_view prefix) {
  const core::ReadContext context{call.shared.zone_resolver(), call.now(), stored};
  Result<core::ReadJob> read = core::read_job(object, context, prefix);
  if (!read) return fail(std::move(read.error()));
  store::JobDraft draft;
  draft.id = stored ? stored->id : JobId{runtime::random_uuid_v7(call.now())};
  draft.definition = std::move(read->definition);
  seal_secrets(call, stored, read->secrets, draft);
  return draft;
}

std::string etag_of(const core::Job& job) { return '"' + std::to_string(job.revision) + '"'; }

bool names_etag(std::string_view header, std::string_view etag, bool strong) {
  while (!header.empty()) {
    std::string_view tag = trim(header.substr(0, header.find(',')));
    header.remove_prefix(std::min(header.size(), header.find(',')));
    if (!header.empty()) header.remove_prefix(1);
    if (tag == "*" || tag == etag) return true;
    if (!strong && tag.starts_with("W/") && tag.substr(2) == etag) return true;
  }
  return false;
}

}  // namespace cronally::api
