// Writing jobs and runs, and laying a patch over a job.
#include <algorithm>

#include "base/text.h"
#include "core/manifest.h"

namespace cronally::core {
namespace json = boost::json;

namespace {

std::string_view text_of(cron::Dst dst) { return dst == cron::Dst::run ? "run" : "skip"; }

std::string_view text_of(DeliveryMode mode) {
  return mode == DeliveryMode::at_least_once ? "at_least_once" : "at_most_once";
}

std::string_view text_of(Overlap overlap) {
  switch (overlap) {
    case Overlap::allow: return "allow";
  }
  return {};
}

std::string_view text_of(CatchUpMode mode) {
  switch (mode) {
    case CatchUpMode::latest: return "latest";
    case CatchUpMode::all: return "all";
    case CatchUpMode::skip: return "skip";
  }
  return {};
}

json::value instant_or_null(const std::optional<Instant>& at) {
  return at ? json::value(format_instant(*at)) : json::value();
}

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value() : json::value(text);
}

json::value value_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value();
}

json::object write_one(const HttpTarget& target) {
  json::object headers;
  for (const Header& header : target.headers) headers[header.name] = header.value;
  json::object secret_headers;
  for (const SecretHeader& header : target.secret_headers)
    secret_headers[header.name] = secret_mask;
  return {{"type", "http"},
          {"url", target.url},
          {"method", target.method},
          {"headers", std::move(headers)},
          {"secret_headers", std::move(secret_headers)},
          {"body", value_or_null(target.body)},
          {"timeout", format_duration(target.timeout)}};
}

json::object write_one(const SnsTarget& target) {
  json::object attributes;
  for (const SnsAttribute& attribute : target.message_attributes)
    std::visit([&](const auto& value) { attributes[attribute.name] = value; }, attribute.value);
  json::value credentials;
  if (target.credentials)
    credentials = {{"access_key_id", target.credentials->access_key_id},
                   {sns_secret_name, secret_mask}};
  return {{"type", "sns"},
          {"topic_arn", target.topic_arn},
          {"region", value_or_null(target.region)},
          {"message", value_or_null(target.message)},
          {"subject", value_or_null(target.subject)},
          {"message_attributes", std::move(attributes)},
          {"message_group_id", value_or_null(target.message_group_id)},
          {"credentials", std::move(credentials)},
          {"timeout", format_duration(target.timeout)}};
}

json::object write_target(const Target& target) {
  return std::visit([](const auto& one) { return write_one(one); }, target);
}

json::object write_retry(const Retry& retry) {
  return {
      {"attempts", retry.attempts},
      {"backoff_min", format_duration(retry.backoff_min)},
      {"backoff_max", format_duration(retry.backoff_max)},
      {"age_max", retry.age_max ? json::value(format_duration(*retry.age_max)) : json::value()}};
}

}  // namespace

json::object write_manifest(const JobDefinition& definition) {
  json::object labels;
  for (const auto& [key, value] : definition.labels) labels[key] = value;
  const CatchUp& catch_up = definition.catch_up;
  return {{"name", definition.name},
          {"description", definition.description},
          {"labels", std::move(labels)},
          {"schedule", definition.schedule},
          {"anchor", instant_or_null(definition.anchor)},
          {"zone", definition.zone},
          {"dst", text_of(definition.dst)},
          {"target", write_target(definition.target)},
          {"delivery", text_of(definition.delivery)},
          {"overlap", text_of(definition.overlap)},
          {"retry", write_retry(definition.retry)},
          {"catch_up",
           {{"mode", text_of(catch_up.mode)},
            {"window", format_duration(catch_up.window)},
            {"limit", catch_up.limit}}},
          {"paused", definition.paused}};
}

namespace {

bool equal_without_case(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return low(x) == low(y); });
}

// Takes the headers out that `patch` names in another case: the patch's spelling stands.
void drop_other_spellings(json::object& target, const json::object& patch, std::string_view name) {
  json::value* into = target.if_contains(name);
  const json::value* from = patch.if_contains(name);
  if (!into || !from || !into->is_object() || !from->is_object()) return;
  for (const json::key_value_pair& pair : from->get_object()) {
    json::object& headers = into->get_object();
    const auto found = std::ranges::find_if(headers, [&](const json::key_value_pair& other) {
      return other.key() != pair.key() && equal_without_case(other.key(), pair.key());
    });
    if (found != headers.end()) headers.erase(found);
  }
}

json::value lateness_ms(const Run& run) {
  const auto sent = std::ranges::find_if(run.attempts, [](const Attempt& attempt) {
    return attempt.result.first_byte_at.has_value();
  });
  if (sent == run.attempts.end()) return {};
  const Instant owed = run.kind == RunKind::scheduled ? run.scheduled_at : run.due;
  return std::chrono::duration<double, std::milli>(*sent->result.first_byte_at - owed).count();
}

// A character that the limit would cut is left out.
std::string response_of(const std::string& response, std::size_t response_max) {
  std::string_view text(response);
  if (text.size() > response_max) {
    std::size_t end = response_max;
    while (end > 0 && response_max - end < 3 && (text[end] & 0xC0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return valid_utf8(text);
}

json::object write_attempt(const Attempt& attempt, std::size_t response_max) {
  const AttemptResult& result = attempt.result;
  const bool answered = result.status != 0;
  return {{"number", attempt.number},
          {"revision", attempt.revision},
          {"fence", attempt.fence.value},
          {"node", attempt.node.text()},
          {"first_byte_at", instant_or_null(result.first_byte_at)},
          {"ended_at", format_instant(result.ended_at)},
          {"status", answered ? json::value(result.status) : json::value()},
          {"error", text_or_null(valid_utf8(result.error))},
          {"response",
           answered ? json::value(response_of(result.response, response_max)) : json::value()}};
}

}  // namespace

void merge_patch(json::object& target, const json::object& patch) {
  for (const json::key_value_pair& pair : patch) {
    if (pair.value().is_null()) {
      target.erase(pair.key());
    } else if (pair.value().is_object()) {
      json::value& into = target[pair.key()];
      if (!into.is_object()) into = json::object();
      merge_patch(into.get_object(), pair.value().get_object());
    } else {
      target[pair.key()] = pair.value();
    }
  }
}

json::object patch_job(const JobDefinition& stored, const json::object& patch) {
  json::object whole = write_manifest(stored);
  const int attempts_default = stored.delivery == DeliveryMode::at_most_once ? 1 : 5;
  if (stored.retry.attempts == attempts_default) whole["retry"].get_object().erase("attempts");
  const json::value* target = patch.if_contains("target");
  if (target && target->is_object()) {
    const json::value* type = target->get_object().if_contains("type");
    if (type && !type->is_null()) {
      whole.erase("target");
    } else {
      json::object& old = whole["target"].get_object();
      drop_other_spellings(old, target->get_object(), "headers");
      drop_other_spellings(old, target->get_object(), "secret_headers");
    }
  }
  merge_patch(whole, patch);
  return whole;
}

json::object write_job(const Job& job, std::optional<Instant> next_at) {
  json::object whole{{"id", job.id.text()}};
  json::object definition = write_manifest(job.definition);
  for (json::key_value_pair& pair : definition) whole[pair.key()] = std::move(pair.value());
  whole["anchor"] = format_instant(job.anchor);
  whole["revision"] = job.revision;
  whole["created_at"] = format_instant(job.created_at);
  whole["updated_at"] = format_instant(job.updated_at);
  whole["next_at"] = instant_or_null(next_at);
  return whole;
}

std::optional<Instant> next_of(const Job& job, const ZoneResolver& zone, Instant now) {
  const JobDefinition& definition = job.definition;
  if (definition.paused) return std::nullopt;
  const Result<cctz::time_zone> in = zone(definition.zone);
  if (!in) return std::nullopt;
  const Result<cron::Schedule> schedule =
      cron::parse_schedule(definition.schedule, {*in, definition.dst, definition.name, job.anchor});
  if (!schedule) return std::nullopt;
  // Nothing at or before the newest edit is owed.
  return cron::next(*schedule, std::max(now, job.updated_at));
}

json::object write_run(const Run& run, std::size_t response_max) {
  json::array attempts;
  for (const Attempt& attempt : run.attempts)
    attempts.push_back(write_attempt(attempt, response_max));
  const bool reasoned = run.reason != Reason::none;
  return {{"id", run.id.text()},
          {"job_id", run.job.text()},
          {"job_name", run.job_name},
          {"job_revision", run.revision},
          {"kind", core::text_of(run.kind)},
          {"key", text_or_null(run.key)},
          {"scheduled_at", format_instant(run.scheduled_at)},
          {"due", format_instant(run.due)},
          {"state", core::text_of(run.state)},
          {"verdict", run.verdict ? json::value(core::text_of(*run.verdict)) : json::value()},
          {"reason", reasoned ? json::value(core::text_of(run.reason)) : json::value()},
          {"fence", run.fence.value},
          {"lateness_ms", lateness_ms(run)},
          {"ended_at", instant_or_null(run.ended_at)},
          {"attempts", std::move(attempts)}};
}

}  // namespace cronally::core
