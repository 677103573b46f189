// Cronjobs: jobs, as API v1 shows and takes them.
#include "core/v1_cronjob.h"

#include <memory>
#include <optional>
#include <utility>

#include "api/handlers.h"
#include "api/job_answers.h"
#include "api/job_changes.h"
#include "api/v1_answers.h"
#include "base/text.h"
#include "core/aws_endpoint.h"
#include "runtime/log.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

constexpr std::size_t page_max = 1000;

json::object cronjob_body(AccountId account, const core::Job& job, bool deleted) {
  return {{"account_id", account.text()},
          {"cronjob_id", job.id.text()},
          {"deleted", deleted},
          {"name", job.v1_name.value_or(job.definition.name)},
          {"cron", job.definition.schedule}};
}

net::Response cronjob_response(const Call& call, const core::Job& job, bool deleted = false) {
  return v1_success(cronjob_body(call.principal.account_id, job, deleted));
}

// Signed for and sent to the region that the client names, as in 2015.
void warn_of_region(const core::Job& job) {
  const auto* target = std::get_if<core::SnsTarget>(&job.definition.target);
  if (!target || core::region_of(*target) == core::topic_region(target->topic_arn)) return;
  runtime::log::warning("api", "a topic is addressed in another region than its own",
                        {{"job", job.id},
                         {"region", core::region_of(*target)},
                         {"topic_region", core::topic_region(target->topic_arn)}});
}

Result<core::Job> write_new(const Call& call, const store::JobDraft& draft) {
  Result<store::Created> created = call.deps().database.jobs().create_jobs(
      call.account(), {draft}, store::Existing::fail, std::nullopt);
  if (!created) return fail(created.error());
  return std::move(std::get<std::vector<core::Job>>(*created).at(0));
}

// Under the name that v1 gives it where that is free, else under one made of it.
Result<core::Job> create(const Call& call, const core::V1Cronjob& wanted) {
  const Result<std::string> plain = core::read_name(*wanted.name);
  json::object object = wanted.manifest;
  object["name"] = plain.value_or("cronjob");
  Result<store::JobDraft> draft = read_draft(call, object, nullptr);
  if (!draft) return fail(core::v1_error(draft.error()));
  draft->v1_name = wanted.name;
  if (plain) {
    Result<core::Job> job = write_new(call, *draft);
    if (job || job.error().code != "name_taken") return job;
  }
  draft->definition.name = core::v1_stored_name(*wanted.name, draft->id);
  return write_new(call, *draft);
}

bool is_taken(const Call& call, std::string_view name, JobId by_other_than) {
  const auto job = call.deps().database.jobs().find_job(call.account(), name);
  return job && job->id != by_other_than;
}

Result<store::JobDraft> edited(const Call& call, const core::Form& form, const core::Job& old) {
  Result<core::V1Cronjob> wanted = core::read_v1_change(form, old.definition.target);
  if (!wanted) return fail(wanted.error());
  Result<store::JobDraft> draft =
      read_draft(call, core::patch_job(old.definition, wanted->manifest), &old);
  if (!draft) return fail(core::v1_error(draft.error()));
  if (!wanted->name || *wanted->name == old.v1_name.value_or(old.definition.name)) return draft;
  const Result<std::string> plain = core::read_name(*wanted->name);
  const bool free = plain && !is_taken(call, *plain, old.id);
  draft->definition.name = free ? *plain : core::v1_stored_name(*wanted->name, old.id);
  draft->v1_name = std::move(wanted->name);
  return draft;
}

// Names are not ids here: they may be several jobs'.
Result<void> check_id(const Call& call) {
  const std::string& id = call.params[0];
  if (const auto uuid = parse_uuid(id);
      uuid && call.deps().database.jobs().find_job(call.account(), JobId{*uuid}))
    return {};
  return fail("not_found", "no cronjob " + quote(id) + "; GET /cronjobs/ lists them");
}

// All jobs of an account, page by page, as one list.
class Listing {
 public:
  Listing(store::Jobs& jobs, const store::Principal& principal)
      : jobs_(jobs), principal_(principal) {}

  // The next page's cronjobs as text; an outage is thrown.
  std::string next() {
    store::JobFilter filter;
    filter.cursor = cursor_;
    filter.limit = page_max;
    const Result<store::Page<core::Job>> page = jobs_.list_jobs(principal_.account, filter);
    if (!page) throw Unavailable("the list of jobs broke off; ask for it again");
    std::string text;
    for (const core::Job& job : page->items) {
      if (!std::exchange(first_, false)) text += ',';
      text += json::serialize(cronjob_body(principal_.account_id, job, false));
    }
    cursor_ = page->next_cursor;
    return text;
  }
  bool more() const { return cursor_.has_value(); }

 private:
  store::Jobs& jobs_;
  const store::Principal principal_;
  std::optional<std::string> cursor_;
  bool first_ = true;
};

}  // namespace

Answer v1_create_cronjob(Call& call) {
  const Result<core::Form> form = v1_form(call.request);
  if (!form) return fail(form.error());
  const Result<core::V1Cronjob> wanted = core::read_v1_cronjob(*form);
  if (!wanted) return fail(wanted.error());
  const Result<core::Job> job = create(call, *wanted);
  if (!job) return fail(job.error());
  warn_of_region(*job);
  return cronjob_response(call, *job);
}

Answer v1_change_cronjob(Call& call) {
  if (const Result<void> known = check_id(call); !known) return fail(known.error());
  const Result<core::Form> form = v1_form(call.request);
  if (!form) return fail(form.error());
  const auto edit = [&](const core::Job& old) { return edited(call, *form, old); };
  Result<core::Job> job = change_job(call, Ack::wait, edit);
  // Taken since it was looked for: the next look sees that.
  if (!job && job.error().code == "name_taken") job = change_job(call, Ack::wait, edit);
  if (!job) return fail(job.error());
  warn_of_region(*job);
  return cronjob_response(call, *job);
}

Answer v1_delete_cronjob(Call& call) {
  if (const Result<void> known = check_id(call); !known) return fail(known.error());
  const Result<core::Job> job = remove_job(call);
  if (!job) return fail(job.error());
  return cronjob_response(call, *job, true);
}

Answer v1_list_cronjobs(Call& call) {
  auto listing = std::make_shared<Listing>(call.deps().database.jobs(), call.principal);
  net::Response response{200, {{"Content-Type", "application/json"}}, {}};
  response.body = R"({"status":"success","response":[)" + listing->next();
  if (!listing->more()) {
    response.body += "]}";
    return response;
  }
  response.stream = [listing](std::string& chunk) {
    chunk = listing->next();
    if (!listing->more()) chunk += "]}";
    return listing->more();
  };
  return response;
}

}  // namespace cronally::api
