#include "aws_fake.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/json_text.h"
#include "base/percent.h"
#include "base/text.h"

namespace cronally::support {
namespace {

constexpr std::string_view role_path = "/latest/meta-data/iam/security-credentials/";
constexpr std::size_t message_max = 256 * 1024;

std::optional<std::map<std::string, std::string>> form_of(const std::string& body) {
  std::map<std::string, std::string> form;
  std::size_t at = 0;
  while (at < body.size()) {
    const std::size_t end = std::min(body.find('&', at), body.size());
    const std::string pair = body.substr(at, end - at);
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) return std::nullopt;
    const auto name = percent_decode(pair.substr(0, equals));
    const auto value = percent_decode(pair.substr(equals + 1));
    if (!name || !value || !form.emplace(*name, *value).second) return std::nullopt;
    at = end + 1;
  }
  return form;
}

std::string at(const std::map<std::string, std::string>& form, const std::string& name) {
  const auto found = form.find(name);
  return found == form.end() ? "" : found->second;
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

net::Response xml(int status, std::string body) {
  return {status, {{"Content-Type", "text/xml"}}, std::move(body)};
}

net::Response refusal(const AwsRefusal& why) {
  return xml(
      why.status,
      fmt::format("<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">"
                  "<Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>"
                  "<RequestId>7a62c49f-347e-4fc4-9331-6e8e</RequestId></ErrorResponse>",
                  why.status < 500 ? "Sender" : "Receiver", why.code, xml_escaped(why.message)));
}

AwsRefusal invalid(std::string message) {
  return {400, "InvalidParameter", "Invalid parameter: " + std::move(message)};
}

std::size_t chars_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

constexpr std::string_view digits = "0123456789";
constexpr std::string_view alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// 1 to `max` characters of those, or of `more`.
bool consists_of(std::string_view text, std::string_view chars, std::string_view more,
                 std::size_t max) {
  return !text.empty() && text.size() <= max &&
         std::ranges::all_of(text, [&](char c) { return chars.contains(c) || more.contains(c); });
}

bool is_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return consists_of(text, digits, "", 38);
}

bool is_topic(std::string_view arn) {
  std::vector<std::string_view> parts;
  while (!arn.empty()) {
    parts.push_back(arn.substr(0, arn.find(':')));
    arn.remove_prefix(std::min(arn.size(), parts.back().size() + 1));
  }
  if (parts.size() != 6 || parts[0] != "arn" || parts[2] != "sns") return false;
  std::string_view name = parts[5];
  if (name.ends_with(".fifo")) name.remove_suffix(5);
  return parts[1].starts_with("aws") && consists_of(parts[3], alnum, "-", 63) &&
         parts[4].size() == 12 && consists_of(parts[4], digits, "", 12) &&
         consists_of(name, alnum, "_-", 256);
}

bool is_fifo_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

// Name, type and value of each attribute stand together, counted from 1 without a gap.
std::optional<AwsRefusal> judge_attributes(const std::map<std::string, std::string>& form) {
  const auto fields = static_cast<std::size_t>(std::ranges::count_if(
      form, [](const auto& pair) { return pair.first.starts_with("MessageAttributes."); }));
  std::set<std::string> names;
  for (std::size_t number = 1; number <= fields / 3; ++number) {
    const std::string entry = fmt::format("MessageAttributes.entry.{}.", number);
    const std::string name = at(form, entry + "Name"), type = at(form, entry + "Value.DataType"),
                      value = at(form, entry + "Value.StringValue");
    if (!consists_of(name, alnum, "_.-", 256) || name.starts_with("AWS.") || value.empty())
      return invalid("MessageAttributes " + name);
    if (type != "String" && (type != "Number" || !is_number(value)))
      return invalid("MessageAttributes type " + type);
    if (!names.insert(name).second) return invalid("MessageAttributes: twice " + name);
  }
  if (fields % 3 != 0 || names.size() != fields / 3 || names.size() > 10)
    return invalid("MessageAttributes");
  return std::nullopt;
}

std::optional<AwsRefusal> judge_fifo(const std::map<std::string, std::string>& form, bool fifo) {
  if (form.contains("MessageGroupId") && !is_fifo_id(at(form, "MessageGroupId")))
    return invalid("MessageGroupId");
  if (fifo && !form.contains("MessageGroupId"))
    return invalid("The MessageGroupId parameter is required for FIFO topics");
  if (fifo && !is_fifo_id(at(form, "MessageDeduplicationId")))
    return invalid("MessageDeduplicationId");
  if (!fifo && form.contains("MessageDeduplicationId"))
    return invalid("MessageDeduplicationId is for FIFO topics");
  return std::nullopt;
}

std::optional<AwsRefusal> judge_fields(const std::map<std::string, std::string>& form) {
  const std::string topic = at(form, "TopicArn"), message = at(form, "Message");
  if (!is_topic(topic)) return invalid("TopicArn");
  if (message.empty()) return invalid("Empty message");
  if (message.size() > message_max) return invalid("Message too long");
  if (form.contains("Subject")) {
    const std::string subject = at(form, "Subject");
    if (subject.empty() || chars_of(subject) >= 100 ||
        std::ranges::any_of(subject, [](char c) { return c >= 0 && c < ' '; }))
      return invalid("Subject");
  }
  if (auto refused = judge_fifo(form, topic.ends_with(".fifo"))) return refused;
  return judge_attributes(form);
}

std::string name_of(const std::string& topic) {
  std::string name = topic.substr(topic.rfind(':') + 1);
  return name.substr(0, name.find_first_of(".-"));
}

net::Response no_content(int status) { return {status, {}, {}}; }

}  // namespace

AwsFake::AwsFake(AwsFakeOptions options, const runtime::Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  if (options_.log_file.empty()) return;
  log_fd_ = ::open(options_.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  CHECK(log_fd_ >= 0, "the log cannot be opened");
}

AwsFake::~AwsFake() {
  if (log_fd_ >= 0) ::close(log_fd_);
}

net::Reply AwsFake::handle(const net::Request& request) {
  if (request.path == "/container-credentials") return container(request);
  if (request.path.starts_with("/latest/")) return metadata(request);
  const auto form = form_of(request.body);
  const bool whole = request.method == "POST" && form &&
                     request.headers.find("Content-Type")
                         .value_or("")
                         .starts_with("application/x-www-form-urlencoded");
  if (!whole) return refusal({400, "MalformedInput", "not a form"});
  const std::string action = at(*form, "Action");
  if (action == "Publish" && at(*form, "Version") == "2010-03-31") return publish(request, *form);
  if (action.starts_with("AssumeRole") && at(*form, "Version") == "2011-06-15")
    return assume(request, *form);
  return refusal({400, "InvalidAction", "no such action"});
}

// ---- SNS --------------------------------------------------------------------------------------

net::Response AwsFake::publish(const net::Request& request, const Form& form) {
  const std::string topic = at(form, "TopicArn");
  std::string region;
  if (std::ranges::count(topic, ':') == 5) {
    region = topic.substr(topic.find(":sns:") + 5);
    region.resize(std::min(region.find(':'), region.size()));
  }
  std::optional<AwsRefusal> refused = judge(request, "sns", region);
  if (!refused) refused = judge_fields(form);
  if (!refused) refused = injected(topic);
  bool repeated = false;
  net::Response response;
  if (refused)
    response = refusal(*refused);
  else if (name_of(topic) == "garbage")
    response = {200, {{"Content-Type", "text/html"}}, "<html><body>welcome</body></html>"};
  else
    response = xml(200, fmt::format("<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-"
                                    "03-31/\"><PublishResult><MessageId>{}</MessageId>"
                                    "</PublishResult></PublishResponse>",
                                    message_id(form, repeated)));
  log(request, form, response, repeated);
  return response;
}

std::optional<AwsRefusal> AwsFake::injected(const std::string& topic) {
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    number = ++publishes_;
  }
  const auto each = [&](int every) {
    return every > 0 && number % static_cast<std::uint64_t>(every) == 0;
  };
  const std::string name = name_of(topic);
  if (name == "missing") return AwsRefusal{404, "NotFound", "Topic does not exist"};
  if (name == "forbidden")
    return AwsRefusal{403, "AuthorizationError",
                      "User: arn:aws:iam::123456789012:user/x is not authorized to perform: "
                      "SNS:Publish on resource: " +
                          topic};
  if (name == "throttled" || each(options_.throttle_every))
    return AwsRefusal{400, "Throttling", "Rate exceeded"};
  if (name == "broken" || each(options_.fail_every))
    return AwsRefusal{500, "InternalError", "We encountered an internal error. Please try again."};
  if (name == "slow" || each(options_.slow_every)) std::this_thread::sleep_for(options_.delay);
  return std::nullopt;
}

// The same for what a FIFO topic has had already, which is accepted and not delivered again.
std::string AwsFake::message_id(const Form& form, bool& repeated) {
  std::lock_guard lock(mutex_);
  const std::string fresh = fmt::format("00000000-0000-4000-8000-{:012}", ++message_count_);
  if (!form.contains("MessageDeduplicationId")) return fresh;
  const auto [place, first] = deduplicated_.emplace(
      std::pair(at(form, "TopicArn"), at(form, "MessageDeduplicationId")), fresh);
  repeated = !first;
  return place->second;
}

// ---- credentials ------------------------------------------------------------------------------

AwsFake::Issued AwsFake::issue() {
  std::lock_guard lock(mutex_);
  const std::uint64_t number = ++issued_count_;
  Issued issued{fmt::format("ASIAFAKE{:012}", number), fmt::format("secret/{}+", number),
                fmt::format("token=={}//", number), now() + options_.lifetime};
  issued_[issued.id] = issued;
  return issued;
}

std::optional<AwsKey> AwsFake::key_of(const std::string& id) {
  if (id == options_.access_key_id) return AwsKey{options_.secret_access_key, "", std::nullopt};
  std::lock_guard lock(mutex_);
  const auto found = issued_.find(id);
  if (found == issued_.end()) return std::nullopt;
  return AwsKey{found->second.secret, found->second.token,
                found->second.expires_at - options_.early_end};
}

std::optional<AwsRefusal> AwsFake::judge(const net::Request& request, std::string service,
                                         std::string region) {
  return check_signature(request, {.service = std::move(service),
                                   .region = std::move(region),
                                   .now = now(),
                                   .key_of = [this](const std::string& id) { return key_of(id); }});
}

net::Response AwsFake::assume(const net::Request& request, const Form& form) {
  std::optional<AwsRefusal> refused;
  const bool web = at(form, "Action") == "AssumeRoleWithWebIdentity";
  if (!web) refused = judge(request, "sts", "");
  if (!refused && (!at(form, "RoleArn").starts_with("arn:aws:iam::") ||
                   !consists_of(at(form, "RoleSessionName"), alnum, "_+=,.@-", 64)))
    refused = AwsRefusal{400, "ValidationError", "RoleArn or RoleSessionName"};
  if (!refused && web && at(form, "WebIdentityToken") != options_.web_identity_token)
    refused = AwsRefusal{400, "InvalidIdentityToken", "not a token of ours"};
  if (!refused && !web && at(form, "ExternalId") != options_.external_id)
    refused = AwsRefusal{403, "AccessDenied", "not authorized to perform: sts:AssumeRole"};
  net::Response response;
  if (refused) {
    response = refusal(*refused);
  } else {
    const Issued issued = issue();
    response = xml(200, fmt::format("<{0}Response><{0}Result><Credentials><AccessKeyId>{1}"
                                    "</AccessKeyId><SecretAccessKey>{2}</SecretAccessKey>"
                                    "<SessionToken>{3}</SessionToken><Expiration>{4}</Expiration>"
                                    "</Credentials></{0}Result></{0}Response>",
                                    at(form, "Action"), issued.id, issued.secret, issued.token,
                                    format_instant(issued.expires_at)));
  }
  log(request, form, response, false);
  return response;
}

net::Response AwsFake::container(const net::Request& request) {
  net::Response response = no_content(403);
  if (request.headers.find("Authorization").value_or("") == options_.container_token) {
    const Issued issued = issue();
    response = {
        200,
        {{"Content-Type", "application/json"}},
        fmt::format(R"({{"AccessKeyId":"{}","SecretAccessKey":"{}","Token":"{}",)"
                    R"("Expiration":"{}"}})",
                    issued.id, issued.secret, issued.token, format_instant(issued.expires_at))};
  }
  log(request, {{"Action", "container"}}, response, false);
  return response;
}

net::Response AwsFake::metadata(const net::Request& request) {
  net::Response response = no_content(404);
  const std::string token(request.headers.find("X-aws-ec2-metadata-token").value_or(""));
  bool known = options_.imds == Imds::v1;
  {
    std::lock_guard lock(mutex_);
    known = known || metadata_tokens_.contains(token);
  }
  if (options_.imds == Imds::off) {
    response = no_content(404);
  } else if (request.path == "/latest/api/token") {
    const bool asked = request.method == "PUT" && options_.imds == Imds::v2 &&
                       request.headers.find("X-aws-ec2-metadata-token-ttl-seconds") == "21600";
    response = no_content(asked ? 200 : 405);
    std::lock_guard lock(mutex_);
    if (asked) response.body = fmt::format("metadata-token-{}==", metadata_tokens_.size());
    if (asked) metadata_tokens_.insert(response.body);
  } else if (!known) {
    response = no_content(401);
  } else if (request.path == role_path) {
    response = {200, {{"Content-Type", "text/plain"}}, "the-role"};
  } else if (request.path == std::string(role_path) + "the-role") {
    const Issued issued = issue();
    response = {
        200,
        {{"Content-Type", "text/plain"}},
        fmt::format(R"({{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{}",)"
                    R"("SecretAccessKey":"{}","Token":"{}","Expiration":"{}"}})",
                    issued.id, issued.secret, issued.token, format_instant(issued.expires_at))};
  }
  log(request, {{"Action", request.method + " " + request.path}}, response, false);
  return response;
}

// ---- the log ----------------------------------------------------------------------------------

void AwsFake::log(const net::Request& request, const Form& form, const net::Response& response,
                  bool repeated) {
  if (log_fd_ < 0) return;
  std::string line = fmt::format(R"({{"t_us":{},"status":{},"key":{},"repeated":{},"form":{{)",
                                 us_of(clock_.wall()), response.status,
                                 json_quote(access_key_of(request)), repeated);
  bool first = true;
  for (const auto& [name, value] : form) {
    if (name == "WebIdentityToken") continue;
    line += fmt::format("{}{}:{}", first ? "" : ",", json_quote(name), json_quote(value));
    first = false;
  }
  line += "}}\n";
  // One write: lines of several threads do not mix.
  CHECK(::write(log_fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size()),
        "the log cannot be written");
}

}  // namespace cronally::support
