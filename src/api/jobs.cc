// GET and POST of /v2/jobs, GET of one job, POST /v2/jobs/bulk.
#include <array>
#include <map>

#include "api/handlers.h"
#include "api/job_answers.h"
#include "api/json_body.h"
#include "api/query.h"
#include "base/hmac.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

constexpr std::size_t bulk_items_max = 1000;

Result<std::optional<store::Idempotency>> idempotency_of(
    const Call& call, std::function<std::string(const std::vector<core::Job>&)> render) {
  const net::Request& request = call.request;
  Result<std::optional<std::string>> key = idempotency_key(request);
  if (!key) return fail(key.error());
  if (!*key) return std::nullopt;
  const Sha256 digest = sha256(request.method + "\n" + request.target + "\n" + request.body);
  return store::Idempotency{std::move(**key), hex(as_bytes(digest)), std::move(render)};
}

// The stored answer's body again; its headers follow from it.
net::Response replay(int status, const std::string& body) {
  net::Response response{status, {{"Content-Type", "application/json"}}, body};
  response.headers.add("Idempotency-Replayed", "true");
  const json::value job = json::parse(body);
  if (status != 201 || !job.is_object()) return response;
  response.headers.add("ETag", '"' + std::to_string(job.at("revision").to_number<int>()) + '"');
  response.headers.add("Location", "/v2/jobs/" + std::string(job.at("id").as_string()));
  return response;
}

Error idempotency_mismatch() {
  return {"idempotency_mismatch",
          "this Idempotency-Key was used for another request within the last 24 h; use a new key"};
}

// The store names a taken name by the item's pointer; a single create has no item.
Error create_error(Error error, bool bulk) {
  if (error.code == "idempotency_mismatch") return idempotency_mismatch();
  if (error.code != "name_taken") return error;
  error.message = bulk ? "names of live jobs are unique; rename, or send ?existing=replace"
                       : "another live job has this name; choose another, or PATCH that job";
  for (FieldError& field : error.fields) {
    if (!bulk && field.pointer.starts_with("/items/0")) field.pointer = field.pointer.substr(8);
    field.detail = "is the name of another live job";
  }
  return error;
}

struct Bulk {
  std::vector<store::JobDraft> drafts;
  std::vector<FieldError> faults;
  std::map<std::string, std::size_t, std::less<>> names;  // name -> item
};

// The live job that an item would replace.
std::optional<core::Job> replaced_job(const Call& call, const json::object& item) {
  const json::value* text = item.if_contains("name");
  if (!text || !text->is_string()) return std::nullopt;
  const Result<std::string> name = core::read_name(std::string(text->get_string()));
  if (!name) return std::nullopt;
  return call.deps().database.jobs().find_job(call.account(), *name);
}

void read_item(const Call& call, const json::value& item, store::Existing existing, Bulk& bulk) {
  const std::size_t number = bulk.drafts.size();
  const std::string prefix = "/items/" + std::to_string(number);
  bulk.drafts.emplace_back();
  if (!item.is_object()) {
    bulk.faults.push_back({prefix, "must be a job, {...}"});
    return;
  }
  std::optional<core::Job> stored;
  if (existing == store::Existing::replace) stored = replaced_job(call, item.get_object());
  Result<store::JobDraft> draft =
      read_draft(call, item.get_object(), stored ? &*stored : nullptr, prefix);
  if (!draft) {
    std::ranges::move(draft.error().fields, std::back_inserter(bulk.faults));
    return;
  }
  const auto [place, fresh] = bulk.names.emplace(draft->definition.name, number);
  if (!fresh)
    bulk.faults.push_back(
        {prefix + "/name", "is the name of /items/" + std::to_string(place->second) + " too"});
  bulk.drafts.back() = std::move(*draft);
}

Result<Bulk> read_bulk(const Call& call, store::Existing existing) {
  Result<json::object> body = read_body(call.request);
  if (!body) return fail(body.error());
  const json::value* items = body->if_contains("items");
  if (!items || !items->is_array() || body->size() != 1)
    return fail({"invalid_job",
                 "the body must be {\"items\": [job, ...]} and nothing else",
                 {{"/items", "must be a list of jobs"}}});
  if (items->get_array().size() > bulk_items_max)
    return fail({"invalid_job",
                 "send at most 1000 jobs at once; split the list",
                 {{"/items", "has more than 1000 jobs"}}});
  Bulk bulk;
  for (const json::value& item : items->get_array()) read_item(call, item, existing, bulk);
  if (bulk.faults.empty()) return bulk;
  const std::string count = std::to_string(bulk.faults.size());
  return fail({"invalid_job",
               "nothing was written: faults in the list: " + count +
                   "; correct them and send the list again",
               std::move(bulk.faults)});
}

Result<store::Existing> existing_of(const Query& query) {
  const std::string text = query.find("existing").value_or("fail");
  if (text == "fail") return store::Existing::fail;
  if (text == "replace") return store::Existing::replace;
  return fail(invalid_parameter("existing", "must be fail or replace"));
}

json::object bulk_body(const Call& call, const std::vector<core::Job>& jobs) {
  json::array items;
  for (const core::Job& job : jobs) items.push_back(job_body(call, job));
  return {{"items", std::move(items)}};
}

}  // namespace

Answer list_jobs(Call& call) {
  static constexpr std::array<std::string_view, 4> known{"cursor", "label", "limit", "name_prefix"};
  const Result<Query> query = Query::parse(call.request.query, known);
  if (!query) return fail(query.error());
  const Result<std::size_t> limit = query->limit();
  if (!limit) return fail(limit.error());
  Result<std::map<std::string, std::string>> labels = query->labels();
  if (!labels) return fail(labels.error());
  const Result<store::Page<core::Job>> page = call.deps().database.jobs().list_jobs(
      call.account(),
      {query->find("name_prefix"), std::move(*labels), query->find("cursor"), *limit});
  if (!page) return fail(page.error());
  json::array items;
  for (const core::Job& job : page->items) items.push_back(job_body(call, job));
  return json_response(200, list_body(std::move(items), page->next_cursor));
}

Answer create_job(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  const Result<json::object> body = read_body(call.request);
  if (!body) return fail(body.error());
  auto idempotency = idempotency_of(call, [&call](const std::vector<core::Job>& jobs) {
    return json::serialize(job_body(call, jobs.at(0)));
  });
  if (!idempotency) return fail(idempotency.error());
  Result<store::JobDraft> draft = read_draft(call, *body, nullptr);
  if (!draft) return fail(draft.error());
  std::vector<store::JobDraft> drafts;
  drafts.push_back(std::move(*draft));
  Result<store::Created> created = call.deps().database.jobs().create_jobs(
      call.account(), std::move(drafts), store::Existing::fail, std::move(*idempotency));
  if (!created) return fail(create_error(std::move(created.error()), false));
  if (const auto* stored = std::get_if<store::Replayed>(&*created))
    return replay(201, stored->answer);
  return job_response(call, 201, std::get<std::vector<core::Job>>(*created).at(0));
}

Answer create_bulk(Call& call) {
  static constexpr std::array<std::string_view, 1> known{"existing"};
  const Result<Query> query = Query::parse(call.request.query, known);
  if (!query) return fail(query.error());
  const Result<store::Existing> existing = existing_of(*query);
  if (!existing) return fail(existing.error());
  auto idempotency = idempotency_of(call, [&call](const std::vector<core::Job>& jobs) {
    return json::serialize(bulk_body(call, jobs));
  });
  if (!idempotency) return fail(idempotency.error());
  Result<Bulk> bulk = read_bulk(call, *existing);
  if (!bulk) return fail(bulk.error());
  Result<store::Created> created = call.deps().database.jobs().create_jobs(
      call.account(), std::move(bulk->drafts), *existing, std::move(*idempotency));
  if (!created) return fail(create_error(std::move(created.error()), true));
  if (const auto* stored = std::get_if<store::Replayed>(&*created))
    return replay(200, stored->answer);
  return json_response(200, bulk_body(call, std::get<std::vector<core::Job>>(*created)));
}

Answer get_job(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  const Result<core::Job> job = find_job(call, call.params[0]);
  if (!job) return fail(job.error());
  const auto known = call.request.headers.find("If-None-Match");
  if (known && names_etag(*known, etag_of(*job), false))
    return net::Response{304, {{"ETag", etag_of(*job)}}, {}};
  return job_response(call, 200, *job);
}

}  // namespace cronally::api
