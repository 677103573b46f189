#include "net/http_proxy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hmac.h"
#include "base/percent.h"
#include "net/http_header.h"

namespace cronally::net {
namespace {

// The first of these variables that is set.
std::string_view first_set(std::initializer_list<const char*> names, const Environment& variable) {
  for (const char* name : names) {
    const char* const value = variable(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host == "::1" || equal_names(host, "localhost");
}

// "example.com" and ".example.com" list example.com and whatever ends in .example.com.
bool lists(std::string_view entry, std::string_view host) {
  if (entry == "*") return true;
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || entry.size() > host.size()) return false;
  const std::size_t before = host.size() - entry.size();
  return equal_names(host.substr(before), entry) && (before == 0 || host[before - 1] == '.');
}

bool is_exempt(std::string_view list, std::string_view host) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", "), list.size());
    if (lists(list.substr(0, end), host)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

Result<std::optional<HttpProxy>> proxy_for(const HttpOrigin& origin, const Environment& variable) {
  std::string_view text = origin.tls ? first_set({"https_proxy", "HTTPS_PROXY"}, variable)
                                     : first_set({"http_proxy"}, variable);
  if (text.empty()) text = first_set({"all_proxy", "ALL_PROXY"}, variable);
  if (text.empty() || is_loopback(origin.host) ||
      is_exempt(first_set({"no_proxy", "NO_PROXY"}, variable), origin.host)) {
    return std::nullopt;
  }
  std::string url{text};
  if (!url.contains("://")) url.insert(0, "http://");
  url = origin_text(url);
  HttpProxy proxy;
  if (const std::size_t at = url.rfind('@'); at != std::string::npos) {
    const std::size_t begin = url.find("://") + 3;
    const auto credentials = percent_decode(url.substr(begin, at - begin));
    if (!credentials) return fail("invalid_proxy", "the proxy's user is not percent-encoded");
    proxy.authorization = "Basic " + base64(*credentials);
    url.erase(begin, at + 1 - begin);
  }
  const auto where = read_origin(url);
  if (!where || where->tls) {
    return fail("invalid_proxy", fmt::format("the proxy {} is not of the form http://HOST:PORT; "
                                             "correct the variable, or list the host in no_proxy",
                                             url));
  }
  constexpr std::uint16_t port_otherwise = 1080;
  proxy.host = where->host;
  proxy.port = url.ends_with(":80") || where->port != 80 ? where->port : port_otherwise;
  return proxy;
}

}  // namespace cronally::net
