// Run now, and the ledger: list, one run, what changed.
#include <array>

#include "api/handlers.h"
#include "api/job_answers.h"
#include "api/json_body.h"
#include "api/query.h"
#include "base/text.h"
#include "base/uuid.h"
#include "runtime/random.h"

namespace cronally::api {
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

// A run alone shows each response whole (64 KiB). In lists 1,000 runs with 185 attempts each
// would not fit into memory, so they show the start.
constexpr std::size_t response_max_alone = 64 * 1024;
constexpr std::size_t response_max_listed = 1024;

constexpr Duration wait_max = 60s;
constexpr Duration poll_period = 25ms;

json::array run_items(const std::vector<core::Run>& runs) {
  json::array items;
  for (const core::Run& run : runs) items.push_back(core::write_run(run, response_max_listed));
  return items;
}

// A job's id need not be a live job's: its runs outlive it.
Result<std::optional<JobId>> job_filter(const Call& call, const Query& query) {
  const std::optional<std::string> reference = query.find("job");
  if (!reference) return std::nullopt;
  if (const std::optional<Uuid> id = parse_uuid(*reference)) return JobId{*id};
  const Result<core::Job> job = find_job(call, *reference);
  if (!job) return fail(job.error());
  return job->id;
}

template <class T>
Result<std::optional<T>> word_filter(const Query& query, std::string_view name,
                                     std::optional<T> (*read)(std::string_view),
                                     std::string_view words) {
  const std::optional<std::string> text = query.find(name);
  if (!text) return std::nullopt;
  const std::optional<T> value = read(*text);
  if (value) return value;
  return fail(invalid_parameter(name, "must be one of " + std::string(words)));
}

Result<store::RunFilter> filter_of(const Call& call, const Query& query) {
  auto job = job_filter(call, query);
  if (!job) return fail(job.error());
  auto verdict = word_filter<core::Verdict>(query, "verdict", core::verdict_of,
                                            "succeeded, failed, unknown, cancelled, skipped");
  if (!verdict) return fail(verdict.error());
  auto state = word_filter<core::RunState>(query, "state", core::run_state_of,
                                           "requested, claimed, begun, ended");
  if (!state) return fail(state.error());
  auto since = query.instant("since");
  if (!since) return fail(since.error());
  auto until = query.instant("until");
  if (!until) return fail(until.error());
  auto labels = query.labels();
  if (!labels) return fail(labels.error());
  auto limit = query.limit();
  if (!limit) return fail(limit.error());
  return store::RunFilter{*job,
                          *verdict,
                          *state,
                          *since,
                          *until,
                          std::move(*labels),
                          query.find("name_prefix"),
                          query.find("cursor"),
                          *limit};
}

Result<Duration> wait_of(const Query& query) {
  const std::optional<std::string> text = query.find("wait");
  if (!text) return Duration::zero();
  const Result<Duration> wait = parse_duration(*text);
  if (!wait) return fail(invalid_parameter("wait", "is no duration: " + wait.error().message));
  if (*wait > wait_max) return fail(invalid_parameter("wait", "must be at most 60s"));
  return *wait;
}

bool may_wait(const Call& call, Duration wait) {
  if (call.shared.stopping) return false;
  return call.deps().clock.steady() - call.request.received_at < wait;
}

}  // namespace

std::optional<net::Later> wait_quietly(Shared& shared, const net::Request& request) {
  const std::uint64_t tick = shared.deps.database.run_change_tick();
  const Duration waited = shared.deps.clock.steady() - request.received_at;
  if (shared.stopping || !shared.quiet_polls.goes_on(QuietPolls::key_of(request), tick, waited))
    return std::nullopt;
  return net::Later{poll_period};
}

Answer run_job(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  if (!call.request.body.empty()) {
    const Result<json::object> body = read_body(call.request);
    if (!body) return fail(body.error());
    if (!body->empty())
      return fail("invalid_request", "this request has no fields yet; send it without a body");
  }
  const Result<std::optional<std::string>> key = idempotency_key(call.request);
  if (!key) return fail(key.error());
  const Result<core::Job> job = find_job(call, call.params[0]);
  if (!job) return fail(job.error());
  const std::string occurrence = key->value_or(format_uuid(runtime::random_uuid_v4()));
  const RunId id{runtime::random_uuid_v7(call.now())};
  const Result<core::Run> run = call.deps().database.jobs().request_run(
      call.account(), job->id, core::RunKind::manual, "manual:" + occurrence, id);
  if (!run && run.error().code == "not_found") return fail(not_found("job", call.params[0]));
  if (!run) return fail(run.error());
  // The key may have been used before: that run is the answer.
  net::Response response =
      json_response(run->id == id ? 201 : 200, core::write_run(*run, response_max_alone));
  response.headers.add("Location", "/v2/runs/" + run->id.text());
  return response;
}

Answer list_runs(Call& call) {
  static constexpr std::array<std::string_view, 9> known{
      "cursor", "job", "label", "limit", "name_prefix", "since", "state", "until", "verdict"};
  const Result<Query> query = Query::parse(call.request.query, known);
  if (!query) return fail(query.error());
  const Result<store::RunFilter> filter = filter_of(call, *query);
  if (!filter) return fail(filter.error());
  const auto page = call.deps().database.ledger().list_runs(call.account(), *filter);
  if (!page) return fail(page.error());
  return json_response(200, list_body(run_items(page->items), page->next_cursor));
}

Answer get_run(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  const std::optional<Uuid> id = parse_uuid(call.params[0]);
  const std::optional<core::Run> run =
      id ? call.deps().database.ledger().find_run(call.account(), RunId{*id}) : std::nullopt;
  if (!run) return fail(not_found("run", call.params[0]));
  return json_response(200, core::write_run(*run, response_max_alone));
}

Answer run_changes(Call& call) {
  static constexpr std::array<std::string_view, 10> known{
      "after",       "job",   "label", "limit",   "since",
      "name_prefix", "state", "until", "verdict", "wait"};
  const Result<Query> query = Query::parse(call.request.query, known);
  if (!query) return fail(query.error());
  const Result<store::RunFilter> filter = filter_of(call, *query);
  if (!filter) return fail(filter.error());
  const Result<Duration> wait = wait_of(*query);
  if (!wait) return fail(wait.error());
  const std::optional<std::string> after = query->find("after");
  // Read before the ledger: what changes in between is then seen at the next poll.
  const std::uint64_t tick = call.deps().database.run_change_tick();
  const auto page = call.deps().database.ledger().run_changes(call.account(), after, *filter);
  if (!page) return fail(page.error());
  if (page->items.empty() && after && may_wait(call, *wait)) {
    call.shared.quiet_polls.note(QuietPolls::key_of(call.request), {tick, *wait});
    return net::Later{poll_period};
  }
  return json_response(200, list_body(run_items(page->items), page->next_cursor));
}

}  // namespace cronally::api
