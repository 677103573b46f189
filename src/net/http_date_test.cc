#include "net/http_date.h"

#include <gtest/gtest.h>

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

const Instant november_1994 = instant_from_us(784111777'000000);

TEST(HttpDate, IsWrittenAsRfc9110) {
  EXPECT_EQ(http_date(instant_from_us(784111777'123456)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpDate, IsReadInItsThreeForms) {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "Sun Nov 06 08:49:37 1994"}) {
    EXPECT_EQ(parse_http_date(text, november_1994), november_1994) << text;
  }
  const Instant in_2026 = instant_from_us(1795680000'000000);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2026), november_1994)
      << "2094 would be 68 years ahead";
  EXPECT_GT(parse_http_date("Sunday, 06-Nov-70 08:49:37 GMT", in_2026), in_2026);
}

TEST(HttpDate, WhatIsNoneIsNotRead) {
  for (const char* text :
       {"", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 99:49:37 GMT", "Sun Nov  6 08:49:37",
        ", ", " "}) {
    EXPECT_EQ(parse_http_date(text, november_1994), std::nullopt) << text;
  }
}

TEST(HttpDate, ARetryAfterIsAWait) {
  struct Row {
    std::string_view text;
    std::optional<Duration> wait;
  };
  for (const Row& row : {
           Row{"7", 7s},
           Row{"0007", 7s},
           Row{"0", std::nullopt},
           Row{"", std::nullopt},
           Row{"-7", std::nullopt},
           Row{"7s", std::nullopt},
           Row{"soon", std::nullopt},
           Row{"31536001", 24h * 365},
           Row{"99999999999999999999999999", 24h * 365},
           Row{"Sun, 06 Nov 1994 08:49:39 GMT", 2s},
           Row{"Sun, 06 Nov 1994 08:49:37 GMT", std::nullopt},
           Row{"Sun, 06 Nov 1993 08:49:37 GMT", std::nullopt},
           Row{"Sun, 06 Nov 2095 08:49:37 GMT", 24h * 365},
       }) {
    EXPECT_EQ(parse_retry_after(row.text, november_1994), row.wait) << row.text;
  }
}

}  // namespace
}  // namespace cronally::net
