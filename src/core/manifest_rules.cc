// The rules of single values: names, URLs, headers.
#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstdint>

#include "base/text.h"
#include "base/uuid.h"
#include "core/manifest.h"
#include "core/template.h"

namespace cronally::core {
namespace {

// Words that stand where a job's name or id stands in a path.
constexpr std::array<std::string_view, 4> reserved_names{"bulk", "once", ".", ".."};

// Headers that a delivery writes itself (INTERFACES §3), and those that frame a message
// (RFC 9110 §7.6.1, RFC 9112 §6).
constexpr std::array<std::string_view, 14> reserved_headers{"idempotency-key",
                                                            "content-length",
                                                            "transfer-encoding",
                                                            "connection",
                                                            "keep-alive",
                                                            "upgrade",
                                                            "te",
                                                            "trailer",
                                                            "expect",
                                                            "host",
                                                            "user-agent",
                                                            "traceparent",
                                                            "proxy-authenticate",
                                                            "proxy-connection"};
constexpr std::array<std::string_view, 2> reserved_header_prefixes{"webhook-", "cronally-"};

constexpr std::size_t header_name_bytes_max = 128;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

// RFC 9110 §5.6.2.
bool is_token_char(char c) {
  const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alnum || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

// Control characters of ASCII and of Latin-1 (U+0080 to U+009F: C2 80 to C2 9F).
bool is_control(std::string_view text, std::size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x20 || byte == 0x7F) return true;
  return byte == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
}

std::string_view trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

// The URL with each placeholder replaced by one letter, so that it can be judged as a URL.
std::string without_placeholders(std::string_view url) {
  std::string plain;
  while (true) {
    const std::size_t open = url.find("{{");
    const std::size_t close = open == url.npos ? url.npos : url.find("}}", open);
    if (close == url.npos) break;
    plain.append(url.substr(0, open)).push_back('x');
    url.remove_prefix(close + 2);
  }
  return plain.append(url);
}

std::optional<std::string> authority_fault(std::string_view url) {
  const std::size_t start = url.find("://") + 3;
  const std::string_view authority = url.substr(start, url.find_first_of("/?#", start) - start);
  if (authority.contains('@'))
    return "must not hold a user name or password; put credentials into secret_headers";
  if (authority.contains("{{"))
    return "must name its host without placeholders; they may stand after it";
  if (authority.empty() || authority.starts_with(':')) return "names no host";
  return std::nullopt;
}

// The parser takes any digits for a port.
std::optional<std::string> port_fault(std::string_view port) {
  if (port.empty()) return std::nullopt;
  std::uint16_t number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  if (read.ec == std::errc() && number > 0) return std::nullopt;
  return "must have a port from 1 to 65535";
}

}  // namespace

Result<std::string> read_name(std::string_view text) {
  const std::string_view name = trim(text);
  std::size_t chars = 0;
  for (std::size_t at = 0; at < name.size(); ++chars) {
    const std::size_t length = utf8_length(name.substr(at));
    if (length == 0) return fail("invalid_name", "must be valid UTF-8");
    if (is_control(name, at)) return fail("invalid_name", "must not hold control characters");
    at += length;
  }
  if (chars == 0) return fail("invalid_name", "must not be empty; give it 1 to 200 characters");
  if (chars > name_chars_max)
    return fail("invalid_name", "must have at most " + std::to_string(name_chars_max) +
                                    " characters, not " + std::to_string(chars));
  if (parse_uuid(name))
    return fail("invalid_name", "must not look like a UUID, as ids do; choose another name");
  if (std::ranges::find(reserved_names, name) != reserved_names.end())
    return fail("invalid_name", quote(name) + " is reserved; choose another name");
  return std::string(name);
}

std::optional<std::string> header_name_fault(std::string_view name) {
  if (name.empty() || name.size() > header_name_bytes_max)
    return "a header's name has 1 to " + std::to_string(header_name_bytes_max) + " characters";
  if (!std::ranges::all_of(name, is_token_char))
    return "is not a header's name: letters, digits and !#$%&'*+-.^_`|~ are allowed";
  const std::string low = lower(name);
  const bool reserved = std::ranges::find(reserved_headers, low) != reserved_headers.end() ||
                        std::ranges::any_of(reserved_header_prefixes, [&](std::string_view prefix) {
                          return low.starts_with(prefix);
                        });
  if (reserved) return "is written by Cronally itself; use another name";
  return std::nullopt;
}

std::optional<std::string> header_value_fault(std::string_view value) {
  if (value.size() > header_value_bytes_max)
    return "must have at most " + std::to_string(header_value_bytes_max) + " bytes";
  for (std::size_t at = 0; at < value.size(); ++at)
    if (value[at] != '\t' && is_control(value, at))
      return "must not hold line breaks or other control characters";
  return std::nullopt;
}

std::optional<std::string> url_fault(std::string_view url) {
  if (url.size() > url_bytes_max)
    return "must have at most " + std::to_string(url_bytes_max) + " bytes";
  const std::string low = lower(url.substr(0, 8));
  if (!low.starts_with("http://") && !low.starts_with("https://"))
    return "must start with http:// or https://";
  if (auto fault = authority_fault(url)) return fault;
  if (const Result<void> known = check_placeholders(url); !known) return known.error().message;
  const std::string plain = without_placeholders(url);
  if (plain.contains('#')) return "must not have a fragment (#...): it never reaches a server";
  const auto parsed = boost::urls::parse_uri(plain);
  if (!parsed)
    return "is not a URL; percent-encode blanks and other characters that URLs do not have";
  return port_fault({parsed->port().data(), parsed->port().size()});
}

std::string pointer_token(std::string_view name) {
  std::string token;
  for (const char c : name) {
    if (c == '~')
      token += "~0";
    else if (c == '/')
      token += "~1";
    else
      token += c;
  }
  return token;
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0)
      valid += "\xEF\xBF\xBD";
    else
      valid += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return valid;
}

}  // namespace cronally::core
