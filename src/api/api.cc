#include "api/api.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/router.h"
#include "base/hmac.h"
#include "base/text.h"
#include "runtime/metric_names.h"
#include "runtime/token.h"

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

// The token of "Authorization: Bearer TOKEN" (RFC 6750 §2.1).
std::optional<std::string_view> bearer_token(const net::Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  const auto header = request.headers.find("Authorization");
  if (!header || header->size() <= scheme.size()) return std::nullopt;
  if (!net::equal_names(header->substr(0, scheme.size()), scheme)) return std::nullopt;
  return header->substr(scheme.size());
}

Result<store::Principal> authenticate(Shared& shared, const net::Request& request, Access access) {
  if (access == Access::open) return store::Principal{};
  if (request.headers.count("Authorization") > 1)
    return fail("unauthorized", "the header Authorization stands there twice; send it once");
  const std::optional<std::string_view> token = bearer_token(request);
  if (!token)
    return fail("unauthorized",
                "this needs a token; send the header Authorization: Bearer TOKEN (the first one is "
                "in the file admin-token of the data directory)");
  const std::optional<store::Principal> principal =
      shared.deps.database.accounts().authenticate(as_bytes(runtime::token_digest(*token)));
  if (!principal)
    return fail("unauthorized", "the token is unknown or was revoked; give one that is valid");
  if (access == Access::admin && !principal->admin)
    return fail("admin_required", "this needs an admin token; ask whoever holds one");
  return *principal;
}

Answer answer(Shared& shared, const net::Request& request) {
  Match match = match_route(request.method, request.path);
  if (!match.route) {
    if (match.allow.empty()) return fail(no_such_path(request.path));
    net::Response refusal = problem_of(method_not_allowed(request, match.allow));
    refusal.headers.add("Allow", match.allow);
    return refusal;
  }
  if (match.route->handle == run_changes)
    if (const auto later = wait_quietly(shared, request)) return *later;
  Result<store::Principal> principal = authenticate(shared, request, match.route->access);
  if (!principal) return fail(principal.error());
  Call call{shared, request, *principal, std::move(match.params)};
  return match.route->handle(call);
}

net::Reply reply(Shared& shared, const net::Request& request) {
  try {
    Answer result = answer(shared, request);
    return result ? std::move(*result) : problem_of(result.error());
  } catch (const Unavailable& outage) {
    return problem_of({outage.code(), outage.what()});
  }
}

}  // namespace

class Api::Impl {
 public:
  explicit Impl(ApiDeps deps) : shared_{std::move(deps)} {
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
  return method == "POST" && path == "/v2/jobs/bulk" ? bulk_max : net::body_max_default;
}

}  // namespace cronally::api
