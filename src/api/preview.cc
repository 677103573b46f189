// POST /v2/schedules/preview: what a schedule would do, without a job.
#include <array>

#include "api/handlers.h"
#include "api/json_body.h"
#include "api/query.h"
#include "base/text.h"
#include "core/manifest_section.h"
#include "cron/describe.h"

namespace cronally::api {
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t count_default = 10;
constexpr std::int64_t count_max = 1000;
constexpr Duration dst_horizon = std::chrono::days{366};
constexpr std::array<std::string_view, 2> dst_words{"run", "skip"};

struct Preview {
  std::string text;
  std::string zone_name = "UTC";
  cctz::time_zone zone;
  cron::Dst dst = cron::Dst::run;
  std::string name;
  std::optional<Instant> anchor;
  Instant from;
  std::int64_t count = count_default;
};

std::optional<Instant> read_instant(core::Section& section, std::string_view name) {
  const std::optional<std::string> text = section.text(name);
  if (!text) return std::nullopt;
  const Result<Instant> at = parse_instant(*text);
  if (at) return *at;
  section.fault(name, at.error().message);
  return std::nullopt;
}

void read_zone(core::Section& section, Shared& shared, Preview& preview) {
  preview.zone_name = section.text("zone").value_or("UTC");
  const Result<cctz::time_zone> zone = shared.deps.zones.load(preview.zone_name);
  if (zone)
    preview.zone = *zone;
  else
    section.fault("zone", zone.error().message);
}

Result<cron::Schedule> compile(const Preview& preview, cron::Dst dst) {
  return cron::parse_schedule(preview.text, {preview.zone, dst, preview.name, preview.anchor});
}

Result<Preview> read_preview(Call& call, const json::object& body) {
  static constexpr std::array<std::string_view, 7> fields{"schedule", "zone", "dst",  "name",
                                                          "anchor",   "from", "count"};
  core::Faults faults;
  core::Section section(body, "", faults);
  section.allow(fields);
  Preview preview;
  read_zone(section, call.shared, preview);
  if (const auto dst = section.choice("dst", dst_words)) preview.dst = static_cast<cron::Dst>(*dst);
  preview.name = section.text("name").value_or("");
  preview.anchor = read_instant(section, "anchor");
  preview.from = read_instant(section, "from").value_or(call.now());
  preview.count = section.integer("count", {1, count_max}).value_or(count_default);
  preview.text = section.text("schedule").value_or("");
  if (!section.find("schedule"))
    section.fault("schedule", "is missing; give a cron expression, @every, @at or @never");
  else if (const auto schedule = compile(preview, preview.dst);
           !schedule && section.find("schedule")->is_string())
    section.fault("schedule", schedule.error().message);
  if (faults.empty()) return preview;
  return fail({"invalid_schedule", "the schedule cannot be shown; correct what is at fault",
               std::move(faults)});
}

std::string local_text(Instant at, const cctz::time_zone& zone) {
  return cctz::format("%Y-%m-%dT%H:%M:%E*S%Ez", at, zone);
}

std::string civil_text(const cctz::civil_second& civil) {
  const cctz::time_zone utc = cctz::utc_time_zone();
  return cctz::format("%Y-%m-%dT%H:%M:%S", cctz::convert(civil, utc), utc);
}

json::array instants_of(const Preview& preview, const cron::Schedule& schedule) {
  json::array items;
  // An occurrence at `from` itself is shown.
  std::optional<Instant> at = preview.from - 1us;
  while (static_cast<std::int64_t>(items.size()) < preview.count) {
    at = cron::next(schedule, *at);
    if (!at) break;
    items.push_back({{"at", format_instant(*at)}, {"local", local_text(*at, preview.zone)}});
  }
  return items;
}

// What a change of the zone's clock at `at`, by `shift`, does to the schedule; "" for nothing.
std::string dst_effect(const Preview& preview, Instant at, Duration shift) {
  const cron::Schedule run = *compile(preview, cron::Dst::run);
  if (shift > 0s) {
    const Result<cron::Schedule> skip = compile(preview, cron::Dst::skip);
    const bool moved =
        cron::next(run, at - 1us) == at && (!skip || cron::next(*skip, at - 1us) != at);
    if (!moved) return {};
    return preview.dst == cron::Dst::run
               ? "a local time that does not exist on this day is run at " +
                     local_text(at, preview.zone)
               : "a local time that does not exist on this day is skipped";
  }
  constexpr std::int64_t enough = 10000;
  const std::int64_t first = cron::count(run, at + shift - 1us, at - 1us, enough);
  const std::int64_t second = cron::count(run, at - 1us, at - shift - 1us, enough);
  if (first == 0 && second == 0) return {};
  return second == 0 ? "local times that come twice are run once, at the first"
                     : "local times that come twice are run both times";
}

json::array dst_changes(const Preview& preview, const cron::Schedule& schedule) {
  json::array changes;
  if (!std::holds_alternative<cron::Calendar>(schedule)) return changes;
  auto at = std::chrono::floor<std::chrono::seconds>(preview.from);
  cctz::time_zone::civil_transition change;
  while (preview.zone.next_transition(at, &change)) {
    at = preview.zone.lookup(change.to).trans;
    if (at > preview.from + dst_horizon) break;
    const std::string effect =
        dst_effect(preview, at, std::chrono::seconds{change.to - change.from});
    if (effect.empty()) continue;
    changes.push_back({{"at", format_instant(at)},
                       {"clock_from", civil_text(change.from)},
                       {"clock_to", civil_text(change.to)},
                       {"effect", effect}});
  }
  return changes;
}

}  // namespace

Answer preview_schedule(Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  const Result<json::object> body = read_body(call.request);
  if (!body) return fail(body.error());
  const Result<Preview> preview = read_preview(call, *body);
  if (!preview) return fail(preview.error());
  const cron::Schedule schedule = *compile(*preview, preview->dst);
  return json_response(200, json::object{{"schedule", preview->text},
                                         {"zone", preview->zone_name},
                                         {"description", cron::describe(schedule)},
                                         {"items", instants_of(*preview, schedule)},
                                         {"dst_changes", dst_changes(*preview, schedule)}});
}

}  // namespace cronally::api
