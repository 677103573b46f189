#include "cli/job_body.h"

#include <array>
#include <charconv>
#include <span>
#include <utility>

#include "base/text.h"
#include "cli/table.h"
#include "net/http_header.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

using Words = std::span<const std::string_view>;
constexpr std::array<std::string_view, 2> dst_words{"run", "skip"};
constexpr std::array<std::string_view, 2> delivery_words{"at_least_once", "at_most_once"};
constexpr std::array<std::string_view, 3> catch_up_words{"latest", "all", "skip"};
// Headers that carry a credential whatever the receiver.
constexpr std::array<std::string_view, 3> credential_headers{"Authorization", "Proxy-Authorization",
                                                             "Cookie"};

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

std::string join(Words words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

// Puts flags into one JSON object; the first fault stays and ends the rest.
class Writer {
 public:
  explicit Writer(JobUse use) : use_(use) {}

  void text(json::object& into, std::string_view key, const std::optional<std::string>& value) {
    if (value) into[key] = reset(*value) ? json::value() : json::value(*value);
  }

  void words(json::object& into, std::string_view flag, Words allowed,
             const std::optional<std::string>& value) {
    if (!value || failed()) return;
    const std::string_view key = key_;
    if (reset(*value)) {
      into[key] = nullptr;
      return;
    }
    for (const std::string_view word : allowed)
      if (*value == word) {
        into[key] = *value;
        return;
      }
    fail_with(std::string(flag) + " takes " + join(allowed) + ", not " + quote(*value) +
              did_you_mean(*value, allowed));
  }
  Writer& key(std::string_view key) {
    key_ = key;
    return *this;
  }

  void duration(json::object& into, std::string_view flag,
                const std::optional<std::string>& value) {
    if (!value || failed()) return;
    if (reset(*value)) {
      into[key_] = nullptr;
      return;
    }
    const Result<Duration> length = parse_duration(*value);
    if (!length) return fail_with(std::string(flag) + ": " + length.error().message);
    into[key_] = *value;
  }

  void number(json::object& into, std::string_view flag, const std::optional<std::string>& value) {
    if (!value || failed()) return;
    if (reset(*value)) {
      into[key_] = nullptr;
      return;
    }
    std::int64_t number = 0;
    const char* end = value->data() + value->size();
    const auto read = std::from_chars(value->data(), end, number);
    if (read.ec != std::errc() || read.ptr != end)
      return fail_with(std::string(flag) + " takes a whole number, not " + quote(*value));
    into[key_] = number;
  }

  void outcome(json::object& into, const Outcome<std::string>& value) {
    if (failed()) return;
    if (!value) {
      problem_ = value.error();
      return;
    }
    into[key_] = *value;
  }

  void fail_with(std::string message, std::string advice = {}) {
    if (!problem_) problem_ = usage(std::move(message), std::move(advice)).error();
  }
  void fail_with(Problem problem) {
    if (!problem_) problem_ = std::move(problem);
  }

  bool failed() const { return problem_.has_value(); }
  const Problem& problem() const { return *problem_; }
  bool reset(std::string_view value) const { return use_ == JobUse::edit && value == "default"; }
  bool editing() const { return use_ == JobUse::edit; }

 private:
  JobUse use_;
  std::string_view key_;
  std::optional<Problem> problem_;
};

void write_schedule(Writer& writer, json::object& body, const JobFlags& flags,
                    const JobInputs& inputs) {
  const int given = flags.cron.has_value() + flags.every.has_value() + flags.at.has_value() +
                    static_cast<int>(flags.never);
  if (given > 1)
    return writer.fail_with("a job has one schedule",
                            "give one of --cron, --every, --at and --never.");
  if (given == 0 && !writer.editing())
    return writer.fail_with("a job needs a schedule",
                            "give one of --cron EXPR, --every LENGTH, --at TIME and --never.");
  if (flags.cron) body["schedule"] = *flags.cron;
  if (flags.never) body["schedule"] = "@never";
  if (flags.every) {
    const Result<Duration> length = parse_duration(*flags.every);
    if (!length) return writer.fail_with("--every: " + length.error().message);
    body["schedule"] = "@every " + *flags.every;
  }
  if (flags.at) {
    const Outcome<std::string> at = inputs.instant(*flags.at);
    if (!at) return writer.fail_with(at.error());
    body["schedule"] = "@at " + *at;
  }
  writer.text(body, "zone", flags.zone);
  writer.key("dst").words(body, "--dst", dst_words, flags.dst);
  if (!flags.anchor || writer.failed()) return;
  if (writer.reset(*flags.anchor))
    body["anchor"] = nullptr;
  else
    writer.key("anchor").outcome(body, inputs.instant(*flags.anchor));
}

bool is_credential(std::string_view name) {
  for (const std::string_view known : credential_headers)
    if (net::equal_names(name, known)) return true;
  return false;
}

json::object write_headers(Writer& writer, const JobFlags& flags) {
  json::object headers;
  for (const std::string& text : flags.headers) {
    const std::size_t colon = text.find(':');
    const std::string_view name = trimmed(std::string_view(text).substr(0, colon));
    if (colon == std::string::npos || name.empty()) {
      writer.fail_with("--header takes NAME:VALUE");
      break;
    }
    if (is_credential(name)) {
      writer.fail_with("a secret in the argument list can be read by every user of this machine",
                       "use --secret-header " + std::string(name) + "=@FILE, or =- to read it " +
                           "from standard input; such a value is kept sealed.");
      break;
    }
    headers[name] = trimmed(std::string_view(text).substr(colon + 1));
  }
  for (const std::string& name : flags.remove_headers) headers[name] = nullptr;
  return headers;
}

void write_body(Writer& writer, json::object& target, const JobFlags& flags,
                const JobInputs& inputs) {
  if (flags.body && flags.body_file) return writer.fail_with("give one of --body and --body-file");
  if (flags.body) target["body"] = *flags.body;
  if (flags.body_file) writer.key("body").outcome(target, inputs.file(*flags.body_file));
}

// A whole number becomes one, so that a topic's filter policies can compare it; "007" and what is
// longer than 64 bits stay texts.
json::value attribute_value(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  const bool whole = read.ec == std::errc() && read.ptr == end && std::to_string(number) == text;
  return whole ? json::value(number) : json::value(text);
}

json::object write_message_attributes(Writer& writer, const JobFlags& flags) {
  json::object attributes;
  for (const std::string& text : flags.message_attributes) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      writer.fail_with("--message-attribute takes NAME=VALUE, not " + quote(text));
      break;
    }
    attributes[text.substr(0, equals)] = attribute_value(text.substr(equals + 1));
  }
  for (const std::string& name : flags.remove_message_attributes) attributes[name] = nullptr;
  return attributes;
}

void write_credentials(Writer& writer, json::object& target, const JobFlags& flags,
                       const JobInputs& inputs) {
  const auto& id = flags.sns_access_key_id;
  const auto& secret = flags.sns_secret_access_key;
  if (!id && !secret) return;
  if (id && writer.reset(*id)) {
    target["credentials"] = nullptr;
    return;
  }
  if (!writer.editing() && (!id || !secret))
    return writer.fail_with("credentials are a pair",
                            "give --sns-access-key-id with --sns-secret-access-key, or neither to "
                            "use those of the server.");
  json::object credentials;
  if (id) credentials["access_key_id"] = *id;
  if (secret) {
    if (*secret != "-" && (!secret->starts_with('@') || secret->size() == 1))
      return writer.fail_with(
          "a secret in the argument list can be read by every user of this machine",
          "--sns-secret-access-key takes @FILE, or - for standard input.");
    writer.key("secret_access_key").outcome(credentials, inputs.secret(*secret));
  }
  target["credentials"] = std::move(credentials);
}

void write_sns_target(Writer& writer, json::object& target, const JobFlags& flags,
                      const JobInputs& inputs) {
  if (flags.sns_topic) target["topic_arn"] = *flags.sns_topic;
  writer.text(target, "region", flags.sns_region);
  if (flags.message && flags.message_file)
    return writer.fail_with("give one of --message and --message-file");
  writer.text(target, "message", flags.message);
  if (flags.message_file) writer.key("message").outcome(target, inputs.file(*flags.message_file));
  writer.text(target, "subject", flags.subject);
  writer.text(target, "message_group_id", flags.message_group_id);
  if (json::object attributes = write_message_attributes(writer, flags); !attributes.empty())
    target["message_attributes"] = std::move(attributes);
  if (!writer.failed()) write_credentials(writer, target, flags, inputs);
}

bool has_sns_flags(const JobFlags& flags) {
  return flags.sns_topic || flags.sns_region || flags.sns_access_key_id ||
         flags.sns_secret_access_key || flags.message || flags.message_file || flags.subject ||
         flags.message_group_id || !flags.message_attributes.empty() ||
         !flags.remove_message_attributes.empty();
}

bool has_http_flags(const JobFlags& flags) {
  return flags.url || flags.method || !flags.headers.empty() || !flags.secret_headers.empty() ||
         !flags.remove_headers.empty() || flags.body || flags.body_file;
}

void write_http_target(Writer& writer, json::object& target, const JobFlags& flags,
                       const JobInputs& inputs) {
  if (flags.url) target["url"] = *flags.url;
  writer.text(target, "method", flags.method);
  if (json::object headers = write_headers(writer, flags); !headers.empty())
    target["headers"] = std::move(headers);
  Outcome<json::object> secrets =
      secret_headers("--secret-header", flags.secret_headers, inputs.secret);
  if (!secrets) return writer.fail_with(secrets.error());
  for (const std::string& name : flags.remove_headers) (*secrets)[name] = nullptr;
  if (!secrets->empty()) target["secret_headers"] = std::move(*secrets);
  write_body(writer, target, flags, inputs);
}

void write_target(Writer& writer, json::object& body, const JobFlags& flags,
                  const JobInputs& inputs) {
  const bool sns = has_sns_flags(flags);
  if (sns && has_http_flags(flags))
    return writer.fail_with("a job has one target",
                            "give the flags of an HTTP target (--url and others) or those of an "
                            "SNS topic (--sns-topic and others).");
  json::object target;
  if (!writer.editing()) {
    if (!flags.url && !flags.sns_topic)
      return writer.fail_with("a job needs a target", "give --url URL or --sns-topic ARN.");
    target["type"] = sns ? "sns" : "http";
  }
  if (sns)
    write_sns_target(writer, target, flags, inputs);
  else
    write_http_target(writer, target, flags, inputs);
  writer.key("timeout").duration(target, "--timeout", flags.timeout);
  if (!target.empty()) body["target"] = std::move(target);
}

void write_policies(Writer& writer, json::object& body, const JobFlags& flags) {
  json::object retry;
  writer.key("attempts").number(retry, "--attempts", flags.attempts);
  writer.key("backoff_min").duration(retry, "--backoff-min", flags.backoff_min);
  writer.key("backoff_max").duration(retry, "--backoff-max", flags.backoff_max);
  writer.key("age_max").duration(retry, "--age-max", flags.age_max);
  if (!retry.empty()) body["retry"] = std::move(retry);

  json::object catch_up;
  writer.key("mode").words(catch_up, "--catch-up", catch_up_words, flags.catch_up);
  writer.key("window").duration(catch_up, "--catch-up-window", flags.catch_up_window);
  writer.key("limit").number(catch_up, "--catch-up-limit", flags.catch_up_limit);
  if (!catch_up.empty()) body["catch_up"] = std::move(catch_up);

  writer.key("delivery").words(body, "--delivery", delivery_words, flags.delivery);
}

void write_labels(Writer& writer, json::object& body, const JobFlags& flags) {
  json::object labels;
  for (const std::string& text : flags.labels) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return writer.fail_with("--label takes NAME=VALUE, not " + quote(text));
    labels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const std::string& name : flags.remove_labels) labels[name] = nullptr;
  if (!labels.empty()) body["labels"] = std::move(labels);
}

}  // namespace

Outcome<SecretSource> parse_secret_header(std::string_view flag, std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = trimmed(text.substr(0, equals));
  const std::string shape = std::string(flag) + " takes NAME=@FILE, or NAME=- for standard input";
  if (equals == std::string_view::npos || name.empty()) return usage(shape);
  const std::string_view source = text.substr(equals + 1);
  if (source == "-" || (source.starts_with('@') && source.size() > 1))
    return SecretSource{std::string(name), std::string(source)};
  return usage("a secret in the argument list can be read by every user of this machine",
               shape + ".");
}

Outcome<json::object> secret_headers(
    std::string_view flag, const std::vector<std::string>& texts,
    const std::function<Outcome<std::string>(const std::string&)>& read) {
  json::object headers;
  for (const std::string& text : texts) {
    const Outcome<SecretSource> source = parse_secret_header(flag, text);
    if (!source) return std::unexpected(source.error());
    const Outcome<std::string> value = read(source->source);
    if (!value) return std::unexpected(value.error());
    headers[source->name] = *value;
  }
  return headers;
}

Outcome<json::object> job_body(const JobFlags& flags, JobUse use, const JobInputs& inputs) {
  Writer writer(use);
  json::object body;
  if (flags.name) body["name"] = *flags.name;
  write_schedule(writer, body, flags, inputs);
  if (!writer.failed()) write_target(writer, body, flags, inputs);
  if (!writer.failed()) write_policies(writer, body, flags);
  if (flags.description) body["description"] = *flags.description;
  if (!writer.failed()) write_labels(writer, body, flags);
  if (flags.paused) body["paused"] = true;
  if (writer.failed()) return std::unexpected(writer.problem());
  if (body.empty()) return usage("nothing to change", "give the flags of what shall be different.");
  return body;
}

}  // namespace cronally::cli
