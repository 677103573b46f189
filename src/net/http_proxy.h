// Which proxy the environment names for a URL, as a pure function. Only the command line asks;
// deliveries go straight to their targets.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_url.h"

namespace cronally::net {

struct HttpProxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // "Basic …", the value of Proxy-Authorization (RFC 7617), or empty
};

// A variable's value; null or empty: not set (getenv(3)).
using Environment = std::function<const char*(const char* name)>;

// The usual rules of command line tools: http_proxy for http (only in lower case, for a CGI
// program's HTTP_PROXY is a header of its request), https_proxy or HTTPS_PROXY for https, else
// all_proxy or ALL_PROXY; none for hosts that no_proxy or NO_PROXY lists ("*", or names and
// addresses separated by commas or blanks; a name also stands for those that end in it), and none
// for localhost and loopback addresses.
//
//   http_proxy=http://user:word@proxy.example:3128   (without a port: 1080, as curl has it)
//
// Error "invalid_proxy": it is not of that form; other kinds of proxies are not spoken to.
Result<std::optional<HttpProxy>> proxy_for(const HttpOrigin& origin, const Environment& variable);

}  // namespace cronally::net
