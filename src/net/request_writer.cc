#include "net/request_writer.h"

#include <algorithm>
#include <array>

#include "net/http_framing.h"

namespace cronally::net {
namespace {

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool tells_length(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

bool is_framing(std::string_view name) {
  constexpr std::array<std::string_view, 4> names{"connection", "content-length", "expect",
                                                  "transfer-encoding"};
  return std::ranges::any_of(names, [&](std::string_view each) { return equal_names(each, name); });
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
    accepts |= equal_names(field.name, "accept");
    named |= equal_names(field.name, "user-agent");
    if (equal_names(field.name, "host")) host = field.value;
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
    if (is_framing(field.name) || equal_names(field.name, "host")) continue;
    add_field(out, field.name, field.value);
  }
  if (!named && !user_agent.empty()) add_field(out, "User-Agent", user_agent);
  if (tells_length(request)) {
    add_field(out, "Content-Length", std::to_string(request.body.size()));
  }
  return out.append("\r\n").append(request.body);
}

}  // namespace cronally::net
