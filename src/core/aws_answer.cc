#include "core/aws_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <utility>
#include <vector>

#include "base/text.h"
#include "core/manifest.h"

namespace cronally::core {
namespace {

// AWS's answers are four elements deep.
constexpr std::size_t depth_max = 32;
constexpr std::size_t message_max = 1'000;

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

// "#65" or "#x41".
bool append_reference(std::string& out, std::string_view digits) {
  digits.remove_prefix(1);
  const bool base16 = digits.starts_with('x');
  if (base16) digits.remove_prefix(1);
  std::uint32_t point = 0;
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, point, base16 ? 16 : 10);
  const bool surrogate = point >= 0xD800 && point < 0xE000;
  if (digits.empty() || read.ec != std::errc() || read.ptr != end || point == 0 || surrogate ||
      point > 0x10FFFF)
    return false;
  append_utf8(out, point);
  return true;
}

bool append_entity(std::string& out, std::string_view name) {
  constexpr std::array<std::pair<std::string_view, char>, 5> entities{
      {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}}};
  if (name.starts_with('#')) return append_reference(out, name);
  const auto found = std::ranges::find(entities, name, &std::pair<std::string_view, char>::first);
  if (found == entities.end()) return false;
  out += found->second;
  return true;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t mark = std::min(text.find('&'), text.size());
    out += text.substr(0, mark);
    text.remove_prefix(mark);
    if (text.empty()) break;
    const std::size_t end = text.find(';');
    if (end == std::string_view::npos || !append_entity(out, text.substr(1, end - 1)))
      return std::nullopt;
    text.remove_prefix(end + 1);
  }
  return out;
}

// Goes through a document from tag to tag.
class XmlSearch {
 public:
  XmlSearch(std::string_view xml, std::initializer_list<std::string_view> path)
      : rest_(xml), path_(path) {}

  std::optional<std::string> run() {
    while (!rest_.empty() && !failed_ && !found_) step();
    return failed_ ? std::nullopt : std::move(found_);
  }

 private:
  bool wanted() const {
    return open_.size() >= path_.size() && std::equal(path_.rbegin(), path_.rend(), open_.rbegin());
  }

  // The text up to `end`, which is dropped with it.
  std::string_view take_until(std::string_view end) {
    const std::size_t at = rest_.find(end);
    if (at == std::string_view::npos) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, at);
    rest_.remove_prefix(at + end.size());
    return taken;
  }

  void step() {
    if (!rest_.starts_with('<')) {
      const std::string_view text = rest_.substr(0, rest_.find('<'));
      rest_.remove_prefix(text.size());
      const auto plain = unescaped(text);
      if (plain)
        text_ += *plain;
      else
        failed_ = true;
    } else if (rest_.starts_with("<!--")) {
      take_until("-->");
    } else if (rest_.starts_with("<![CDATA[")) {
      rest_.remove_prefix(9);
      text_ += take_until("]]>");
    } else if (rest_.starts_with("<?")) {
      take_until("?>");
    } else if (rest_.starts_with("<!")) {
      failed_ = true;
    } else {
      rest_.remove_prefix(1);
      tag(take_until(">"));
    }
  }

  void tag(std::string_view inside) {
    if (inside.starts_with('/')) return close(local_name(inside.substr(1)));
    open_.push_back(local_name(inside));
    text_.clear();
    if (open_.size() > depth_max || open_.back().empty()) failed_ = true;
    if (inside.ends_with('/')) close(open_.back());
  }

  void close(std::string_view name) {
    if (open_.empty() || open_.back() != name) {
      failed_ = true;
      return;
    }
    if (wanted()) found_ = std::exchange(text_, {});
    open_.pop_back();
    text_.clear();
  }

  // Without prefix, attributes and the slash of an empty element.
  static std::string_view local_name(std::string_view inside) {
    const std::string_view name = inside.substr(0, inside.find_first_of(" \t\r\n/"));
    const std::size_t colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
  }

  std::string_view rest_;
  const std::vector<std::string_view> path_;
  std::vector<std::string_view> open_;
  std::string text_;
  std::optional<std::string> found_;
  bool failed_ = false;
};

// For a line of the log and of the ledger.
std::string one_line(std::string_view text) {
  std::string line = valid_utf8(text.substr(0, message_max));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return line;
}

// Of the SDKs' standard mode, and what SNS documents besides (API reference, Publish, "Errors").
constexpr std::array<std::string_view, 17> wait_codes{"Throttling",
                                                      "ThrottlingException",
                                                      "ThrottledException",
                                                      "Throttled",
                                                      "KMSThrottling",
                                                      "RequestThrottled",
                                                      "RequestThrottledException",
                                                      "TooManyRequestsException",
                                                      "RequestLimitExceeded",
                                                      "BandwidthLimitExceeded",
                                                      "LimitExceededException",
                                                      "ProvisionedThroughputExceededException",
                                                      "SlowDown",
                                                      "PriorRequestNotComplete",
                                                      "TransactionInProgressException",
                                                      "RequestTimeout",
                                                      "RequestTimeoutException"};
constexpr std::array<std::string_view, 6> credentials_codes{
    "ExpiredToken",         "ExpiredTokenException",       "TokenRefreshRequired",
    "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"};
constexpr std::array<std::string_view, 5> clock_codes{"RequestTimeTooSkewed", "RequestExpired",
                                                      "RequestInTheFuture", "SignatureDoesNotMatch",
                                                      "InvalidSignatureException"};

template <std::size_t n>
bool holds(const std::array<std::string_view, n>& codes, std::string_view code) {
  return std::ranges::find(codes, code) != codes.end();
}

// "20260831T124000Z".
std::optional<Instant> parse_timestamp(std::string_view text) {
  if (text.size() != 16) return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t count) { return text.substr(at, count); };
  const auto at = parse_instant(fmt::format("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 2),
                                            part(6, 2), part(9, 2), part(11, 2), part(13, 2)));
  if (!at || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  return *at;
}

Result<AwsSession> session_of(std::string access_key_id, std::string secret, std::string token,
                              std::optional<std::string_view> expiration) {
  AwsSession session{
      {std::move(access_key_id), SecretText(std::move(secret)), SecretText(std::move(token))},
      std::nullopt};
  if (expiration) {
    const auto at = parse_instant(*expiration);
    if (!at) return fail("invalid_answer", "the answer's Expiration is not an instant");
    session.expires_at = *at;
  }
  const AwsCredentials& got = session.credentials;
  // They become parts of headers.
  for (const std::string_view text :
       {std::string_view(got.access_key_id), std::string_view(got.secret_access_key.reveal()),
        std::string_view(got.session_token.reveal())})
    if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c >= 0x7F; }))
      return fail("invalid_answer", "the answer's credentials hold characters that no key has");
  if (got.access_key_id.empty() || got.secret_access_key.reveal().empty())
    return fail("invalid_answer", "the answer holds no credentials");
  return session;
}

std::string text_at(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::optional<std::string> xml_text(std::string_view xml,
                                    std::initializer_list<std::string_view> path) {
  return XmlSearch(xml, path).run();
}

AwsError read_aws_error(std::string_view xml) {
  return {one_line(xml_text(xml, {"Error", "Code"}).value_or("")),
          one_line(xml_text(xml, {"Error", "Message"}).value_or(""))};
}

std::string aws_error_text(const AwsError& error, int status) {
  if (error.code.empty()) return fmt::format("HTTP {}", status);
  return error.message.empty() ? error.code : error.code + ": " + error.message;
}

AwsRemedy aws_remedy(const AwsError& error, int status) {
  if (holds(wait_codes, error.code)) return AwsRemedy::wait;
  if (holds(credentials_codes, error.code)) return AwsRemedy::credentials;
  if (holds(clock_codes, error.code)) return AwsRemedy::clock;
  return status >= 500 || status == 429 || status == 408 ? AwsRemedy::wait : AwsRemedy::none;
}

std::optional<Duration> aws_clock_offset(std::string_view message, Instant sent) {
  const bool skewed =
      message.contains("Signature expired") || message.contains("Signature not yet current");
  const std::size_t open = message.rfind('(');
  if (!skewed || open == std::string_view::npos) return std::nullopt;
  const auto theirs = parse_timestamp(message.substr(open + 1, 16));
  if (!theirs) return std::nullopt;
  return *theirs - std::chrono::floor<std::chrono::seconds>(sent);
}

Result<AwsSession> read_sts_answer(std::string_view xml) {
  const auto text = [&](std::string_view name) {
    return xml_text(xml, {"Credentials", name}).value_or("");
  };
  const std::string expiration = text("Expiration");
  if (expiration.empty()) return fail("invalid_answer", "the answer of STS holds no credentials");
  return session_of(text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"), expiration);
}

Result<AwsSession> read_endpoint_answer(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(json, error);
  if (error || !value.is_object()) return fail("invalid_answer", "the answer is not a JSON object");
  const boost::json::object& object = value.get_object();
  const std::string code = text_at(object, "Code");
  if (!code.empty() && code != "Success")
    return fail("invalid_answer",
                one_line(fmt::format("the answer says {}: {}", code, text_at(object, "Message"))));
  const std::string expiration = text_at(object, "Expiration");
  return session_of(
      text_at(object, "AccessKeyId"), text_at(object, "SecretAccessKey"), text_at(object, "Token"),
      expiration.empty() ? std::nullopt : std::optional<std::string_view>(expiration));
}

}  // namespace cronally::core
