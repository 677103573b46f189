// Reading a job: one function for each part of it.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.h"
#include "core/manifest.h"
#include "core/manifest_section.h"
#include "core/manifest_target.h"

namespace cronally::core {
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::array<std::string_view, 14> job_fields{
    "name",   "description", "labels",  "schedule", "anchor",   "zone",   "dst",
    "target", "delivery",    "overlap", "retry",    "catch_up", "paused", "kind"};
constexpr std::array<std::string_view, 5> job_read_only{"id", "revision", "created_at",
                                                        "updated_at", "next_at"};
constexpr std::array<std::string_view, 4> retry_fields{"attempts", "backoff_min", "backoff_max",
                                                       "age_max"};
constexpr std::array<std::string_view, 3> catch_up_fields{"mode", "window", "limit"};

constexpr std::array<std::string_view, 2> dst_words{"run", "skip"};
constexpr std::array<std::string_view, 2> delivery_words{"at_least_once", "at_most_once"};
constexpr std::array<std::string_view, 3> catch_up_words{"latest", "all", "skip"};
constexpr std::array<std::string_view, 1> overlap_words{"allow"};
constexpr std::array<std::string_view, 3> overlap_later{"forbid", "queue", "replace"};

constexpr Duration horizon_max = std::chrono::days{18263};  // 50 years
constexpr Range<Duration> backoff_range{10ms, 24h};
constexpr Range<Duration> age_range{1s, 168h};     // a week
constexpr Range<Duration> window_range{1s, 720h};  // 30 days: what the ledger keeps

class JobReader {
 public:
  JobReader(const json::object& object, const ReadContext& context, std::string_view prefix)
      : context_(context), job_(object, std::string(prefix), faults_) {}

  Result<ReadJob> read() {
    job_.allow(job_fields, job_read_only);
    read_kind();
    read_name_field();
    read_description();
    read_labels();
    read_schedule();
    read_target();
    read_policies();
    definition().paused = job_.boolean("paused").value_or(false);
    if (faults_.empty()) return std::move(result_);
    const std::string count = std::to_string(faults_.size());
    return fail({"invalid_job",
                 faults_.size() == 1
                     ? "the job has a fault; correct it and send the job again"
                     : "the job has " + count + " faults; correct them and send the job again",
                 std::move(faults_)});
  }

 private:
  JobDefinition& definition() { return result_.definition; }

  // The files of `apply` say what each document is.
  void read_kind() {
    static constexpr std::array<std::string_view, 1> kinds{"job"};
    job_.choice("kind", kinds);
  }

  void read_name_field() {
    if (!job_.find("name")) return job_.fault("name", "is missing; each job has a name");
    const std::optional<std::string> text = job_.text("name");
    if (!text) return;
    Result<std::string> name = read_name(*text);
    if (!name) return job_.fault("name", name.error().message);
    definition().name = std::move(*name);
  }

  void read_description() {
    std::string text = job_.text("description").value_or("");
    if (text.size() > description_bytes_max)
      return job_.fault("description",
                        "must have at most " + std::to_string(description_bytes_max) + " bytes");
    if (text.contains('\0')) return job_.fault("description", "must not hold U+0000");
    definition().description = std::move(text);
  }

  void read_label(Section& section, std::string_view key, const json::value& value) {
    if (value.is_null()) return;
    if (!is_label_key(key))
      return section.fault(key, "a label's name has 1 to " + std::to_string(label_key_bytes_max) +
                                    " letters, digits and . _ - /, and starts and ends with a "
                                    "letter or digit");
    const std::optional<std::string> text = section.text(key);
    if (!text) return;
    if (text->size() > label_value_bytes_max || header_value_fault(*text))
      return section.fault(key, "a label's value has at most " +
                                    std::to_string(label_value_bytes_max) +
                                    " bytes and no control characters");
    definition().labels.emplace(key, *text);
  }

  static bool is_label_key(std::string_view key) {
    const auto alnum = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (key.empty() || key.size() > label_key_bytes_max) return false;
    if (!alnum(key.front()) || !alnum(key.back())) return false;
    return std::ranges::all_of(
        key, [&](char c) { return alnum(c) || std::string_view("._-/").contains(c); });
  }

  void read_labels() {
    const json::object* labels = job_.object("labels");
    if (!labels) return;
    if (labels->size() > labels_max)
      return job_.fault("labels", "must have at most " + std::to_string(labels_max) + " labels");
    Section section(*labels, job_.pointer_of("labels"), faults_);
    for (const json::key_value_pair& pair : *labels) read_label(section, pair.key(), pair.value());
  }

  cctz::time_zone read_zone() {
    definition().zone = job_.text("zone").value_or("UTC");
    const Result<cctz::time_zone> zone = context_.zone(definition().zone);
    if (zone) return *zone;
    if (zone.error().code == "tzdata_unreadable") throw Unavailable(zone.error().message);
    job_.fault("zone", zone.error().message);
    return cctz::utc_time_zone();
  }

  void read_schedule() {
    const std::optional<std::size_t> dst = job_.choice("dst", dst_words);
    if (dst) definition().dst = static_cast<cron::Dst>(*dst);
    const cctz::time_zone zone = read_zone();
    read_anchor();
    if (!job_.find("schedule"))
      return job_.fault("schedule", "is missing; give a cron expression, @every, @at or @never");
    const std::optional<std::string> text = job_.text("schedule");
    if (!text) return;
    definition().schedule = *text;
    const Result<cron::Schedule> schedule = cron::parse_schedule(
        *text, {zone, definition().dst, definition().name, definition().anchor});
    if (!schedule) return job_.fault("schedule", schedule.error().message);
    const auto* once = std::get_if<cron::Once>(&*schedule);
    const bool as_stored =
        context_.stored && context_.stored->definition.schedule == definition().schedule;
    if (once && once->at <= context_.now && !as_stored)
      job_.fault("schedule", "@at " + format_instant(once->at) + " is in the past; it is " +
                                 format_instant(context_.now) + " now: give a later instant");
    if (!as_stored) judge_horizon(*schedule);
    forget_repeated_anchor(as_stored);
  }

  // Nobody waits for it: a slip of the pen in a year.
  void judge_horizon(const cron::Schedule& schedule) {
    const auto first = cron::next(schedule, context_.now);
    if (first && *first - context_.now > horizon_max)
      job_.fault("schedule", "is first due at " + format_instant(*first) +
                                 ", more than 50 years ahead; give an earlier date");
  }

  void read_anchor() {
    const std::optional<std::string> text = job_.text("anchor");
    if (!text) return;
    const Result<Instant> anchor = parse_instant(*text);
    if (!anchor) return job_.fault("anchor", anchor.error().message);
    definition().anchor = *anchor;
  }

  // Who sends back what was shown has given no anchor.
  void forget_repeated_anchor(bool as_stored) {
    const Job* stored = context_.stored;
    if (as_stored && !stored->definition.anchor && definition().anchor == stored->anchor)
      definition().anchor.reset();
  }

  void read_target() {
    if (!job_.find("target"))
      return job_.fault("target", "is missing; give {\"type\": \"http\", \"url\": ...}");
    const json::object* object = job_.object("target");
    if (!object) return;
    const Target* stored = context_.stored ? &context_.stored->definition.target : nullptr;
    ReadTarget target =
        core::read_target(Section(*object, job_.pointer_of("target"), faults_), stored);
    definition().target = std::move(target.target);
    result_.secrets = std::move(target.secrets);
  }

  void read_policies() {
    const std::optional<std::size_t> delivery = job_.choice("delivery", delivery_words);
    if (delivery) definition().delivery = static_cast<DeliveryMode>(*delivery);
    job_.choice("overlap", overlap_words, overlap_later);
    static const json::object nothing;
    const json::object* given = job_.object("retry");
    Section retry(given ? *given : nothing, job_.pointer_of("retry"), faults_);
    read_retry(retry);
    if (const json::object* catch_up = job_.object("catch_up")) {
      Section section(*catch_up, job_.pointer_of("catch_up"), faults_);
      read_catch_up(section);
    }
  }

  void read_retry(Section& section) {
    section.allow(retry_fields);
    Retry& retry = definition().retry;
    const bool once_at_most = definition().delivery == DeliveryMode::at_most_once;
    const auto attempts = section.integer("attempts", {1, 185});
    if (once_at_most && attempts.value_or(1) != 1)
      section.fault("attempts",
                    "must be 1 with delivery at_most_once: such a request is never "
                    "repeated");
    retry.attempts = static_cast<std::int32_t>(attempts.value_or(once_at_most ? 1 : 5));
    const auto backoff_min = section.duration("backoff_min", backoff_range);
    const auto backoff_max = section.duration("backoff_max", backoff_range);
    retry.backoff_min = backoff_min.value_or(1s);
    retry.backoff_max = backoff_max.value_or(std::max<Duration>(5min, retry.backoff_min));
    if (retry.backoff_max < retry.backoff_min)
      section.fault("backoff_max", "must not be below backoff_min, which is " +
                                       format_duration(retry.backoff_min));
    retry.age_max = section.duration("age_max", age_range);
  }

  void read_catch_up(Section& section) {
    section.allow(catch_up_fields);
    CatchUp& catch_up = definition().catch_up;
    const std::optional<std::size_t> mode = section.choice("mode", catch_up_words);
    if (mode) catch_up.mode = static_cast<CatchUpMode>(*mode);
    catch_up.window = section.duration("window", window_range).value_or(1h);
    catch_up.limit = static_cast<std::int32_t>(section.integer("limit", {1, 10000}).value_or(1000));
  }

  const ReadContext& context_;
  Faults faults_;
  Section job_;
  ReadJob result_;
};

}  // namespace

Result<ReadJob> read_job(const json::object& object, const ReadContext& context,
                         std::string_view prefix) {
  return JobReader(object, context, prefix).read();
}

}  // namespace cronally::core
