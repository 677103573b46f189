#include "cli/plan.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "cli/views.h"
#include "cron/schedule.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

constexpr std::size_t faults_shown = 100;

// What the server sets, and a manifest leaves out.
constexpr std::array<std::string_view, 5> server_fields{"id", "revision", "created_at",
                                                        "updated_at", "next_at"};

// Stands for a secret where a stored job is read: long enough for every kind of secret.
constexpr std::string_view stored_secret = "a-secret-that-is-stored";

bool is_mask(const json::value& value) {
  return value.is_string() && value.get_string() == core::secret_mask;
}

void unmask(json::value& value) {
  if (is_mask(value)) value = stored_secret;
  if (value.is_object())
    for (json::key_value_pair& pair : value.get_object()) unmask(pair.value());
}

std::int64_t revision_of(const json::object& answer) {
  return static_cast<std::int64_t>(number_at(answer, "revision").value_or(0));
}

struct StoredJob {
  core::Job job;
  json::object manifest;  // as answered, without what the server sets
};

// A job that the API answered, as a value. Its own schedule is "stored": an @at that has passed
// is no fault of it.
Result<StoredJob> read_stored(const json::object& answer, const PlanContext& context) {
  StoredJob stored;
  stored.manifest = answer;
  for (const std::string_view field : server_fields) stored.manifest.erase(field);
  json::object plain = stored.manifest;
  if (json::value* target = plain.if_contains("target")) unmask(*target);
  core::Job shell;
  shell.definition.schedule = text_at(answer, "schedule");
  shell.anchor = parse_instant(text_at(answer, "anchor")).value_or(Instant{});
  Result<core::ReadJob> read = core::read_job(plain, {context.zone, context.now, &shell});
  if (!read) return fail(std::move(read.error()));
  stored.job = std::move(shell);
  stored.job.definition = std::move(read->definition);
  return stored;
}

// The members of both sides, in the order of `after`, then what only `before` has.
std::vector<std::string> keys_of(const json::object& before, const json::object& after) {
  std::vector<std::string> keys;
  for (const json::key_value_pair& pair : after) keys.emplace_back(pair.key());
  for (const json::key_value_pair& pair : before)
    if (!after.contains(pair.key())) keys.emplace_back(pair.key());
  return keys;
}

void compare(const json::object& before, const json::object& after, const std::string& prefix,
             std::vector<FieldChange>& changes) {
  static const json::object nothing;
  for (const std::string& key : keys_of(before, after)) {
    const json::value* was = before.if_contains(key);
    const json::value* is = after.if_contains(key);
    const bool deep = (!was || was->is_object()) && (!is || is->is_object());
    if (deep) {
      compare(was ? was->get_object() : nothing, is ? is->get_object() : nothing,
              prefix + key + ".", changes);
    } else if (!was || !is || *was != *is) {
      changes.push_back({prefix + key, was ? *was : json::value(), is ? *is : json::value()});
    }
  }
}

Fires fires_of(const core::JobDefinition& definition, Instant anchor, const PlanContext& context) {
  Fires fires{definition.zone, definition.paused, {}};
  if (definition.paused) return fires;
  const Result<cctz::time_zone> zone = context.zone(definition.zone);
  if (!zone) return fires;
  const Result<cron::Schedule> schedule =
      cron::parse_schedule(definition.schedule, {*zone, definition.dst, definition.name, anchor});
  if (!schedule) return fires;
  std::optional<Instant> at = context.now;
  while (fires.at.size() < fires_shown && (at = cron::next(*schedule, *at)))
    fires.at.push_back(*at);
  return fires;
}

// The secrets of a document: pointers where the read definition shows a mask. Whatever type of
// target it is, they stand where they were written.
void find_secrets(const json::value& shown, const json::value& written, const std::string& pointer,
                  std::vector<std::string>& found) {
  if (is_mask(shown) && written.is_string() && !is_mask(written)) found.push_back(pointer);
  if (!shown.is_object() || !written.is_object()) return;
  for (const json::key_value_pair& pair : shown.get_object())
    if (const json::value* below = written.get_object().if_contains(pair.key()))
      find_secrets(pair.value(), *below, pointer + "/" + core::pointer_token(pair.key()), found);
}

// "NAME" of "${env:NAME}".
std::optional<std::string> variable_of(std::string_view text) {
  constexpr std::string_view open = "${env:";
  if (!text.starts_with(open) || !text.ends_with('}')) return std::nullopt;
  return std::string(text.substr(open.size(), text.size() - open.size() - 1));
}

std::string field_of(std::string_view pointer) {
  std::string field(pointer.substr(1));
  std::ranges::replace(field, '/', '.');
  return field;
}

class Planner {
 public:
  Planner(const StoredJobs& stored, const PlanContext& context)
      : stored_(stored), context_(context) {}

  void add(const DeclaredJob& declared) {
    json::object item = declared.object();
    item.erase("kind");
    if (!mark(declared, item)) return;
    const auto found = declared.name.empty() ? stored_.end() : stored_.find(declared.name);
    std::optional<StoredJob> stored;
    if (found != stored_.end()) {
      Result<StoredJob> read = read_stored(found->second, context_);
      if (!read) return foreign(declared, read.error());
      stored = std::move(*read);
    }
    std::optional<core::ReadJob> read = read_item(declared, item, stored);
    if (!read) return;
    const json::object manifest = core::write_manifest(read->definition);
    std::vector<std::string> secrets;
    find_secrets(manifest, item, "", secrets);
    if (resolve(declared, item, secrets) && !(read = read_item(declared, item, stored))) return;
    PlannedJob job{.step = Step::create, .name = read->definition.name, .item = std::move(item)};
    for (const std::string& pointer : secrets) job.secrets.push_back(field_of(pointer));
    if (stored)
      judge(job, *stored, manifest, found->second);
    else
      job.shown = manifest;
    show_fires(job, stored, read->definition);
    declared_.insert(job.name);
    plan_.jobs.push_back(std::move(job));
  }

  void prune() {
    for (const auto& [name, answer] : stored_)
      if (!declared_.contains(name) && carries(answer)) remove(name, answer);
  }

  std::vector<FieldError>& faults() { return faults_; }
  Plan take() { return std::move(plan_); }

 private:
  // Puts the selector's labels on the job, unless it says otherwise of one.
  bool mark(const DeclaredJob& declared, json::object& item) {
    if (context_.selector.empty()) return true;
    json::value& labels = item["labels"];
    if (labels.is_null()) labels = json::object();
    if (!labels.is_object()) return true;  // the reader says what is wrong
    for (const auto& [key, value] : context_.selector) {
      json::value& own = labels.get_object()[key];
      if (own.is_null()) own = value;
      if (own.is_string() && own.get_string() == std::string_view(value)) continue;
      faults_.push_back(declared.fault("/labels/" + core::pointer_token(key),
                                       "is not what --selector says, " + quote(value)));
      return false;
    }
    return true;
  }

  std::optional<core::ReadJob> read_item(const DeclaredJob& declared, const json::object& item,
                                         const std::optional<StoredJob>& stored) {
    Result<core::ReadJob> read =
        core::read_job(item, {context_.zone, context_.now, stored ? &stored->job : nullptr});
    if (read) return std::move(*read);
    for (FieldError& field : read.error().fields)
      faults_.push_back(declared.fault(field.pointer, std::move(field.detail)));
    return std::nullopt;
  }

  void foreign(const DeclaredJob& declared, const Error& error) {
    std::string detail = "the live job of this name cannot be read";
    if (!error.fields.empty())
      detail += " (" + error.fields.front().pointer + " " + error.fields.front().detail + ")";
    faults_.push_back(
        declared.fault("/name", detail + "; use the cronally of the server's version"));
  }

  // Puts the environment's values in; whether there were any.
  bool resolve(const DeclaredJob& declared, json::object& item,
               const std::vector<std::string>& secrets) {
    bool any = false;
    if (!context_.env) return any;
    json::value whole = std::move(item);
    for (const std::string& pointer : secrets) {
      boost::system::error_code missing;
      json::value* written = whole.find_pointer(pointer, missing);
      const auto variable = variable_of(written->get_string());
      if (!variable) continue;
      any = true;
      if (const auto value = context_.env(*variable); value && !value->empty())
        *written = *value;
      else
        faults_.push_back(declared.fault(
            pointer, "the environment variable " + quote(*variable) + " is not set; set it"));
    }
    item = std::move(whole.get_object());
    return any;
  }

  void judge(PlannedJob& job, const StoredJob& stored, json::object manifest,
             const json::object& answer) {
    job.id = text_at(answer, "id");
    job.revision = revision_of(answer);
    // Without an anchor the grid stays as it is, unless the schedule is another.
    json::value& anchor = manifest["anchor"];
    const json::value* stored_anchor = stored.manifest.if_contains("anchor");
    if (anchor.is_null() && stored_anchor) {
      anchor = *stored_anchor;
      if (text_at(manifest, "schedule") == text_at(stored.manifest, "schedule"))
        job.item["anchor"] = *stored_anchor;
    }
    compare(stored.manifest, manifest, "", job.fields);
    job.step = !job.fields.empty()    ? Step::change
               : !job.secrets.empty() ? Step::secret
                                      : Step::unchanged;
    if (job.step == Step::unchanged) job.item.clear();
  }

  void show_fires(PlannedJob& job, const std::optional<StoredJob>& stored,
                  const core::JobDefinition& definition) {
    if (job.step == Step::unchanged || job.step == Step::secret) return;
    const bool same_grid = stored && stored->job.definition.schedule == definition.schedule;
    const Instant now = std::chrono::floor<std::chrono::milliseconds>(context_.now);
    Fires after = fires_of(
        definition, definition.anchor.value_or(same_grid ? stored->job.anchor : now), context_);
    if (!after.at.empty() && after.at.front() <= context_.now + soon_max)
      plan_.soon.push_back(job.name);
    std::optional<Fires> before;
    if (stored) before = fires_of(stored->job.definition, stored->job.anchor, context_);
    if (before == after) return;
    job.fires_before = std::move(before);
    job.fires_after = std::move(after);
  }

  bool carries(const json::object& answer) const {
    const json::value* labels = answer.if_contains("labels");
    return !context_.selector.empty() && labels && labels->is_object() &&
           std::ranges::all_of(context_.selector, [&](const auto& pair) {
             const json::value* own = labels->get_object().if_contains(pair.first);
             return own && own->is_string() && std::string_view(own->get_string()) == pair.second;
           });
  }

  void remove(const std::string& name, const json::object& answer) {
    PlannedJob job{.step = Step::remove, .name = name, .id = text_at(answer, "id")};
    job.revision = revision_of(answer);
    if (const Result<StoredJob> stored = read_stored(answer, context_))
      job.fires_before = fires_of(stored->job.definition, stored->job.anchor, context_);
    plan_.jobs.push_back(std::move(job));
  }

  const StoredJobs& stored_;
  const PlanContext& context_;
  Plan plan_;
  std::set<std::string, std::less<>> declared_;
  std::vector<FieldError> faults_;
};

}  // namespace

std::string_view text_of(Step step) {
  switch (step) {
    case Step::create: return "create";
    case Step::change: return "change";
    case Step::secret: return "secret";
    case Step::unchanged: return "unchanged";
    case Step::remove: return "remove";
  }
  return {};
}

std::size_t Plan::count(Step step) const {
  return static_cast<std::size_t>(std::ranges::count(jobs, step, &PlannedJob::step));
}

bool Plan::changes() const {
  return count(Step::create) + count(Step::change) + count(Step::remove) > 0;
}

Problem faulty_files(std::vector<FieldError> faults) {
  const std::size_t count = faults.size();
  Problem problem{ExitCode::usage, "invalid_files",
                  count == 1
                      ? "the files have a fault; nothing was written"
                      : "the files have " + std::to_string(count) + " faults; nothing was written",
                  std::move(faults), "correct the lines above."};
  if (count <= faults_shown) return problem;
  problem.fields.resize(faults_shown);
  problem.fields.push_back({"", "and " + std::to_string(count - faults_shown) + " more"});
  return problem;
}

Outcome<Plan> make_plan(const Declarations& declared, const StoredJobs& stored,
                        const PlanContext& context) {
  Planner planner(stored, context);
  for (const DeclaredJob& job : declared.jobs) planner.add(job);
  std::vector<FieldError> faults = declared.faults;
  std::ranges::move(planner.faults(), std::back_inserter(faults));
  if (!faults.empty()) return std::unexpected(faulty_files(std::move(faults)));
  if (context.prune) planner.prune();
  return planner.take();
}

}  // namespace cronally::cli
