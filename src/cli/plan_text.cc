#include "cli/plan_text.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/table.h"
#include "cli/when.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

constexpr std::size_t value_columns = 100;
constexpr std::size_t names_shown = 5;

// A value on one line; a text without quotes where that leaves no doubt.
std::string value_text(const json::value& value) {
  if (value.is_null()) return "(none)";
  if (!value.is_string()) return first_line(json::serialize(value), value_columns);
  const std::string_view text(value.get_string());
  const bool plain =
      !text.empty() && text.front() != ' ' && text.back() != ' ' && !text.contains('\n');
  return first_line(plain ? std::string(text) : json::serialize(value), value_columns);
}

std::string instant_text(Instant at, const std::string& zone_name, const PlanView& view) {
  if (zone_name == "UTC") return format_instant(at);
  const Result<cctz::time_zone> zone = view.zone(zone_name);
  return zone ? format_local(at, *zone) : format_instant(at);
}

std::string fires_text(const Fires& fires, const PlanView& view) {
  if (fires.paused) return "none, it is paused";
  if (fires.at.empty()) return "none";
  std::string text;
  for (const Instant at : fires.at)
    text += (text.empty() ? "" : ", ") + instant_text(at, fires.zone, view);
  return fires.zone == "UTC" ? text : text + " (" + printable(fires.zone) + ")";
}

std::string fires_lines(const PlannedJob& job, const std::string& prefix, const PlanView& view) {
  const bool alone = job.step == Step::create;
  std::string text;
  if (job.fires_before)
    text += prefix + "fires before: " + fires_text(*job.fires_before, view) + "\n";
  if (job.fires_after)
    text +=
        prefix + (alone ? "fires: " : "fires after:  ") + fires_text(*job.fires_after, view) + "\n";
  return text;
}

std::string heading(const PlannedJob& job, const PlanView& view) {
  const std::string name = " " + printable(job.name) + "\n";
  switch (job.step) {
    case Step::create: return paint("+ create", Colour::green, view.colour) + name;
    case Step::change: return paint("~ change", Colour::yellow, view.colour) + name;
    case Step::secret: return paint("? secret", Colour::yellow, view.colour) + name;
    case Step::remove: return paint("- remove", Colour::red, view.colour) + name;
    case Step::unchanged: return {};
  }
  return {};
}

std::string members(const json::object& object, const std::string& prefix);

std::string member(const std::string& name, const json::value& value) {
  if (value.is_object()) return members(value.get_object(), name + ".");
  return "+" + printable(name) + ": " + value_text(value) + "\n";
}

// The fields of a job that is to be created; secrets stay hidden.
std::string members(const json::object& object, const std::string& prefix) {
  std::string text;
  for (const json::key_value_pair& pair : object)
    text += member(prefix + std::string(pair.key()), pair.value());
  return text;
}

json::value fires_json(const std::optional<Fires>& fires) {
  if (!fires) return nullptr;
  json::array at;
  for (const Instant each : fires->at) at.emplace_back(format_instant(each));
  return at;
}

json::object job_json(const PlannedJob& job) {
  json::array fields;
  for (const FieldChange& change : job.fields)
    fields.push_back({{"field", change.field}, {"before", change.before}, {"after", change.after}});
  return {{"action", text_of(job.step)},
          {"name", job.name},
          {"fields", std::move(fields)},
          {"secrets", json::array(job.secrets.begin(), job.secrets.end())},
          {"fires_before", fires_json(job.fires_before)},
          {"fires_after", fires_json(job.fires_after)}};
}

std::string soon_text(const std::vector<std::string>& names) {
  std::string text = "Within " + format_duration(soon_max) + " of it are due:";
  for (std::size_t i = 0; i < std::min(names.size(), names_shown); ++i)
    text += (i == 0 ? " " : ", ") + printable(names[i]);
  if (names.size() > names_shown)
    text += " and " + std::to_string(names.size() - names_shown) + " more";
  return text + ".\n";
}

}  // namespace

std::string plan_text(const Plan& plan, const PlanView& view) {
  std::string text;
  for (const PlannedJob& job : plan.jobs) {
    if (job.step == Step::unchanged) continue;
    text += heading(job, view);
    for (const FieldChange& change : job.fields)
      text += "    " + printable(change.field) + ": " + value_text(change.before) + " -> " +
              value_text(change.after) + "\n";
    for (const std::string& secret : job.secrets)
      if (job.step != Step::create)
        text += "    " + printable(secret) +
                ": *** (given; whether it differs only the server knows)\n";
    text += fires_lines(job, "    ", view);
  }
  return text;
}

std::string diff_text(const Plan& plan, const PlanView& view) {
  const auto red = [&](const std::string& line) { return paint(line, Colour::red, view.colour); };
  const auto green = [&](const std::string& line) {
    return paint(line, Colour::green, view.colour);
  };
  std::string text;
  for (const PlannedJob& job : plan.jobs) {
    if (job.step == Step::unchanged) continue;
    const std::string name = printable(job.name);
    text += job.step == Step::create ? "--- /dev/null\n" : "--- " + name + " (live)\n";
    text += job.step == Step::remove ? "+++ /dev/null\n" : "+++ " + name + " (files)\n";
    if (job.step == Step::create) text += members(job.shown, "");
    if (job.step == Step::remove) text += red("-" + name) + "\n";
    for (const FieldChange& change : job.fields) {
      const std::string field = printable(change.field) + ": ";
      if (!change.before.is_null()) text += red("-" + field + value_text(change.before)) + "\n";
      if (!change.after.is_null()) text += green("+" + field + value_text(change.after)) + "\n";
    }
    for (const std::string& secret : job.secrets)
      if (job.step != Step::create) text += "?" + printable(secret) + ": *** (given)\n";
    text += fires_lines(job, "# ", view);
  }
  return text;
}

std::string summary_text(const Plan& plan) {
  const std::size_t secret = plan.count(Step::secret);
  std::string text = std::to_string(plan.count(Step::create)) + " to create, " +
                     std::to_string(plan.count(Step::change)) + " to change, " +
                     std::to_string(plan.count(Step::remove)) + " to remove, " +
                     std::to_string(plan.count(Step::unchanged)) + " unchanged";
  if (secret > 0) text += ", " + std::to_string(secret) + " with secrets to compare";
  return text + "\n" + starts_text(plan);
}

std::string starts_text(const Plan& plan) {
  const std::string text = "Applying starts nothing now.\n";
  return plan.soon.empty() ? text : text + soon_text(plan.soon);
}

json::object plan_json(const Plan& plan) {
  json::array items;
  for (const PlannedJob& job : plan.jobs)
    if (job.step != Step::unchanged) items.push_back(job_json(job));
  json::object summary;
  for (const Step step : {Step::create, Step::change, Step::secret, Step::remove, Step::unchanged})
    summary[text_of(step)] = plan.count(step);
  return {{"items", std::move(items)},
          {"summary", std::move(summary)},
          {"starts_now", json::array()},
          {"due_soon", json::array(plan.soon.begin(), plan.soon.end())}};
}

}  // namespace cronally::cli
