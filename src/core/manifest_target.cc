#include "core/manifest_target.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/aws_endpoint.h"
#include "core/template.h"

namespace cronally::core {
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::array<std::string_view, 2> types{"http", "sns"};
constexpr std::array<std::string_view, 5> types_later{"sqs", "ecs", "lambda", "eventbridge",
                                                      "exec"};
constexpr std::array<std::string_view, 7> http_fields{"type",           "url",  "method", "headers",
                                                      "secret_headers", "body", "timeout"};
constexpr std::array<std::string_view, 9> sns_fields{
    "type",    "topic_arn",          "region",           "message",
    "subject", "message_attributes", "message_group_id", "credentials",
    "timeout"};
constexpr std::array<std::string_view, 2> credentials_fields{"access_key_id", sns_secret_name};

constexpr Range<Duration> timeout_range{1s, 900s};
constexpr Duration timeout_default = 30s;

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return low;
}

std::string bytes_fault(std::size_t max) {
  return "must have at most " + std::to_string(max) + " bytes";
}

// What a body and a message have in common.
std::optional<std::string> body_fault(std::string_view body) {
  if (body.size() > body_bytes_max) return bytes_fault(body_bytes_max);
  if (body.contains('\0')) return "must not hold U+0000";
  if (const Result<void> known = check_placeholders(body); !known) return known.error().message;
  return std::nullopt;
}

class HttpReader {
 public:
  HttpReader(Section& section, const Target* stored)
      : section_(section), stored_(stored ? std::get_if<HttpTarget>(stored) : nullptr) {}

  ReadTarget read() {
    section_.allow(http_fields);
    read_url();
    read_method();
    read_headers();
    read_secret_headers();
    read_body();
    target_.timeout = section_.duration("timeout", timeout_range).value_or(timeout_default);
    return {std::move(target_), std::move(secrets_)};
  }

 private:
  void read_url() {
    if (!section_.find("url"))
      return section_.fault("url", "is missing; give an http or https URL");
    const std::optional<std::string> url = section_.text("url");
    if (!url) return;
    if (auto fault = url_fault(*url)) return section_.fault("url", std::move(*fault));
    target_.url = *url;
  }

  void read_method() {
    const std::string method = section_.text("method").value_or("POST");
    const bool upper = method.size() <= 32 && !method.empty() &&
                       std::ranges::all_of(method, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!upper)
      return section_.fault("method",
                            "must be an HTTP method in capital letters, such as POST or GET");
    if (method == "CONNECT" || method == "TRACE")
      return section_.fault("method", method + " delivers nothing; use POST, PUT, GET or another");
    target_.method = method;
  }

  // Notes a name that is no header's, is reserved, or stands there twice.
  bool judge_header_name(Section& section, std::string_view name) {
    if (auto fault = header_name_fault(name)) {
      section.fault(name, std::move(*fault));
      return false;
    }
    std::string low = lower(name);
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

  bool judge_header_count(std::string_view name, const json::object& headers) {
    if (headers.size() + target_.headers.size() <= headers_max) return true;
    section_.fault(name, "must have at most " + std::to_string(headers_max) +
                             " headers, plain and secret together");
    return false;
  }

  void read_headers() {
    const json::object* headers = section_.object("headers");
    if (!headers || !judge_header_count("headers", *headers)) return;
    Section section(*headers, section_.pointer_of("headers"), section_.faults());
    for (const json::key_value_pair& pair : *headers) {
      if (pair.value().is_null() || !judge_header_name(section, pair.key())) continue;
      const std::optional<std::string> value = section.text(pair.key());
      if (value && judge_header_value(section, pair.key(), *value))
        target_.headers.push_back({pair.key(), *value});
    }
  }

  const SecretHeader* stored_secret(std::string_view name) const {
    if (!stored_) return nullptr;
    for (const SecretHeader& header : stored_->secret_headers)
      if (lower(header.name) == lower(name)) return &header;
    return nullptr;
  }

  void read_secret_headers() {
    const json::object* headers = section_.object("secret_headers");
    if (!headers || !judge_header_count("secret_headers", *headers)) return;
    Section section(*headers, section_.pointer_of("secret_headers"), section_.faults());
    for (const json::key_value_pair& pair : *headers) {
      if (pair.value().is_null() || !judge_header_name(section, pair.key())) continue;
      const std::optional<std::string> value = section.text(pair.key());
      if (value) read_secret_header(section, pair.key(), *value);
    }
  }

  void read_secret_header(Section& section, std::string_view name, const std::string& value) {
    std::vector<SecretHeader>& into = target_.secret_headers;
    if (value != secret_mask) {
      // A secret is sent as it is: braces in it are no placeholders.
      if (auto fault = header_value_fault(value)) return section.fault(name, std::move(*fault));
      into.push_back({std::string(name), {}});
      secrets_.push_back({std::string(name), SecretText(value)});
      return;
    }
    const SecretHeader* stored = stored_secret(name);
    if (!stored)
      return section.fault(name, "is *** (unchanged), but nothing is stored; give the value");
    into.push_back({std::string(name), stored->secret});
  }

  void read_body() {
    std::optional<std::string> body = section_.text("body");
    if (!body) return;
    if (auto fault = body_fault(*body)) return section_.fault("body", std::move(*fault));
    target_.body = std::move(body);
  }

  Section& section_;
  const HttpTarget* const stored_;
  HttpTarget target_;
  std::vector<PlainSecret> secrets_;
  std::vector<std::string> header_names_;  // of both kinds, in lower case
};

// The limits are those of SNS Publish (Amazon SNS API Reference) unless said otherwise.
class SnsReader {
 public:
  SnsReader(Section& section, const Target* stored)
      : section_(section), stored_(stored ? std::get_if<SnsTarget>(stored) : nullptr) {}

  ReadTarget read() {
    section_.allow(sns_fields);
    read_topic();
    read_region();
    read_message();
    read_subject();
    read_attributes();
    read_group();
    read_credentials();
    target_.timeout = section_.duration("timeout", timeout_range).value_or(timeout_default);
    return {std::move(target_), std::move(secrets_)};
  }

 private:
  void read_topic() {
    if (!section_.find("topic_arn"))
      return section_.fault("topic_arn", "is missing; give the ARN of the topic");
    const std::optional<std::string> arn = section_.text("topic_arn");
    if (!arn) return;
    if (auto fault = topic_fault(*arn)) return section_.fault("topic_arn", std::move(*fault));
    target_.topic_arn = *arn;
  }

  void read_region() {
    std::optional<std::string> region = section_.text("region");
    if (!region) return;
    if (auto fault = region_fault(*region)) return section_.fault("region", std::move(*fault));
    target_.region = std::move(region);
  }

  void read_message() {
    std::optional<std::string> message = section_.text("message");
    if (!message) return;
    if (message->empty()) return section_.fault("message", "must not be empty: SNS refuses that");
    if (auto fault = body_fault(*message)) return section_.fault("message", std::move(*fault));
    target_.message = std::move(message);
  }

  // One line of `chars_max` characters at most, whose placeholders are known.
  std::optional<std::string> line(Section& section, std::string_view name, std::size_t chars_max) {
    std::optional<std::string> text = section.text(name);
    if (!text) return std::nullopt;
    std::optional<std::string> fault = header_value_fault(*text);
    const auto chars = static_cast<std::size_t>(
        std::ranges::count_if(*text, [](char c) { return (c & 0xC0) != 0x80; }));
    if (!fault && (chars == 0 || chars > chars_max))
      fault = "must have 1 to " + std::to_string(chars_max) + " characters";
    if (!fault && text->contains('\t')) fault = "must not hold control characters";
    if (!fault)
      if (const Result<void> known = check_placeholders(*text); !known)
        fault = known.error().message;
    if (!fault) return text;
    section.fault(name, std::move(*fault));
    return std::nullopt;
  }

  void read_subject() { target_.subject = line(section_, "subject", sns_subject_chars_max); }

  void read_group() {
    target_.message_group_id = line(section_, "message_group_id", sns_group_chars_max);
    if (target_.message_group_id &&
        !std::ranges::all_of(*target_.message_group_id, [](char c) { return c > ' ' && c < 0x7F; }))
      section_.fault("message_group_id", "may hold ASCII letters, digits and punctuation only");
  }

  void read_attributes() {
    const json::object* attributes = section_.object("message_attributes");
    if (!attributes) return;
    if (attributes->size() > sns_attributes_max)
      return section_.fault("message_attributes",
                            "must have at most " + std::to_string(sns_attributes_max) +
                                " attributes: with those of Cronally that is all that SNS "
                                "delivers raw to a queue");
    Section section(*attributes, section_.pointer_of("message_attributes"), section_.faults());
    for (const json::key_value_pair& pair : *attributes)
      if (!pair.value().is_null()) read_attribute(section, pair.key(), pair.value());
  }

  void read_attribute(Section& section, std::string_view name, const json::value& value) {
    if (auto fault = attribute_name_fault(name)) return section.fault(name, std::move(*fault));
    if (value.is_int64()) {
      target_.message_attributes.push_back({std::string(name), value.get_int64()});
    } else if (value.is_number()) {
      section.fault(name, "must be a text, or a whole number of at most 64 bits");
    } else if (auto text = line(section, name, sns_attribute_chars_max)) {
      target_.message_attributes.push_back({std::string(name), std::move(*text)});
    }
  }

  // Amazon SNS Developer Guide, "Message attributes".
  static std::optional<std::string> attribute_name_fault(std::string_view name) {
    constexpr std::size_t name_max = 256;
    const auto allowed = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             std::string_view("_-.").contains(c);
    };
    const std::string low = lower(name);
    if (name.empty() || name.size() > name_max || !std::ranges::all_of(name, allowed) ||
        name.starts_with('.') || name.ends_with('.') || name.contains(".."))
      return "an attribute's name has 1 to 256 letters, digits and _ - ., no dot at its ends, and "
             "no two dots together";
    if (low.starts_with("aws.") || low.starts_with("amazon."))
      return "names that begin with AWS. or Amazon. are reserved by AWS";
    if (low.starts_with("cronally-")) return "is written by Cronally itself; use another name";
    return std::nullopt;
  }

  void read_credentials() {
    const json::object* object = section_.object("credentials");
    if (!object) return;
    Section section(*object, section_.pointer_of("credentials"), section_.faults());
    section.allow(credentials_fields);
    SnsCredentials credentials;
    if (auto id = read_key(section, "access_key_id", 16, 128)) credentials.access_key_id = *id;
    if (const auto secret = read_key(section, sns_secret_name, 1, 128)) {
      if (*secret != secret_mask)
        secrets_.push_back({std::string(sns_secret_name), SecretText(*secret)});
      else if (stored_ && stored_->credentials)
        credentials.secret_access_key = stored_->credentials->secret_access_key;
      else
        section.fault(sns_secret_name, "is *** (unchanged), but nothing is stored; give the value");
    }
    target_.credentials = std::move(credentials);
  }

  // AWS's access key ids have 16 to 128 characters (IAM API Reference, AccessKey).
  static std::optional<std::string> read_key(Section& section, std::string_view name,
                                             std::size_t min, std::size_t max) {
    if (!section.find(name)) {
      section.fault(name, "is missing; credentials are an access_key_id and a secret_access_key");
      return std::nullopt;
    }
    std::optional<std::string> text = section.text(name);
    if (!text) return std::nullopt;
    const bool fine = text->size() >= min && text->size() <= max &&
                      std::ranges::all_of(*text, [](char c) { return c > ' ' && c < 0x7F; });
    if (fine) return text;
    section.fault(name, "must have " + std::to_string(min) + " to " + std::to_string(max) +
                            " ASCII characters without blanks");
    return std::nullopt;
  }

  Section& section_;
  const SnsTarget* const stored_;
  SnsTarget target_;
  std::vector<PlainSecret> secrets_;
};

}  // namespace

ReadTarget read_target(Section section, const Target* stored) {
  // Of a type that is not there nothing else can be judged.
  const auto type = section.choice("type", types, types_later);
  if (section.find("type") && !type) return {};
  if (type.value_or(0) == 1) return SnsReader(section, stored).read();
  return HttpReader(section, stored).read();
}

}  // namespace cronally::core
