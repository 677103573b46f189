#include "net/http_url.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace cronally::net {
namespace {

// "http 127.0.0.1 80 127.0.0.1 /a": scheme, host, port, Host, target; or the fault.
std::string taken_apart(std::string_view url) {
  const auto origin = read_origin(origin_text(url));
  if (!origin) return origin.error().message;
  const auto target = read_target(url);
  if (!target) return target.error().message;
  return fmt::format("{} {} {} {} {}", origin->tls ? "https" : "http", origin->host, origin->port,
                     origin->host_header, *target);
}

TEST(HttpUrl, IsTakenApartAsItWasWritten) {
  struct Row {
    std::string_view url, parts;
  };
  for (const Row& row : {
           Row{"http://h", "http h 80 h /"},
           Row{"HTTPS://Example.COM/", "https Example.COM 443 Example.COM /"},
           Row{"http://h:80/a", "http h 80 h /a"},
           Row{"http://h:443/a", "http h 443 h:443 /a"},
           Row{"https://h:443", "https h 443 h /"},
           Row{"https://h:080443/", "the URL must have a port from 1 to 65535"},
           Row{"http://h:/a", "http h 80 h /a"},
           Row{"http://h?q=/", "http h 80 h /?q=/"},
           Row{"http://h#f?q", "http h 80 h /"},
           Row{"http://h/a/../b//c%2B%2f?x=%2B+y&z=..#f",
               "http h 80 h /a/../b//c%2B%2f?x=%2B+y&z=.."},
           Row{"http://[::1]:8080/", "http ::1 8080 [::1]:8080 /"},
           Row{"http://[2001:DB8::1]", "http 2001:DB8::1 80 [2001:DB8::1] /"},
           Row{"http://0xa9fea9fe/", "http 0xa9fea9fe 80 0xa9fea9fe /"},
           Row{"http://h/a@b:c", "http h 80 h /a@b:c"},
       }) {
    EXPECT_EQ(taken_apart(row.url), row.parts) << row.url;
  }
}

TEST(HttpUrl, WhatIsNoneIsRefused) {
  struct Row {
    std::string_view url, fault;
  };
  for (const Row& row : {
           Row{"", "must start with"},
           Row{"h/a", "must start with"},
           Row{"ftp://h/", "must start with"},
           Row{"file:///etc/passwd", "must start with"},
           Row{"http:/h/", "must start with"},
           Row{"http:///a", "names no host"},
           Row{"http://:80/", "names no host"},
           Row{"http://u:p@h/", "user name"},
           Row{"http://@h/", "user name"},
           Row{"http://[::1/", "no host's name"},
           Row{"http://[::1]x/", "no host's name"},
           Row{"http://[fe80::1%25eth0]/", "no IPv6 address"},
           Row{"http://[]/", "no IPv6 address"},
           Row{"http://::1/", "names no host"},
           Row{"http://h%41/", "no host's name"},
           Row{"http://h\\@x/", "user name"},
           Row{"http://h\r\n/", "no host's name"},
           Row{"http://b\xc3\xbc/", "no host's name"},
           Row{"http://h:0/", "port"},
           Row{"http://h:65536/", "port"},
           Row{"http://h:-1/", "port"},
           Row{"http://h:8 0/", "port"},
           Row{"http://h/a b", "percent-encoded"},
           Row{"http://h/\r\nX: y", "percent-encoded"},
           Row{"http://h/?\x7f", "percent-encoded"},
           Row{"http://h/\xc3\xbc", "percent-encoded"},
       }) {
    EXPECT_NE(taken_apart(row.url).find(row.fault), std::string::npos)
        << row.url << ": " << taken_apart(row.url);
  }
}

}  // namespace
}  // namespace cronally::net
