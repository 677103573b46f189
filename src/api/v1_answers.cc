#include "api/v1_answers.h"

#include <algorithm>
#include <array>

#include "api/problem.h"
#include "runtime/log.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

// Codes of v1 alone, and those that v1 knows no status for.
constexpr std::array<ProblemCode, 7> v1_codes{{
    {"invalid_form", 400},
    {"invalid_cronjob", 400},
    {"invalid_email", 400},
    {"email_taken", 400},
    {"name_taken", 400},
    {"signup_closed", 403},
    {"revision_conflict", 503},
}};

int v1_status_of(std::string_view code) {
  const auto* found = std::ranges::find(v1_codes, code, &ProblemCode::code);
  return found == v1_codes.end() ? status_of(code) : found->status;
}

std::string reason_of(const Error& error) {
  std::string reason = error.message;
  if (error.code != "invalid_cronjob") return reason;
  reason.clear();
  for (const FieldError& field : error.fields)
    reason += (reason.empty() ? "" : "; ") + field.pointer.substr(1) + " " + field.detail;
  return reason;
}

}  // namespace

net::Response v1_success(json::value response) {
  return json_response(200, json::object{{"status", "success"}, {"response", std::move(response)}});
}

net::Response v1_refusal(const Error& error) {
  const int status = v1_status_of(error.code);
  if (status == 500) {
    runtime::log::error("api", "an outcome that no answer foresees",
                        {{"code", error.code}, {"error", error.message}});
    return json_response(500, {{"status", "error"},
                               {"reason", "this is a fault of the server; its log has the details"},
                               {"code", "internal_error"}});
  }
  json::object body{
      {"status", "error"}, {"reason", core::valid_utf8(reason_of(error))}, {"code", error.code}};
  if (!error.fields.empty()) {
    json::object fields;
    for (const FieldError& field : error.fields)
      fields[field.pointer.substr(1)] = core::valid_utf8(field.detail);
    body["fields"] = std::move(fields);
  }
  net::Response response = json_response(status, body);
  if (status == 401) response.headers.add("WWW-Authenticate", "Cronally-V1");
  if (status == 503) response.headers.add("Retry-After", "1");
  return response;
}

Result<core::Form> v1_form(const net::Request& request) {
  return core::read_form(request.headers.find("Content-Type").value_or(""), request.body);
}

}  // namespace cronally::api
