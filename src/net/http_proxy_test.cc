#include "net/http_proxy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace cronally::net {
namespace {

using Variables = std::map<std::string, std::string>;

std::string proxy_of(std::string_view url, const Variables& variables) {
  const auto origin = read_origin(origin_text(url));
  const auto proxy = proxy_for(origin.value(), [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
  if (!proxy) return proxy.error().code;
  if (!*proxy) return "none";
  return fmt::format("{}:{} {}", (*proxy)->host, (*proxy)->port, (*proxy)->authorization);
}

TEST(HttpProxy, IsWhatTheEnvironmentNames) {
  struct Row {
    std::string_view url;
    Variables variables;
    std::string_view proxy;
  };
  for (const Row& row : {
           Row{"http://a.test/", {}, "none"},
           Row{"http://a.test/", {{"http_proxy", "http://p:3128"}}, "p:3128 "},
           Row{"http://a.test/", {{"http_proxy", "http://p:3128/x"}}, "p:3128 "},
           Row{"http://a.test/", {{"http_proxy", "p:3128"}}, "p:3128 "},
           Row{"http://a.test/", {{"http_proxy", "p"}}, "p:1080 "},
           Row{"http://a.test/", {{"http_proxy", "p:80"}}, "p:80 "},
           Row{"http://a.test/", {{"http_proxy", "[::1]:3128"}}, "::1:3128 "},
           Row{"http://a.test/", {{"http_proxy", "http://u:p%40x@p:1"}}, "p:1 Basic dTpwQHg="},
           Row{"http://a.test/", {{"http_proxy", ""}, {"all_proxy", "p:1"}}, "p:1 "},
           Row{"http://a.test/", {{"HTTP_PROXY", "p:1"}}, "none"},
           Row{"http://a.test/", {{"https_proxy", "p:1"}}, "none"},
           Row{"https://a.test/", {{"http_proxy", "p:1"}}, "none"},
           Row{"https://a.test/", {{"HTTPS_PROXY", "p:1"}}, "p:1 "},
           Row{"https://a.test/", {{"ALL_PROXY", "p:1"}}, "p:1 "},
           // exempt
           Row{"http://127.0.0.1:1/", {{"http_proxy", "p:1"}}, "none"},
           Row{"http://[::1]:1/", {{"http_proxy", "p:1"}}, "none"},
           Row{"http://LocalHost/", {{"http_proxy", "p:1"}}, "none"},
           Row{"http://a.test/", {{"http_proxy", "p:1"}, {"no_proxy", "*"}}, "none"},
           Row{"http://a.test/", {{"http_proxy", "p:1"}, {"NO_PROXY", "b.test, A.test"}}, "none"},
           Row{"http://a.test/", {{"http_proxy", "p:1"}, {"no_proxy", ".test"}}, "none"},
           Row{"http://a.test/", {{"http_proxy", "p:1"}, {"no_proxy", "test"}}, "none"},
           Row{"http://a.test/", {{"http_proxy", "p:1"}, {"no_proxy", "est,b.a.test"}}, "p:1 "},
           Row{"http://10.0.0.1/", {{"http_proxy", "p:1"}, {"no_proxy", "10.0.0.1"}}, "none"},
           // not of the form
           Row{"http://a.test/", {{"http_proxy", "socks5://p:1"}}, "invalid_proxy"},
           Row{"http://a.test/", {{"http_proxy", "https://p:1"}}, "invalid_proxy"},
           Row{"http://a.test/", {{"http_proxy", "p:0"}}, "invalid_proxy"},
           Row{"http://a.test/", {{"http_proxy", "u:%zz@p:1"}}, "invalid_proxy"},
       }) {
    EXPECT_EQ(proxy_of(row.url, row.variables), row.proxy) << row.url;
  }
}

}  // namespace
}  // namespace cronally::net
