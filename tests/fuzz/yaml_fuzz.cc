// Any bytes are YAML or are refused with a place for each fault; each fault and each pointer stands
// inside the file; what was read means the same when its JSON is read again; and a job that was
// read is planned as a creation, and, once it is stored and exported, as no change.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "cli/job_yaml.h"
#include "cli/plan.h"
#include "core/manifest.h"
#include "core/yaml_document.h"

using namespace cronally;
namespace json = boost::json;

namespace {

constexpr Instant now{std::chrono::seconds{1'800'000'000}};

Result<cctz::time_zone> zone_of(std::string_view name) {
  if (name != "UTC" && name != "Europe/Riga") return fail("invalid_zone", "is not a zone");
  cctz::time_zone zone;
  cctz::load_time_zone(std::string(name), &zone);
  return zone;
}

void check_place(core::YamlPlace place, int lines) {
  CHECK(place.line >= 1 && place.line <= lines && place.column >= 1, "a place outside the file");
}

// Every member and element has a place, in the same shape as the value.
void check_places(const json::value& value, const core::YamlPlaces& places, int lines) {
  check_place(places.place, lines);
  std::size_t number = 0;
  if (value.is_object())
    for (const json::key_value_pair& pair : value.get_object())
      check_places(pair.value(), places.below.at(number++), lines);
  if (value.is_array())
    for (const json::value& each : value.get_array())
      check_places(each, places.below.at(number++), lines);
  CHECK(number == places.below.size(), "there are more places than values");
}

bool has_fraction(const json::value& value) {
  if (value.is_double()) return true;
  if (value.is_array()) return std::ranges::any_of(value.get_array(), has_fraction);
  return value.is_object() && std::ranges::any_of(value.get_object(), [](const auto& pair) {
           return has_fraction(pair.value());
         });
}

// YAML's names have at most 1,024 characters (YAML 1.2.2 §7.4.2), JSON's have no limit.
bool has_long_name(const json::value& value) {
  if (value.is_array()) return std::ranges::any_of(value.get_array(), has_long_name);
  return value.is_object() && std::ranges::any_of(value.get_object(), [](const auto& pair) {
           return json::serialize(json::string(pair.key())).size() > 1000 ||
                  has_long_name(pair.value());
         });
}

// JSON's texts may hold characters as they are that YAML's may not: DEL, U+2028.
bool needs_escapes(std::string_view text) {
  while (!text.empty()) {
    if (core::yaml_escape(text)) return true;
    text.remove_prefix(utf8_length(text));
  }
  return false;
}

void check_reads_back(const json::value& value) {
  const std::string text = json::serialize(value);
  if (has_fraction(value) || has_long_name(value) || needs_escapes(text) || text == "null") return;
  if (text.size() > core::yaml_document_bytes_max) return;
  const core::YamlFile again = core::read_yaml(text);
  CHECK(again.faults.empty() && again.documents.size() == 1, "JSON is not read as YAML");
  CHECK(again.documents.front().value == value, "JSON means something else as YAML");
}

void check_job(const json::object& object) {
  const auto read = core::read_job(object, {zone_of, now, nullptr});
  if (!read) return;
  core::Job job;
  job.revision = 1;
  job.created_at = job.updated_at = now;
  job.anchor = read->definition.anchor.value_or(now);
  job.definition = read->definition;
  const json::object live = core::write_job(job, std::nullopt);
  const std::string exported = cli::job_yaml(live);
  if (exported.size() > core::yaml_document_bytes_max) return;
  const auto plan = cli::make_plan(cli::read_declarations({{"export", exported}}),
                                   {{job.definition.name, live}}, {zone_of, now});
  CHECK(plan.has_value(), "an export is refused");
  CHECK(!plan->changes(), "an export is a change");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const int lines = static_cast<int>(std::ranges::count(input, '\n')) +
                    static_cast<int>(std::ranges::count(input, '\r')) + 1;
  const core::YamlFile file = core::read_yaml(input);
  for (const core::YamlFault& fault : file.faults) {
    check_place(fault.place, lines + 1);
    CHECK(!fault.detail.empty(), "a fault says nothing");
  }
  for (const core::YamlDocument& document : file.documents) {
    check_places(document.value, document.places, lines + 1);
    check_reads_back(document.value);
    if (document.value.is_object()) check_job(document.value.get_object());
  }
  const auto plan =
      cli::make_plan(cli::read_declarations({{"input", std::string(input)}}), {}, {zone_of, now});
  if (plan) {
    CHECK(plan->jobs.size() == file.documents.size(), "a document is not in the plan");
  } else {
    CHECK(!plan.error().fields.empty(), "a refusal names no fault");
  }
  return 0;
}
