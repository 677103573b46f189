#include "api/problem.h"

#include <algorithm>
#include <boost/json.hpp>

#include "core/manifest.h"
#include "runtime/log.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

constexpr ProblemCode codes[] = {
    {"invalid_json", 400},
    {"invalid_request", 400},
    {"invalid_parameter", 400},
    {"invalid_cursor", 400},
    {"unauthorized", 401},
    {"admin_required", 403},
    {"not_found", 404},
    {"method_not_allowed", 405},
    {"name_taken", 409},
    {"email_taken", 409},
    {"revision_conflict", 409},
    {"last_admin_token", 409},
    {"backup_running", 409},
    {"backup_elsewhere", 409},  // where the database backs itself up
    {"key_used", 409},
    {"cursor_expired", 410},
    {"precondition_failed", 412},
    {"unsupported_media_type", 415},
    {"invalid_job", 422},
    {"invalid_schedule", 422},
    {"invalid_account", 422},
    {"invalid_token", 422},
    {"idempotency_mismatch", 422},
    {"internal_error", 500},
    {"undecided", 503},
    {"unavailable", 503},
    {"standby", 503},
    {"disk_full", 503},
    {"database_removed", 503},
    {"database_corrupt", 503},
};

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition failed";
    case 415: return "Unsupported media type";
    case 422: return "Unprocessable content";
    case 503: return "Service unavailable";
    default: return "Internal error";
  }
}

}  // namespace

std::span<const ProblemCode> problem_codes() { return codes; }

int status_of(std::string_view code) {
  const auto* found = std::ranges::find(codes, code, &ProblemCode::code);
  return found == std::end(codes) ? 500 : found->status;
}

net::Response problem_of(const Error& error) {
  const auto* found = std::ranges::find(codes, error.code, &ProblemCode::code);
  if (found == std::end(codes)) {
    runtime::log::error("api", "an outcome that no answer foresees",
                        {{"code", error.code}, {"error", error.message}});
    return problem_of({"internal_error", "this is a fault of the server; its log has the details"});
  }
  json::object body{{"type", "about:blank"},
                    {"title", title_of(found->status)},
                    {"status", found->status},
                    {"code", error.code},
                    {"detail", core::valid_utf8(error.message)}};
  if (!error.fields.empty()) {
    json::array errors;
    for (const FieldError& field : error.fields)
      errors.push_back({{"pointer", core::valid_utf8(field.pointer)},
                        {"detail", core::valid_utf8(field.detail)}});
    body["errors"] = std::move(errors);
  }
  net::Response response{found->status, {{"Content-Type", "application/problem+json"}}, {}};
  if (found->status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  if (found->status == 503) response.headers.add("Retry-After", "1");
  response.body = json::serialize(body);
  return response;
}

}  // namespace cronally::api
