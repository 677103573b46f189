#include "net/http_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "net/http_header.h"

namespace cronally::net {
namespace {

std::unexpected<Error> fault(std::string message) {
  return fail("invalid_url", "the URL " + std::move(message));
}

bool is_host_char(char c) {
  constexpr std::string_view marks = "-._~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         marks.find(c) != std::string_view::npos;
}

bool is_ipv6(const std::string& text) {
  in6_addr ignored;
  return ::inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

// "host", "host:1", "[::1]:1": where the port's colon is, or the end.
std::size_t port_colon(std::string_view authority) {
  const std::size_t from = authority.starts_with('[') ? authority.find(']') : 0;
  return std::min(authority.find(':', std::min(from, authority.size())), authority.size());
}

Result<std::uint16_t> read_port(std::string_view text, std::uint16_t otherwise) {
  if (text.empty()) return otherwise;
  std::uint16_t port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || port == 0) {
    return fault("must have a port from 1 to 65535");
  }
  return port;
}

Result<std::string> read_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    std::string inside{text.substr(1, text.size() - 2)};
    if (!is_ipv6(inside)) return fault("holds brackets around what is no IPv6 address");
    return inside;
  }
  if (text.empty()) return fault("names no host");
  if (!std::ranges::all_of(text, is_host_char)) {
    return fault("holds a character that no host's name has; write other letters as xn--");
  }
  return std::string{text};
}

}  // namespace

std::string_view origin_text(std::string_view url) {
  const std::size_t mark = url.find("://");
  if (mark == std::string_view::npos) return url;
  return url.substr(0, url.find_first_of("/?#", mark + 3));
}

Result<HttpOrigin> read_origin(std::string_view origin) {
  const std::size_t mark = origin.find("://");
  const std::string_view scheme = origin.substr(0, mark);
  HttpOrigin out;
  out.tls = equal_names(scheme, "https");
  if (mark == std::string_view::npos || (!out.tls && !equal_names(scheme, "http"))) {
    return fault("must start with http:// or https://");
  }
  const std::string_view authority = origin.substr(mark + 3);
  if (authority.contains('@')) {
    return fault("must not hold a user name or password; put credentials into headers");
  }
  const std::size_t colon = port_colon(authority);
  auto host = read_host(authority.substr(0, colon));
  if (!host) return fail(host.error());
  const std::uint16_t otherwise = out.tls ? 443 : 80;
  const auto port = read_port(authority.substr(std::min(colon + 1, authority.size())), otherwise);
  if (!port) return fail(port.error());
  out.host = std::move(*host);
  out.port = *port;
  out.host_header = authority.substr(0, colon);
  if (out.port != otherwise) out.host_header += ":" + std::to_string(out.port);
  return out;
}

Result<std::string> read_target(std::string_view url) {
  std::string_view rest = url.substr(origin_text(url).size());
  rest = rest.substr(0, rest.find('#'));
  const bool clean = std::ranges::all_of(rest, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f;
  });
  if (!clean) return fault("holds a character that must be percent-encoded");
  std::string target;
  target.reserve(rest.size() + 1);
  if (!rest.starts_with('/')) target += '/';
  return target.append(rest);
}

}  // namespace cronally::net
