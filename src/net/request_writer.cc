#include "net/request_writer.h"

#include <array>
#include <cstdint>

#include "net/http_framing.h"

namespace cronally::net {
namespace {

// To the end in any case: without a way out the compiler looks at many bytes at a time.
bool has_control(std::string_view text) {
  bool found = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    found |= (byte < 0x20 && c != '\t') || byte == 0x7f;
  }
  return found;
}

bool tells_length(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

// What a field means to the message as a whole.
enum class Role : std::uint8_t { none, host, accept, user_agent, framing };

Role role_of(std::string_view name) {
  struct Row {
    std::string_view name;
    Role role;
  };
  constexpr std::array<Row, 7> rows{{{"host", Role::host},
                                     {"accept", Role::accept},
                                     {"user-agent", Role::user_agent},
                                     {"connection", Role::framing},
                                     {"content-length", Role::framing},
                                     {"expect", Role::framing},
                                     {"transfer-encoding", Role::framing}}};
  for (const Row& row : rows) {
    if (row.name.size() == name.size() && equal_names(row.name, name)) return row.role;
  }
  return Role::none;
}

void add_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(value.empty() ? ":" : ": ").append(value).append("\r\n");
}

// Room for everything, so that it is written without growing.
std::size_t length_of(const HttpRequest& request) {
  std::size_t length = request.body.size() + request.url.size() + 256;
  for (const HttpHeader& field : request.headers) {
    length += field.name.size() + field.value.size() + 4;
  }
  return length;
}

}  // namespace

Result<std::string> write_request(const HttpRequest& request, std::string_view host,
                                  std::string_view target, std::string_view user_agent) {
  bool sound = is_token(request.method);
  bool accepts = false;
  bool named = false;
  for (const HttpHeader& field : request.headers) {
    sound = sound && is_token(field.name) && !has_control(field.value);
    const Role role = role_of(field.name);
    accepts |= role == Role::accept;
    named |= role == Role::user_agent;
    if (role == Role::host) host = field.value;
  }
  if (!sound) {
    return fail("malformed",
                "the method, URL or a header holds a character that HTTP does not allow");
  }
  std::string out;
  out.reserve(length_of(request) + user_agent.size());
  out.append(request.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  add_field(out, "Host", host);
  if (!accepts) add_field(out, "Accept", "*/*");
  for (const HttpHeader& field : request.headers) {
    const Role role = role_of(field.name);
    if (role == Role::framing || role == Role::host) continue;
    add_field(out, field.name, field.value);
  }
  if (!named && !user_agent.empty()) add_field(out, "User-Agent", user_agent);
  if (tells_length(request)) {
    add_field(out, "Content-Length", std::to_string(request.body.size()));
  }
  return out.append("\r\n").append(request.body);
}

}  // namespace cronally::net
