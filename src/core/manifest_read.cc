// Reading a job: one function for each part of it.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.h"
#include "core/manifest.h"
#include "core/manifest_section.h"
#include "core/template.h"

namespace cronally::core {
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::array<std::string_view, 14> job_fields{
    "name",   "description", "labels",  "schedule", "anchor",   "zone",   "dst",
    "target", "delivery",    "overlap", "retry",    "catch_up", "paused", "kind"};
constexpr std::array<std::string_view, 5> job_read_only{"id", "revision", "created_at",
                                                        "updated_at", "next_at"};
constexpr std::array<std::string_view, 7> target_fields{
    "type", "url", "method", "headers", "secret_headers", "body", "timeout"};
constexpr std::array<std::string_view, 4> retry_fields{"attempts", "backoff_min", "backoff_max",
                                                       "age_max"};
constexpr std::array<std::string_view, 3> catch_up_fields{"mode", "window", "limit"};

constexpr std::array<std::string_view, 2> dst_words{"run", "skip"};
constexpr std::array<std::string_view, 2> delivery_words{"at_least_once", "at_most_once"};
constexpr std::array<std::string_view, 3> catch_up_words{"latest", "all", "skip"};
constexpr std::array<std::string_view, 1> overlap_words{"allow"};
constexpr std::array<std::string_view, 3> overlap_later{"forbid", "queue", "replace"};
constexpr std::array<std::string_view, 1> target_words{"http"};
constexpr std::array<std::string_view, 6> target_later{"sns",    "sqs",         "ecs",
                                                       "lambda", "eventbridge", "exec"};

constexpr Duration horizon_max = std::chrono::days{18263};  // 50 years
constexpr Range<Duration> timeout_range{1s, 900s};
constexpr Range<Duration> backoff_range{10ms, 24h};
constexpr Range<Duration> age_range{1s, 168h};     // a week
constexpr Range<Duration> window_range{1s, 720h};  // 30 days: what the ledger keeps

// A choice of which some words belong to a later version, and say so.
std::optional<std::size_t> choice_of(Section& section, std::string_view name, Words words,
                                     Words later) {
  const json::value* value = section.find(name);
  if (value && value->is_string())
    for (const std::string_view word : later)
      if (std::string_view(value->get_string()) == word) {
        section.fault(name, quote(word) + " comes with a later version; for now only " +
                                list_words(words) + " is there");
        return std::nullopt;
      }
  return section.choice(name, words);
}

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
    Section target(*object, job_.pointer_of("target"), faults_);
    // Of another type nothing else can be judged.
    if (target.find("type") && !choice_of(target, "type", target_words, target_later)) return;
    target.allow(target_fields);
    read_url(target);
    read_method(target);
    read_headers(target);
    read_secret_headers(target);
    read_body(target);
    definition().target.timeout = target.duration("timeout", timeout_range).value_or(30s);
  }

  void read_url(Section& target) {
    if (!target.find("url")) return target.fault("url", "is missing; give an http or https URL");
    const std::optional<std::string> url = target.text("url");
    if (!url) return;
    if (auto fault = url_fault(*url)) return target.fault("url", std::move(*fault));
    definition().target.url = *url;
  }

  void read_method(Section& target) {
    const std::string method = target.text("method").value_or("POST");
    const bool upper = method.size() <= 32 && !method.empty() &&
                       std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!upper)
      return target.fault("method",
                          "must be an HTTP method in capital letters, such as POST or GET");
    if (method == "CONNECT" || method == "TRACE")
      return target.fault("method", method + " delivers nothing; use POST, PUT, GET or another");
    definition().target.method = method;
  }

  // Notes a name that is no header's, is reserved, or stands there twice.
  bool judge_header_name(Section& section, std::string_view name) {
    if (auto fault = header_name_fault(name)) {
      section.fault(name, std::move(*fault));
      return false;
    }
    std::string low(name);
    for (char& c : low)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (std::ranges::find(header_names_, low) == header_names_.end()) {
      header_names_.push_back(std::move(low));
      return true;
    }
    section.fault(name,
                  "stands there twice; headers compare without case, and one name is either "
                  "plain or secret");
    return false;
  }

  bool judge_header_value(Section& section, std::string_view name, std::string_view value) {
    std::optional<std::string> fault = header_value_fault(value);
    if (!fault)
      if (const Result<void> known = check_placeholders(value); !known)
        fault = known.error().message;
    if (fault) section.fault(name, std::move(*fault));
    return !fault;
  }

  bool judge_header_count(Section& target, std::string_view name, const json::object& headers) {
    if (headers.size() + definition().target.headers.size() <= headers_max) return true;
    target.fault(name, "must have at most " + std::to_string(headers_max) +
                           " headers, plain and secret together");
    return false;
  }

  void read_headers(Section& target) {
    const json::object* headers = target.object("headers");
    if (!headers || !judge_header_count(target, "headers", *headers)) return;
    Section section(*headers, target.pointer_of("headers"), faults_);
    for (const json::key_value_pair& pair : *headers) {
      if (pair.value().is_null() || !judge_header_name(section, pair.key())) continue;
      const std::optional<std::string> value = section.text(pair.key());
      if (value && judge_header_value(section, pair.key(), *value))
        definition().target.headers.push_back({pair.key(), *value});
    }
  }

  const SecretHeader* stored_secret(std::string_view name) const {
    if (!context_.stored) return nullptr;
    for (const SecretHeader& header : context_.stored->definition.target.secret_headers)
      if (std::ranges::equal(header.name, name, [](char a, char b) {
            const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
            return low(a) == low(b);
          }))
        return &header;
    return nullptr;
  }

  void read_secret_headers(Section& target) {
    const json::object* headers = target.object("secret_headers");
    if (!headers || !judge_header_count(target, "secret_headers", *headers)) return;
    Section section(*headers, target.pointer_of("secret_headers"), faults_);
    for (const json::key_value_pair& pair : *headers) {
      if (pair.value().is_null() || !judge_header_name(section, pair.key())) continue;
      const std::optional<std::string> value = section.text(pair.key());
      if (value) read_secret_header(section, pair.key(), *value);
    }
  }

  void read_secret_header(Section& section, std::string_view name, const std::string& value) {
    std::vector<SecretHeader>& into = definition().target.secret_headers;
    if (value != secret_mask) {
      // A secret is sent as it is: braces in it are no placeholders.
      if (auto fault = header_value_fault(value)) return section.fault(name, std::move(*fault));
      into.push_back({std::string(name), {}});
      result_.secrets.push_back({std::string(name), SecretText(value)});
      return;
    }
    const SecretHeader* stored = stored_secret(name);
    if (!stored)
      return section.fault(name, "is *** (unchanged), but nothing is stored; give the value");
    into.push_back({std::string(name), stored->secret});
  }

  void read_body(Section& target) {
    std::optional<std::string> body = target.text("body");
    if (!body) return;
    if (body->size() > body_bytes_max)
      return target.fault("body", "must have at most " + std::to_string(body_bytes_max) + " bytes");
    if (body->contains('\0')) return target.fault("body", "must not hold U+0000");
    if (const Result<void> known = check_placeholders(*body); !known)
      return target.fault("body", known.error().message);
    definition().target.body = std::move(body);
  }

  void read_policies() {
    const std::optional<std::size_t> delivery = job_.choice("delivery", delivery_words);
    if (delivery) definition().delivery = static_cast<DeliveryMode>(*delivery);
    choice_of(job_, "overlap", overlap_words, overlap_later);
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
  std::vector<std::string> header_names_;  // of both kinds, in lower case
};

}  // namespace

Result<ReadJob> read_job(const json::object& object, const ReadContext& context,
                         std::string_view prefix) {
  return JobReader(object, context, prefix).read();
}

}  // namespace cronally::core
