#include "cli/views.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "cli/when.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

using Facts = std::vector<std::pair<std::string, Cell>>;
constexpr std::size_t answer_columns = 48;  // of an answer's first line in a table

std::string shown(const json::object& object, std::string_view key) {
  return printable(text_at(object, key));
}

std::string number_text(const json::object& object, std::string_view key) {
  const std::optional<double> number = number_at(object, key);
  return number ? fmt::format("{:.0f}", *number) : "";
}

std::optional<Instant> instant_at(const json::object& object, std::string_view key) {
  const Result<Instant> at = parse_instant(text_at(object, key));
  return at ? std::optional(*at) : std::nullopt;
}

Colour colour_of(std::string_view status) {
  if (status == "succeeded" || status == "active") return Colour::green;
  if (status == "failed") return Colour::red;
  if (status == "unknown" || status == "cancelled" || status == "skipped" || status == "paused")
    return Colour::yellow;
  return Colour::none;
}

Cell painted(const std::string& status) { return {printable(status), colour_of(status)}; }

// "2026-12-01T10:00:00+02:00, 2026-12-01T08:00:00Z, in 3h"; in UTC the first is left out.
std::string both_times(Instant at, const cctz::time_zone& zone, Instant now) {
  const std::string utc = format_instant(at);
  const std::string tail = utc + ", " + format_relative(at, now);
  if (zone == cctz::utc_time_zone() || zone.lookup(at).offset == 0) return tail;
  return format_local(at, zone) + ", " + tail;
}

void add(Facts& facts, const std::string& name, std::string value) {
  if (!value.empty()) facts.emplace_back(name, std::move(value));
}

void add_pairs(Facts& facts, const std::string& name, const json::object* pairs,
               std::string_view between) {
  if (!pairs) return;
  for (const json::key_value_pair& pair : *pairs) {
    const std::string value =
        pair.value().is_string() ? std::string(pair.value().get_string()) : "";
    facts.emplace_back(name, printable(pair.key()) + std::string(between) + printable(value));
  }
}

void add_sns_target(Facts& facts, const json::object& target) {
  add(facts, "target", "SNS " + shown(target, "topic_arn"));
  add(facts, "region", shown(target, "region"));
  if (const json::object* credentials = object_at(target, "credentials"))
    add(facts, "access key", shown(*credentials, "access_key_id"));
  add(facts, "subject", shown(target, "subject"));
  if (const std::string message = text_at(target, "message"); !message.empty())
    facts.emplace_back("message", first_line(message, 80));
  if (const json::object* attributes = object_at(target, "message_attributes"))
    for (const json::key_value_pair& pair : *attributes)
      facts.emplace_back("attribute", printable(pair.key()) + "=" +
                                          printable(pair.value().is_string()
                                                        ? std::string(pair.value().get_string())
                                                        : json::serialize(pair.value())));
  add(facts, "message group", shown(target, "message_group_id"));
  add(facts, "timeout", shown(target, "timeout"));
}

void add_target(Facts& facts, const json::object& target) {
  if (text_at(target, "type") == "sns") return add_sns_target(facts, target);
  add(facts, "target", shown(target, "method") + " " + shown(target, "url"));
  add_pairs(facts, "header", object_at(target, "headers"), ": ");
  add_pairs(facts, "secret header", object_at(target, "secret_headers"), ": ");
  if (const std::string body = text_at(target, "body"); !body.empty())
    facts.emplace_back("body", first_line(body, 80));
  add(facts, "timeout", shown(target, "timeout"));
}

void add_policies(Facts& facts, const json::object& job) {
  add(facts, "delivery", shown(job, "delivery"));
  if (const json::object* retry = object_at(job, "retry"))
    facts.emplace_back(
        "retry",
        fmt::format("{} attempts, backoff {} to {}{}", number_text(*retry, "attempts"),
                    shown(*retry, "backoff_min"), shown(*retry, "backoff_max"),
                    text_at(*retry, "age_max").empty() ? "" : ", for " + shown(*retry, "age_max")));
  if (const json::object* catch_up = object_at(job, "catch_up"))
    facts.emplace_back("catch-up",
                       fmt::format("{} within {}, at most {}", shown(*catch_up, "mode"),
                                   shown(*catch_up, "window"), number_text(*catch_up, "limit")));
}

const json::object* newest_attempt(const json::object& run) {
  const json::array* attempts = array_at(run, "attempts");
  if (!attempts || attempts->empty()) return nullptr;
  return attempts->back().if_object();
}

std::string lateness(const json::object& run) {
  const std::optional<double> late = number_at(run, "lateness_ms");
  return late ? format_lateness(*late) : "";
}

std::string answer_of(const json::object& attempt, std::size_t columns) {
  const std::optional<double> status = number_at(attempt, "status");
  const std::string error = text_at(attempt, "error");
  if (!status || *status == 0)
    return error.empty() ? "" : first_line("no answer: " + error, columns);
  // What a target's answer says in its own words is told as the error.
  const std::string line =
      first_line(error.empty() ? text_at(attempt, "response") : error, columns);
  return fmt::format("{:.0f}{}{}", *status, line.empty() ? "" : " ", line);
}

std::string attempts_table(const json::object& run, const View& view) {
  const json::array* attempts = array_at(run, "attempts");
  if (!attempts) return {};
  std::vector<std::vector<Cell>> rows;
  for (const json::value& value : *attempts) {
    const json::object* attempt = value.if_object();
    if (!attempt) continue;
    const auto begun = instant_at(*attempt, "first_byte_at");
    const auto ended = instant_at(*attempt, "ended_at");
    const std::string took = begun && ended ? format_duration(*ended - *begun) : "";
    rows.push_back({number_text(*attempt, "number"), shown(*attempt, "first_byte_at"), took,
                    number_text(*attempt, "revision"), answer_of(*attempt, 60)});
  }
  return format_table({{"ATTEMPT", true}, {"SENT"}, {"TOOK", true}, {"REVISION", true}, {"ANSWER"}},
                      rows, view.colour);
}

}  // namespace

std::string text_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<double> number_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (!value || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

const json::object* object_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value ? value->if_object() : nullptr;
}

const json::array* array_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value ? value->if_array() : nullptr;
}

std::string job_status(const json::object& job) {
  const json::value* paused = job.if_contains("paused");
  if (paused && paused->is_bool() && paused->get_bool()) return "paused";
  if (!text_at(job, "next_at").empty()) return "active";
  return text_at(job, "schedule") == "@never" ? "by hand" : "finished";
}

std::string jobs_table(const std::vector<json::object>& jobs, const View& view) {
  std::vector<std::vector<Cell>> rows;
  for (const json::object& job : jobs) {
    const auto next = instant_at(job, "next_at");
    rows.push_back({shown(job, "name"), shown(job, "schedule"), shown(job, "zone"),
                    next ? format_instant(*next) : "-",
                    next ? format_relative(*next, view.now) : "", painted(job_status(job))});
  }
  return format_table({{"NAME"}, {"SCHEDULE"}, {"ZONE"}, {"NEXT"}, {""}, {"STATUS"}}, rows,
                      view.colour);
}

std::string job_facts(const json::object& job, const cctz::time_zone& zone, const View& view) {
  Facts facts;
  add(facts, "name", shown(job, "name"));
  add(facts, "id", shown(job, "id"));
  add(facts, "description", shown(job, "description"));
  facts.emplace_back("status", painted(job_status(job)));
  add(facts, "schedule", shown(job, "schedule"));
  if (text_at(job, "schedule").starts_with("@every")) add(facts, "anchor", shown(job, "anchor"));
  add(facts, "zone", shown(job, "zone") + ", clock changes: " + shown(job, "dst"));
  const auto next = instant_at(job, "next_at");
  add(facts, "next", next ? both_times(*next, zone, view.now) : "-");
  add_pairs(facts, "label", object_at(job, "labels"), "=");
  if (const json::object* target = object_at(job, "target")) add_target(facts, *target);
  add_policies(facts, job);
  add(facts, "revision", number_text(job, "revision"));
  add(facts, "created", shown(job, "created_at"));
  add(facts, "changed", shown(job, "updated_at"));
  return format_facts(facts, view.colour);
}

std::string run_status(const json::object& run) {
  const std::string verdict = text_at(run, "verdict");
  return verdict.empty() ? text_at(run, "state") : verdict;
}

std::string answer_line(const json::object& run, std::size_t columns) {
  const json::object* attempt = newest_attempt(run);
  return attempt ? answer_of(*attempt, columns) : "";
}

std::string runs_table(const std::vector<json::object>& runs, const View& view) {
  std::vector<std::vector<Cell>> rows;
  for (const json::object& run : runs) {
    const json::array* attempts = array_at(run, "attempts");
    rows.push_back({shown(run, "id"), shown(run, "job_name"), shown(run, "scheduled_at"),
                    painted(run_status(run)), lateness(run),
                    std::to_string(attempts ? attempts->size() : 0),
                    answer_line(run, answer_columns)});
  }
  return format_table(
      {{"RUN"}, {"JOB"}, {"SCHEDULED"}, {"STATUS"}, {"LATE", true}, {"ATTEMPTS", true}, {"ANSWER"}},
      rows, view.colour);
}

std::string run_facts(const json::object& run, const View& view) {
  Facts facts;
  add(facts, "run", shown(run, "id"));
  add(facts, "job",
      shown(run, "job_name") + " (" + shown(run, "job_id") + ", revision " +
          number_text(run, "job_revision") + ")");
  add(facts, "kind", shown(run, "kind"));
  add(facts, "key", shown(run, "key"));
  add(facts, "scheduled", shown(run, "scheduled_at"));
  if (text_at(run, "due") != text_at(run, "scheduled_at")) add(facts, "due", shown(run, "due"));
  facts.emplace_back("status", painted(run_status(run)));
  if (const std::string reason = text_at(run, "reason"); reason != "none")
    add(facts, "reason", printable(reason));
  add(facts, "late", lateness(run));
  add(facts, "ended", shown(run, "ended_at"));
  add(facts, "fence", number_text(run, "fence"));
  const std::string attempts = attempts_table(run, view);
  return format_facts(facts, view.colour) + (attempts.empty() ? "" : "\n" + attempts);
}

std::string watch_line(const json::object& run, const View& view) {
  const std::string status = run_status(run);
  const json::object* attempt = newest_attempt(run);
  std::string line = format_instant(std::chrono::floor<std::chrono::milliseconds>(view.now));
  line += "  " + shown(run, "job_name") + "  " + shown(run, "scheduled_at") + "  ";
  line += paint(printable(status), colour_of(status), view.colour);
  if (const std::string late = lateness(run); !late.empty()) line += "  " + late;
  if (attempt) line += "  attempt " + number_text(*attempt, "number");
  if (const std::string answer = answer_line(run, answer_columns); !answer.empty())
    line += "  " + answer;
  return line + "\n";
}

std::string tokens_table(const std::vector<json::object>& tokens, const View& view) {
  std::vector<std::vector<Cell>> rows;
  for (const json::object& token : tokens) {
    const json::value* admin = token.if_contains("admin");
    const bool is_admin = admin && admin->is_bool() && admin->get_bool();
    rows.push_back({shown(token, "id"), shown(token, "name"), is_admin ? "yes" : "no",
                    shown(token, "created_at")});
  }
  return format_table({{"ID"}, {"NAME"}, {"ADMIN"}, {"CREATED"}}, rows, view.colour);
}

std::string account_facts(const json::object& account, const View& view) {
  Facts facts;
  add(facts, "name", shown(account, "name"));
  add(facts, "id", shown(account, "id"));
  add(facts, "email", shown(account, "email"));
  add(facts, "api key", shown(account, "api_key"));
  add(facts, "signing secret", shown(account, "signing_secret"));
  if (const json::object* webhook = object_at(account, "failure_webhook")) {
    add(facts, "failure webhook", shown(*webhook, "url"));
    add_pairs(facts, "secret header", object_at(*webhook, "secret_headers"), ": ");
  } else {
    facts.emplace_back("failure webhook", "none");
  }
  return format_facts(facts, view.colour);
}

}  // namespace cronally::cli
