#include "receiver_request.h"

#include <fmt/format.h>

#include <charconv>

#include "base/json_text.h"
#include "base/percent.h"
#include "base/text.h"

namespace cronally::support {
namespace {

bool equal_names(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Field {
  std::string_view name;
  std::string_view Incoming::* slot;
};

constexpr Field fields[] = {
    {"cronally-run", &Incoming::run},
    {"cronally-job", &Incoming::job},
    {"cronally-job-name", &Incoming::job_name},
    {"cronally-scheduled-at", &Incoming::scheduled_at},
    {"cronally-attempt", &Incoming::attempt},
    {"cronally-fence", &Incoming::fence},
    {"webhook-id", &Incoming::webhook_id},
    {"webhook-timestamp", &Incoming::webhook_timestamp},
    {"webhook-signature", &Incoming::webhook_signature},
};

// False when the field makes the request unreadable.
bool take_field(std::string_view name, std::string_view value, Incoming& out,
                std::size_t& content_length) {
  if (equal_names(name, "content-length")) {
    const auto length = number_of<std::size_t>(value);
    if (!length) return false;
    content_length = *length;
    return true;
  }
  if (equal_names(name, "transfer-encoding")) return false;
  if (equal_names(name, "connection")) {
    out.keep_alive = !equal_names(value, "close");
    return true;
  }
  for (const Field& field : fields) {
    if (equal_names(name, field.name)) out.*field.slot = value;
  }
  return true;
}

}  // namespace

Parsed parse_incoming(std::string_view buffer, Incoming& out) {
  constexpr std::size_t header_max = 64 * 1024;
  constexpr std::size_t body_max = 32 * 1024 * 1024;
  const std::size_t end = buffer.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return buffer.size() > header_max ? Parsed::malformed : Parsed::more;
  }
  std::string_view head = buffer.substr(0, end + 2);
  const std::size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Parsed::malformed;
  out.method = line.substr(0, first);
  out.path = line.substr(first + 1, last - first - 1);
  head.remove_prefix(line_end + 2);
  std::size_t content_length = 0;
  while (!head.empty()) {
    const std::size_t stop = head.find("\r\n");
    const std::string_view field = head.substr(0, stop);
    head.remove_prefix(stop + 2);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) return Parsed::malformed;
    std::string_view value = field.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (!take_field(field.substr(0, colon), value, out, content_length)) return Parsed::malformed;
  }
  if (content_length > body_max) return Parsed::malformed;
  out.size = end + 4 + content_length;
  if (buffer.size() < out.size) return Parsed::more;
  out.body = buffer.substr(end + 4, content_length);
  return Parsed::whole;
}

Result<Behaviour> behaviour_of_mode(std::string_view mode, int status, Duration delay,
                                    int fail_first) {
  Behaviour out{.status = mode == "status" ? status : 200, .fail_first = fail_first};
  if (mode == "log" || mode == "status") return out;
  if (mode == "verify") {
    out.verify = true;
  } else if (mode == "slow") {
    out.delay = delay;
  } else if (mode == "read-then-close") {
    out.act = Act::read_then_close;
  } else if (mode == "garbage") {
    out.act = Act::garbage;
  } else if (mode == "reset") {
    out.act = Act::reset;
  } else if (mode == "hang") {
    out.act = Act::hang;
  } else {
    return fail("unknown_mode", fmt::format("no mode named {}; see --help", mode));
  }
  return out;
}

Behaviour behaviour_of_path(std::string_view path, const Behaviour& otherwise) {
  path = path.substr(0, path.find('?'));
  if (path.starts_with('/')) path.remove_prefix(1);
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view word = path.substr(0, slash);
  std::string_view rest = path.substr(std::min(slash + 1, path.size()));
  const std::string_view argument = rest.substr(0, rest.find('/'));
  if (word == "read-then-close") return {.act = Act::read_then_close};
  if (word == "garbage") return {.act = Act::garbage};
  if (word == "reset") return {.act = Act::reset};
  if (word == "hang") return {.act = Act::hang};
  if (word == "slow") {
    if (const auto delay = parse_duration(argument)) return {.delay = *delay};
  }
  const auto number = number_of<int>(argument);
  if (!number) return otherwise;
  if (word == "status") return {.status = *number};
  if (word == "fail-first") return {.fail_first = *number};
  if (word == "retry-after") return {.status = 503, .retry_after_s = *number};
  return otherwise;
}

std::string log_line(const Incoming& request, Instant at, int status, std::string_view sig) {
  return fmt::format(
      R"({{"t_us":{},"run":"{}","job":"{}","job_name":"{}","scheduled_at":"{}","attempt":{},)"
      R"("fence":{},"path":"{}","method":"{}","status":{},"sig":"{}","body_bytes":{}}})"
      "\n",
      us_of(at), json_escape(request.run), json_escape(request.job),
      json_escape(percent_decode(request.job_name).value_or(std::string{request.job_name})),
      json_escape(request.scheduled_at), number_of<std::int64_t>(request.attempt).value_or(0),
      number_of<std::int64_t>(request.fence).value_or(0), json_escape(request.path),
      json_escape(request.method), status, sig, request.body.size());
}

}  // namespace cronally::support
