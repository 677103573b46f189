#include "cli/problem.h"

#include <boost/json.hpp>

#include "cli/table.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

std::string text_member(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::vector<FieldError> fields_of(const json::object& object) {
  std::vector<FieldError> fields;
  const json::value* errors = object.if_contains("errors");
  if (!errors || !errors->is_array()) return fields;
  for (const json::value& error : errors->get_array()) {
    if (!error.is_object()) continue;
    fields.push_back(
        {text_member(error.get_object(), "pointer"), text_member(error.get_object(), "detail")});
  }
  return fields;
}

std::string advice_of_status(const net::CallAnswer& answer) {
  switch (answer.status) {
    case 401:
      return "give a token in CRONALLY_TOKEN or --token-file; `cronally token create` makes one.";
    case 403:
      return "use an admin token, such as the file admin-token of the server's data directory.";
    case 412: return "look at the newest revision and try again.";
    case 502:
    case 503:
    case 504: break;
    default: return {};
  }
  const auto wait = answer.headers.find("Retry-After");
  return wait ? "try again in " + printable(*wait) + " s." : "try again in a moment.";
}

std::string title_of_status(int status) {
  return "the server answered with status " + std::to_string(status);
}

}  // namespace

std::unexpected<Problem> usage(std::string message, std::string advice) {
  return std::unexpected(
      Problem{ExitCode::usage, "usage", std::move(message), {}, std::move(advice)});
}

std::unexpected<Problem> usage(Error error) {
  return std::unexpected(Problem{ExitCode::usage, std::move(error.code), std::move(error.message),
                                 std::move(error.fields)});
}

Problem problem_of_call(const Error& error) {
  if (error.code != "server_unreachable")
    return {ExitCode::failure, error.code, error.message, error.fields};
  return {ExitCode::unreachable, error.code, error.message, error.fields,
          "start one with `cronally serve`, or name another with --url or CRONALLY_URL."};
}

Problem problem_of_answer(const net::CallAnswer& answer) {
  Problem problem{exit_code_of_status(answer.status),
                  "http_" + std::to_string(answer.status),
                  title_of_status(answer.status),
                  {},
                  advice_of_status(answer)};
  boost::system::error_code malformed;
  const json::value body = json::parse(answer.body, malformed);
  if (malformed || !body.is_object()) return problem;
  const json::object& object = body.get_object();
  const std::string detail = text_member(object, "detail");
  const std::string title = text_member(object, "title");
  if (!detail.empty() || !title.empty()) problem.message = detail.empty() ? title : detail;
  if (const std::string code = text_member(object, "code"); !code.empty()) problem.code = code;
  problem.fields = fields_of(object);
  return problem;
}

std::string text_of(const Problem& problem) {
  std::string text = "cronally: " + printable(problem.message) + "\n";
  for (const FieldError& field : problem.fields) {
    const std::string place = field.pointer.empty() ? "" : printable(field.pointer) + ": ";
    // One fault whose text is the message itself need not be said twice.
    if (problem.fields.size() == 1 && field.detail == problem.message && place.empty()) continue;
    text += "  " + place + printable(field.detail) + "\n";
  }
  if (!problem.advice.empty()) text += "  Next: " + problem.advice + "\n";
  return text;
}

}  // namespace cronally::cli
