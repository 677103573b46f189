#include "api/api.h"

#include "api/authentication.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/router.h"
#include "api/v1.h"
#include "api/v1_answers.h"
#include "base/text.h"
#include "runtime/deadline.h"
#include "runtime/metric_names.h"

namespace cronally::api {
namespace {

// A path may be long and strange; a message shows its start.
Error no_such_path(std::string_view path) {
  return {"not_found", "there is nothing at " + quote(path) + "; /openapi.json lists every path"};
}

Error method_not_allowed(const net::Request& request, const std::string& allow) {
  return {"method_not_allowed",
          quote(request.method) + " is not allowed at " + quote(request.path) + "; use " + allow};
}

// When the answer is due. A test's clock may run faster than one can wait.
runtime::Deadline deadline_from(const Shared& shared, SteadyInstant begun) {
  const auto& clock = shared.deps.clock;
  const Duration passed = clock.sleep_for(clock.steady() - begun);
  return runtime::Deadline::after(shared.waits.steady() - passed, shared.deps.answer_max);
}

Answer answer(Shared& shared, const net::Request& request, std::string_view path) {
  Match match = match_route(request.method, path);
  if (!match.route) {
    if (match.allow.empty()) return fail(no_such_path(path));
    net::Response refusal = problem_of(method_not_allowed(request, match.allow));
    refusal.headers.add("Allow", match.allow);
    return refusal;
  }
  const bool polls = match.route->handle == run_changes;
  if (polls)
    if (const auto later = wait_quietly(shared, request)) return *later;
  const runtime::DeadlineScope scope(
      deadline_from(shared, polls ? shared.deps.clock.steady() : request.received_at));
  return admit(shared, request, *match.route, std::move(match.params));
}

net::Reply reply(Shared& shared, const net::Request& request) {
  const std::string_view path = local_path(shared.deps.v1, request.path);
  const bool v1 = is_v1(path);
  try {
    if (v1) {
      const runtime::DeadlineScope scope(deadline_from(shared, request.received_at));
      return answer_v1(shared, request, path);
    }
    Answer result = answer(shared, request, path);
    return result ? std::move(*result) : problem_of(result.error());
  } catch (const Unavailable& outage) {
    const Error error{outage.code(), outage.what()};
    return v1 ? v1_refusal(error) : problem_of(error);
  }
}

}  // namespace

class Api::Impl {
 public:
  explicit Impl(ApiDeps deps) : shared_(std::move(deps)) {
    for (int status_class = 2; status_class <= 5; ++status_class)
      answered_[status_class] = &shared_.deps.metrics.counter(
          runtime::metric::http_requests_total, {{"status", std::to_string(status_class) + "xx"}});
  }

  net::Reply handle(const net::Request& request) {
    net::Reply result = reply(shared_, request);
    if (const auto* response = std::get_if<net::Response>(&result))
      answered_[response->status / 100]->add();
    return result;
  }

  void stop() { shared_.stopping = true; }

 private:
  Shared shared_;
  runtime::Counter* answered_[6] = {};  // by the status' first digit, 2 to 5
};

Api::Api(ApiDeps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
Api::~Api() = default;
net::Reply Api::handle(const net::Request& request) { return impl_->handle(request); }
void Api::stop() { impl_->stop(); }

std::size_t body_max(std::string_view method, std::string_view path) {
  constexpr std::size_t bulk_max = 16 * 1024 * 1024;
  // With whatever base path clients have before it.
  return method == "POST" && path.ends_with("/v2/jobs/bulk") ? bulk_max : net::body_max_default;
}

}  // namespace cronally::api
