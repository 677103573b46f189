// Any bytes are JSON or are refused; any JSON is a job or is refused with a pointer to each fault;
// and a job that was taken means the same when what is shown of it is sent back, alone or as a
// merge patch, of which twice is as good as once. Input: a job, a NUL, a patch.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/json_body.h"
#include "base/check.h"
#include "core/definition_json.h"
#include "core/manifest.h"
#include "core/run.h"

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

// The one kind of value that may not read back to the last bit, and that no field takes.
bool has_fraction(const json::value& value) {
  if (value.is_double()) return true;
  if (value.is_array()) return std::ranges::any_of(value.get_array(), has_fraction);
  return value.is_object() && std::ranges::any_of(value.get_object(), [](const auto& pair) {
           return has_fraction(pair.value());
         });
}

void check_faults(const Error& error) {
  CHECK(!error.fields.empty() && !error.message.empty(), "a refusal names no fault");
  for (const FieldError& field : error.fields) {
    CHECK(field.pointer.starts_with('/') && !field.detail.empty(), "a fault has no place");
  }
}

core::Job stored_as(core::JobDefinition definition) {
  core::Job job;
  job.revision = 1;
  job.created_at = job.updated_at = job.anchor = now;
  if (definition.anchor) job.anchor = *definition.anchor;
  job.definition = std::move(definition);
  return job;
}

void check_same_when_sent_back(const core::Job& job) {
  json::object shown = core::write_job(job, core::next_of(job, zone_of, now));
  for (const char* field : {"id", "revision", "created_at", "updated_at", "next_at"}) {
    CHECK(shown.erase(field) == 1, "what the server sets is missing");
  }
  const core::ReadContext context{zone_of, now, &job};
  const auto again = core::read_job(shown, context);
  CHECK(again && again->definition == job.definition, "what is shown does not read back");
  const auto unpatched = core::read_job(core::patch_job(job.definition, {}), context);
  CHECK(unpatched && unpatched->definition == job.definition, "an empty patch changes the job");
  const std::string kept = core::write_definition(job.definition);
  CHECK(core::read_definition(kept) == job.definition, "what is stored does not read back");
}

void check_merge(const json::object& target, const json::object& patch) {
  json::object once = target;
  core::merge_patch(once, patch);
  json::object twice = once;
  core::merge_patch(twice, patch);
  CHECK(once == twice, "a patch laid on twice is not the patch");
  json::object none = target;
  core::merge_patch(none, {});
  CHECK(none == target, "an empty patch changes something");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::size_t end = std::min(input.find('\0'), input.size());
  const auto object = api::parse_object(input.substr(0, end));
  if (!object) {
    CHECK(object.error().code == "invalid_json", "JSON is refused as JSON");
    return 0;
  }
  CHECK(has_fraction(*object) || api::parse_object(json::serialize(*object)) == *object,
        "JSON does not read back");
  const auto job = core::read_job(*object, {zone_of, now, nullptr});
  if (!job) check_faults(job.error());
  const auto patch = api::parse_object(input.substr(std::min(end + 1, input.size())));
  if (patch) check_merge(*object, *patch);
  if (!job) return 0;
  const core::Job stored = stored_as(job->definition);
  check_same_when_sent_back(stored);
  if (!patch) return 0;
  const auto changed = core::read_job(core::patch_job(stored.definition, *patch),
                                      {zone_of, now, &stored}, "/items/3");
  if (!changed) return check_faults(changed.error()), 0;
  check_same_when_sent_back(stored_as(changed->definition));
  return 0;
}
