#include "core/v1_cronjob.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "core/manifest_section.h"

namespace cronally::core {
namespace json = boost::json;

namespace {

constexpr std::size_t stored_chars_max = 191;  // and "-" and eight digits are 200
constexpr std::size_t id_chars = 8;

// A form field, and where a manifest holds it.
struct Place {
  std::string_view field;
  std::string_view pointer;
};
constexpr std::array<Place, 10> places{{
    {"name", "/name"},
    {"cron", "/schedule"},
    {"delivery_type", "/target/type"},
    {"delivery_http_url", "/target/url"},
    {"delivery_http_method", "/target/method"},
    {"sns_topic", "/target/topic_arn"},
    {"sns_message", "/target/message"},
    {"sns_region", "/target/region"},
    {"sns_access_key_id", "/target/credentials/access_key_id"},
    {"sns_secret_access_key", "/target/credentials/secret_access_key"},
}};

constexpr std::array<std::string_view, 2> types{"sns", "http"};
constexpr std::array<std::string_view, 2> methods{"get", "post"};
constexpr std::array<std::string_view, 5> sns_fields{"sns_topic", "sns_message", "sns_region",
                                                     "sns_access_key_id", "sns_secret_access_key"};
constexpr std::array<std::string_view, 2> http_fields{"delivery_http_url", "delivery_http_method"};

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return low;
}

class CronjobReader {
 public:
  explicit CronjobReader(const Form& form) : form_(form) {}

  Result<V1Cronjob> read_new() {
    require("name", "is missing; each cronjob has a name");
    require("cron", "is missing; say when, as in 0 8 * * *");
    read_name_and_cron();
    const std::optional<std::string> type = choice("delivery_type", types);
    if (!find("delivery_type") || type) read_whole_target(type.value_or("sns"));
    return result();
  }

  Result<V1Cronjob> read_change(const Target& stored) {
    for (const char* field : {"name", "cron"})
      if (form_.contains(field)) require(field, "must not be empty");
    read_name_and_cron();
    const bool http = std::holds_alternative<HttpTarget>(stored);
    if (find("delivery_type")) {
      if (const auto type = choice("delivery_type", types)) read_whole_target(*type);
    } else if (http) {
      read_http();
      refuse_others(sns_fields, "http");
    } else {
      read_sns();
      refuse_others(http_fields, "sns");
    }
    return result();
  }

 private:
  // As good as missing: an empty value, but for a message.
  const std::string* find(std::string_view field) const {
    const auto found = form_.find(field);
    const bool there = found != form_.end() && (!found->second.empty() || field == "sns_message");
    return there ? &found->second : nullptr;
  }

  void fault(std::string_view field, std::string detail) {
    faults_.push_back({"/" + std::string(field), std::move(detail)});
  }

  void require(std::string_view field, std::string_view advice) {
    if (!find(field)) fault(field, std::string(advice));
  }

  std::optional<std::string> choice(std::string_view field, Words words) {
    const std::string* text = find(field);
    if (!text) return std::nullopt;
    std::string word = lower(*text);
    if (std::ranges::find(words, word) != words.end()) return word;
    fault(field, "must be " + list_words(words) + ", not " + quote(*text));
    return std::nullopt;
  }

  void read_name_and_cron() {
    if (const std::string* name = find("name")) {
      if (name->size() > v1_name_bytes_max)
        fault("name", "must have at most " + std::to_string(v1_name_bytes_max) + " bytes");
      cronjob_.name = *name;
    }
    if (const std::string* cron = find("cron")) cronjob_.manifest["schedule"] = *cron;
  }

  void read_whole_target(std::string_view type) {
    target_["type"] = type;
    if (type == "http") {
      require("delivery_http_url", "is missing; delivery_type http needs the address");
      target_["method"] = "GET";
      read_http();
      return;
    }
    for (const std::string_view field : sns_fields)
      require(field, "is missing; delivery_type sns, the default, needs it");
    read_sns();
  }

  void read_http() {
    copy("delivery_http_url", target_, "url");
    const std::optional<std::string> method = choice("delivery_http_method", methods);
    if (method) target_["method"] = *method == "get" ? "GET" : "POST";
  }

  void read_sns() {
    copy("sns_topic", target_, "topic_arn");
    copy("sns_region", target_, "region");
    // SNS refuses an empty message, and an empty one was allowed here.
    if (const std::string* message = find("sns_message"))
      target_["message"] = message->empty() ? std::string(" ") : *message;
    json::object credentials;
    copy("sns_access_key_id", credentials, "access_key_id");
    copy("sns_secret_access_key", credentials, "secret_access_key");
    // AWS's secrets hold + and never a blank; an unencoded form turns the one into the other.
    if (json::value* secret = credentials.if_contains("secret_access_key"))
      std::ranges::replace(secret->get_string(), ' ', '+');
    if (!credentials.empty()) target_["credentials"] = std::move(credentials);
  }

  void copy(std::string_view field, json::object& into, std::string_view name) const {
    if (const std::string* text = find(field)) into[name] = *text;
  }

  void refuse_others(Words fields, std::string_view type) {
    for (const std::string_view field : fields)
      if (find(field))
        fault(field, "is not for a cronjob of delivery_type " + std::string(type) +
                         "; give delivery_type too, and all that it needs");
  }

  Result<V1Cronjob> result() {
    if (!target_.empty()) cronjob_.manifest["target"] = std::move(target_);
    if (faults_.empty()) return std::move(cronjob_);
    return fail({"invalid_cronjob", "", std::move(faults_)});
  }

  const Form& form_;
  V1Cronjob cronjob_;
  json::object target_;
  Faults faults_;
};

bool is_control(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return byte < 0x20 || byte == 0x7F;
  return byte == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

std::string_view trim(std::string_view text) {
  const std::size_t from = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(from, text.find_last_not_of(' ') + 1 - from);
}

}  // namespace

Result<V1Cronjob> read_v1_cronjob(const Form& form) { return CronjobReader(form).read_new(); }

Result<V1Cronjob> read_v1_change(const Form& form, const Target& stored) {
  return CronjobReader(form).read_change(stored);
}

Error v1_error(Error error) {
  error.code = "invalid_cronjob";
  for (FieldError& one : error.fields)
    for (const Place& place : places)
      if (one.pointer == place.pointer) one.pointer = "/" + std::string(place.field);
  return error;
}

std::string v1_stored_name(std::string_view name, const JobId& id) {
  std::string clean;
  for (std::size_t length = 0; !name.empty(); name.remove_prefix(length)) {
    length = std::max<std::size_t>(utf8_length(name), 1);
    const bool sound = utf8_length(name) > 0 && !is_control(name.substr(0, length));
    clean += sound ? name.substr(0, length) : " ";
  }
  std::string_view kept = trim(clean);
  std::size_t end = 0;
  for (std::size_t chars = 0; chars < stored_chars_max && end < kept.size(); ++chars)
    end += utf8_length(kept.substr(end));
  kept = trim(kept.substr(0, end));
  const std::string digits = id.text();
  return std::string(kept.empty() ? "cronjob" : kept) + "-" +
         digits.substr(digits.size() - id_chars);
}

}  // namespace cronally::core
