#include "core/definition_json.h"

#include <array>
#include <boost/json.hpp>

namespace cronally::core {

namespace json = boost::json;

namespace {

json::object one_value(const HttpTarget& target) {
  json::array headers;
  for (const auto& header : target.headers) {
    headers.push_back(json::array{header.name, header.value});
  }
  json::array secrets;
  for (const auto& header : target.secret_headers) {
    secrets.push_back(json::array{header.name, header.secret.text()});
  }
  json::object out{{"url", target.url},
                   {"method", target.method},
                   {"headers", std::move(headers)},
                   {"secret_headers", std::move(secrets)},
                   {"timeout", target.timeout.count()}};
  if (target.body) out["body"] = *target.body;
  return out;
}

// Types beside HTTP, which was alone and has no word for itself.
constexpr std::string_view sns_word = "sns";

json::object one_value(const SnsTarget& target) {
  json::array attributes;
  for (const auto& attribute : target.message_attributes) {
    std::visit([&](const auto& value) { attributes.push_back({attribute.name, value}); },
               attribute.value);
  }
  json::object out{{"type", sns_word},
                   {"topic_arn", target.topic_arn},
                   {"message_attributes", std::move(attributes)},
                   {"timeout", target.timeout.count()}};
  if (target.region) out["region"] = *target.region;
  if (target.message) out["message"] = *target.message;
  if (target.subject) out["subject"] = *target.subject;
  if (target.message_group_id) out["message_group_id"] = *target.message_group_id;
  if (target.credentials) {
    out["access_key_id"] = target.credentials->access_key_id;
    out[sns_secret_name] = target.credentials->secret_access_key.text();
  }
  return out;
}

json::value target_value(const Target& target) {
  return std::visit([](const auto& one) { return one_value(one); }, target);
}

std::string text_at(const json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

Duration duration_at(const json::object& object, std::string_view key) {
  return Duration{object.at(key).to_number<std::int64_t>()};
}

std::optional<std::string> optional_at(const json::object& object, std::string_view key) {
  return object.contains(key) ? std::optional(text_at(object, key)) : std::nullopt;
}

SecretId secret_id(std::string_view text) {
  auto id = parse_uuid(text);
  if (!id) throw std::invalid_argument("a secret's id");
  return SecretId{*id};
}

HttpTarget http_of(const json::object& object) {
  HttpTarget target{.url = text_at(object, "url"),
                    .method = text_at(object, "method"),
                    .timeout = duration_at(object, "timeout")};
  for (const auto& header : object.at("headers").as_array()) {
    target.headers.push_back(
        {std::string(header.at(0).as_string()), std::string(header.at(1).as_string())});
  }
  for (const auto& header : object.at("secret_headers").as_array()) {
    target.secret_headers.push_back(
        {std::string(header.at(0).as_string()), secret_id(header.at(1).as_string())});
  }
  target.body = optional_at(object, "body");
  return target;
}

SnsTarget sns_of(const json::object& object) {
  SnsTarget target{.topic_arn = text_at(object, "topic_arn"),
                   .region = optional_at(object, "region"),
                   .message = optional_at(object, "message"),
                   .subject = optional_at(object, "subject"),
                   .message_group_id = optional_at(object, "message_group_id"),
                   .timeout = duration_at(object, "timeout")};
  for (const auto& attribute : object.at("message_attributes").as_array()) {
    const json::value& value = attribute.at(1);
    std::string name(attribute.at(0).as_string());
    if (value.is_string()) {
      target.message_attributes.push_back({std::move(name), std::string(value.get_string())});
    } else {
      target.message_attributes.push_back({std::move(name), value.to_number<std::int64_t>()});
    }
  }
  if (object.contains("access_key_id")) {
    target.credentials = {text_at(object, "access_key_id"),
                          secret_id(text_at(object, sns_secret_name))};
  }
  return target;
}

Target target_of(const json::object& object) {
  const auto type = optional_at(object, "type");
  if (!type) return http_of(object);
  if (*type == sns_word) return sns_of(object);
  throw std::invalid_argument("a target's type");
}

template <class E>
E enum_at(const json::object& object, std::string_view key) {
  return static_cast<E>(object.at(key).to_number<std::uint8_t>());
}

JobDefinition definition_of(const json::object& object) {
  JobDefinition out{.name = text_at(object, "name"),
                    .description = text_at(object, "description"),
                    .schedule = text_at(object, "schedule"),
                    .zone = text_at(object, "zone"),
                    .dst = enum_at<cron::Dst>(object, "dst"),
                    .target = target_of(object.at("target").as_object()),
                    .delivery = enum_at<DeliveryMode>(object, "delivery"),
                    .overlap = enum_at<Overlap>(object, "overlap"),
                    .paused = object.at("paused").as_bool()};
  for (const auto& label : object.at("labels").as_object()) {
    out.labels.emplace(label.key(), label.value().as_string());
  }
  if (const auto* anchor = object.if_contains("anchor")) {
    out.anchor = instant_from_us(anchor->to_number<std::int64_t>());
  }
  const auto& retry = object.at("retry").as_object();
  out.retry = {.attempts = retry.at("attempts").to_number<std::int32_t>(),
               .backoff_min = duration_at(retry, "backoff_min"),
               .backoff_max = duration_at(retry, "backoff_max")};
  if (retry.contains("age_max")) out.retry.age_max = duration_at(retry, "age_max");
  const auto& catch_up = object.at("catch_up").as_object();
  out.catch_up = {.mode = enum_at<CatchUpMode>(catch_up, "mode"),
                  .window = duration_at(catch_up, "window"),
                  .limit = catch_up.at("limit").to_number<std::int32_t>()};
  return out;
}

}  // namespace

std::string write_definition(const JobDefinition& definition) {
  json::object labels;
  for (const auto& [key, value] : definition.labels) labels[key] = value;
  json::object retry{{"attempts", definition.retry.attempts},
                     {"backoff_min", definition.retry.backoff_min.count()},
                     {"backoff_max", definition.retry.backoff_max.count()}};
  if (definition.retry.age_max) retry["age_max"] = definition.retry.age_max->count();
  json::object out{{"name", definition.name},
                   {"description", definition.description},
                   {"labels", std::move(labels)},
                   {"schedule", definition.schedule},
                   {"zone", definition.zone},
                   {"dst", static_cast<int>(definition.dst)},
                   {"target", target_value(definition.target)},
                   {"delivery", static_cast<int>(definition.delivery)},
                   {"overlap", static_cast<int>(definition.overlap)},
                   {"retry", std::move(retry)},
                   {"catch_up",
                    {{"mode", static_cast<int>(definition.catch_up.mode)},
                     {"window", definition.catch_up.window.count()},
                     {"limit", definition.catch_up.limit}}},
                   {"paused", definition.paused}};
  if (definition.anchor) out["anchor"] = us_of(*definition.anchor);
  return json::serialize(out);
}

Result<JobDefinition> read_definition(std::string_view text) {
  // A usual definition is read without an allocation for the tree.
  std::array<unsigned char, 4096> buffer;
  json::monotonic_resource memory(buffer.data(), buffer.size());
  try {
    return definition_of(json::parse(text, &memory).as_object());
  } catch (const std::exception& error) {
    return fail("definition_damaged", std::string("a stored definition cannot be read (") +
                                          error.what() + "); restore the database from a backup");
  }
}

}  // namespace cronally::core
