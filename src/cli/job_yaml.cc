#include "cli/job_yaml.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "api/api.h"
#include "base/text.h"
#include "core/manifest.h"
#include "core/yaml_document.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

// Everything else is put in quotes: too many where some reader of YAML would not need them.
bool is_plain(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
  // Words that YAML 1.1 or 1.2 take for something else than a text.
  static constexpr std::array<std::string_view, 9> words{"true", "false", "null", "yes", "no",
                                                         "on",   "off",   "y",    "n"};
  if (text.empty() || !letter(text.front()) || text.ends_with(':')) return false;
  std::string low;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!letter(c) && !digit && !std::string_view("-_./:").contains(c)) return false;
    low += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return std::ranges::find(words, low) == words.end();
}

// JSON's quotes are YAML's double quotes; what JSON may leave as it is and YAML may not is escaped.
std::string scalar(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  const std::string quoted = json::serialize(json::string(text));
  std::string escaped;
  for (std::string_view rest = quoted; !rest.empty();) {
    const std::string_view character = rest.substr(0, utf8_length(rest));
    escaped += core::yaml_escape(character).value_or(std::string(character));
    rest.remove_prefix(character.size());
  }
  return escaped;
}

void write_members(std::string& text, const json::object& object, std::size_t depth);

void write_member(std::string& text, std::string_view name, const json::value& value,
                  std::size_t depth) {
  if (value.is_null()) return;
  if (value.is_object() && value.get_object().empty()) return;
  text.append(2 * depth, ' ');
  text += scalar(name) + ":";
  if (value.is_object()) {
    text += "\n";
    write_members(text, value.get_object(), depth + 1);
  } else {
    text += " " + (value.is_string() ? scalar(value.get_string()) : json::serialize(value)) + "\n";
  }
}

void write_members(std::string& text, const json::object& object, std::size_t depth) {
  for (const json::key_value_pair& pair : object)
    write_member(text, pair.key(), pair.value(), depth);
}

// Whether leaving the field out means the same. Only an interval's anchor says something: of
// others it is the time of the edit.
bool is_implied(std::string_view name, const json::object& job, const json::object& defaults) {
  const json::value& value = job.at(name);
  if (name != "anchor") return defaults.contains(name) && defaults.at(name) == value;
  const json::value* schedule = job.if_contains("schedule");
  return !schedule || !schedule->is_string() ||
         !std::string_view(schedule->get_string()).starts_with("@every");
}

// Takes what "$ref" names out of the API's document, and puts it below "$defs". Where the document
// lists an object's fields, there are no others.
void collect(json::value& schema, const json::object& schemas, json::object& defs) {
  if (schema.is_array())
    for (json::value& each : schema.get_array()) collect(each, schemas, defs);
  if (!schema.is_object()) return;
  static constexpr std::string_view place = "#/components/schemas/";
  if (schema.get_object().contains("properties") &&
      !schema.get_object().contains("additionalProperties"))
    schema.get_object()["additionalProperties"] = false;
  for (json::key_value_pair& pair : schema.get_object()) {
    if (!pair.value().is_string() ||
        !std::string_view(pair.value().get_string()).starts_with(place)) {
      collect(pair.value(), schemas, defs);
      continue;
    }
    const std::string name(std::string_view(pair.value().get_string()).substr(place.size()));
    pair.value() = "#/$defs/" + name;
    if (defs.contains(name)) continue;
    defs[name] = nullptr;  // it may name itself
    json::value named = schemas.at(name);
    collect(named, schemas, defs);
    defs[name] = std::move(named);
  }
}

}  // namespace

std::string job_yaml(const json::object& job) {
  // Of the default definition: the fields that each job has besides name, schedule and target.
  json::object defaults = core::write_manifest({});
  for (const char* own : {"name", "schedule", "target"}) defaults.erase(own);
  const json::object order = core::write_manifest({});
  std::string text = "---\nkind: job\n";
  for (const json::key_value_pair& field : order)
    if (job.contains(field.key()) && !is_implied(field.key(), job, defaults))
      write_member(text, field.key(), job.at(field.key()), 0);
  return text;
}

json::object job_schema() {
  const json::value document = json::parse(std::string(api::openapi_document()));
  const json::object& schemas = document.at("components").at("schemas").as_object();
  json::object defs;
  json::value job = schemas.at("JobInput");
  collect(job, schemas, defs);
  json::object whole{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                     {"title", "A job of Cronally, as `cronally apply` reads it"}};
  for (json::key_value_pair& pair : job.as_object()) whole[pair.key()] = std::move(pair.value());
  whole["properties"].as_object()["kind"] = {{"const", "job"}, {"description", "What this is."}};
  whole["required"].as_array().emplace_back("kind");
  whole["$defs"] = std::move(defs);
  return whole;
}

}  // namespace cronally::cli
