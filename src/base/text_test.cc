#include "base/text.h"

#include <gtest/gtest.h>

#include <array>

namespace cronally {
namespace {

using namespace std::chrono_literals;

struct InstantRow {
  const char* text;
  std::int64_t us;
};

TEST(Instant, ReadsRfc3339) {
  const InstantRow rows[] = {
      // the forms
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01t00:00:00z", 0},
      {"1970-01-01 00:00:00Z", 0},
      {"2026-12-01T10:00:00.250+01:00", 1796115600250000},
      {"2026-12-01T09:00:00.25Z", 1796115600250000},
      // fractions, and offsets of both signs, across midnight
      {"1970-01-01T00:00:00.000001Z", 1},
      {"1970-01-01T00:00:00.1Z", 100000},
      {"1970-01-01T05:45:00+05:45", 0},
      {"1969-12-31T18:30:00-05:30", 0},
      {"1970-01-01T00:00:00-00:00", 0},
      {"1970-01-01T23:59:00+23:59", 0},
      // calendar: leap days, ends, before the epoch
      {"2000-02-29T00:00:00Z", 951782400000000},
      {"2024-02-29T23:59:59.999999Z", 1709251199999999},
      {"1969-12-31T23:59:59.999999Z", -1},
      {"2200-01-01T00:00:00Z", 7258118400000000},
      {"0000-01-01T00:00:00Z", -62167219200000000},
      {"9999-12-31T23:59:59Z", 253402300799000000},
  };
  for (const auto& row : rows) {
    const auto at = parse_instant(row.text);
    ASSERT_TRUE(at) << row.text << ": " << at.error().message;
    EXPECT_EQ(us_of(*at), row.us) << row.text;
  }
}

struct FaultRow {
  const char* text;
  const char* part;  // of the message
};

TEST(Instant, RefusesWithTheColumn) {
  const FaultRow rows[] = {
      {"", "column 1: expected the year as 4 digits"},
      {"now", "column 1: expected the year"},
      {"2026-12-01", "column 11: expected T"},
      {"26-12-01T00:00:00Z", "column 3: expected the year"},
      {"2026/12/01T00:00:00Z", "column 5: expected '-' after the year"},
      {"2026-13-01T00:00:00Z", "column 6: month 13 is not within 01 to 12"},
      {"2026-00-01T00:00:00Z", "column 6: month 00"},
      {"2026-02-29T00:00:00Z", "column 9: month 02 of 2026 has no day 29"},
      {"2100-02-29T00:00:00Z", "column 9: month 02 of 2100 has no day 29"},
      {"2026-04-31T00:00:00Z", "no day 31"},
      {"2026-01-32T00:00:00Z", "column 9: day 32"},
      {"2026-01-01T24:00:00Z", "column 12: hour 24 is not within 00 to 23"},
      {"2026-01-01T00:60:00Z", "column 15: minute 60"},
      {"2016-12-31T23:59:60Z", "column 18: second 60 is not within 00 to 59"},
      {"2026-01-01T00:00Z", "column 17: expected ':' after the minute"},
      {"2026-01-01T00:00:00", "column 20: expected Z, or an offset"},
      {"2026-01-01T00:00:00.Z", "column 21: expected a digit"},
      {"2026-01-01T00:00:00.1234567Z", "at most 6 digits"},
      {"2026-01-01T00:00:00,5Z", "column 20: expected Z"},
      {"2026-01-01T00:00:00+0100", "column 23: expected ':' in the offset"},
      {"2026-01-01T00:00:00+24:00", "offset hour 24"},
      {"2026-01-01T00:00:00+01:60", "offset minute 60"},
      {"2026-01-01T00:00:00ZZ", "column 21: expected the end"},
      {"2026-01-01T00:00:00Z ", "column 21: expected the end"},
      {" 2026-01-01T00:00:00Z", "column 1"},
      {"-2026-01-01T00:00:00Z", "column 1"},
      {"2026-01-01  00:00:00Z", "column 12: expected the hour"},
  };
  for (const auto& row : rows) {
    const auto at = parse_instant(row.text);
    ASSERT_FALSE(at) << row.text;
    EXPECT_EQ(at.error().code, "invalid_instant");
    EXPECT_NE(at.error().message.find(row.part), std::string::npos) << at.error().message;
    EXPECT_NE(at.error().message.find("write it as"), std::string::npos);
  }
}

TEST(Instant, ANulByteIsNotTheEnd) {
  EXPECT_FALSE(parse_instant(std::string_view{"2026-01-01T00:00:00Z\0", 21}));
  EXPECT_FALSE(parse_instant(std::string_view{"2026-01-01\0", 11}));
}

TEST(Instant, WritesTheShortestFractionOfThreeOrSixDigits) {
  EXPECT_EQ(format_instant(instant_from_us(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_instant(instant_from_us(1796115600250000)), "2026-12-01T09:00:00.250Z");
  EXPECT_EQ(format_instant(instant_from_us(1)), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(format_instant(instant_from_us(1000)), "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(format_instant(instant_from_us(-1)), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_instant(instant_max), "2200-01-01T00:00:00Z");
}

TEST(Instant, WhatIsWrittenIsReadBack) {
  std::uint64_t state = 1;
  for (int i = 0; i < 2000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto at = instant_from_us(static_cast<std::int64_t>(state % 7258118400000000ULL));
    EXPECT_EQ(parse_instant(format_instant(at)), at);
  }
}

struct DurationRow {
  const char* text;
  Duration length;
};

TEST(Duration, ReadsPairsOfNumberAndUnit) {
  const DurationRow rows[] = {
      {"1h30m", 90min},
      {"250ms", 250ms},
      {"90s", 90s},
      {"1.5s", 1500ms},
      {"2d", 48h},
      {"1w", 168h},
      {"0s", 0s},
      {"0w0d0h0m0s0ms0us", 0s},
      {"1w2d3h4m5s6ms7us", 219h + 4min + 5s + 6ms + 7us},
      {"1m500ms", 60500ms},  // "m" before "ms"
      {"5m", 5min},
      {"5ms", 5ms},
      {"007s", 7s},
      {"0.000001s", 1us},
      {"0.5ms", 500us},
      {"1.5h30m", 2h},
      {"5217w6d", duration_max},
  };
  for (const auto& row : rows) {
    const auto length = parse_duration(row.text);
    ASSERT_TRUE(length) << row.text << ": " << length.error().message;
    EXPECT_EQ(*length, row.length) << row.text;
  }
}

TEST(Duration, RefusesWithTheColumn) {
  const FaultRow rows[] = {
      {"", "column 1: expected a number"},
      {"s", "column 1: expected a number"},
      {"5", "column 2: expected a unit after the number"},
      {"1h30", "column 5: expected a unit"},
      {"5 s", "column 2: expected a unit"},
      {" 5s", "column 1: expected a number"},
      {"5s ", "column 3: expected a number"},
      {"-5s", "column 1: expected a number"},
      {"+5s", "column 1: expected a number"},
      {"5sec", "column 2: no unit 'sec'"},
      {"5M", "column 2: no unit 'M'"},
      {"1y", "column 2: no unit 'y'"},
      {"30m1h", "column 5: each unit comes at most once, from large to small"},
      {"1h1h", "column 4: each unit"},
      {"1.s", "column 3: expected a digit"},
      {".5s", "column 1: expected a number"},
      {"1..5s", "column 3: expected a digit"},
      {"1.5us", "not a whole number of microseconds"},
      {"0.0000001s", "not a whole number of microseconds"},
      {"0.0000000000001s", "at most 12 digits"},
      {"1e3s", "column 2: no unit 'e'"},
      {"101000w", "column 1: more than 100 years"},
      {"36525d1us", "column 7: more than 100 years"},
      {"99999999999999999999999999s", "column 1: more than 100 years"},
      {"9223372036854775808us", "more than 100 years"},
  };
  for (const auto& row : rows) {
    const auto length = parse_duration(row.text);
    ASSERT_FALSE(length) << row.text;
    EXPECT_EQ(length.error().code, "invalid_duration");
    EXPECT_NE(length.error().message.find(row.part), std::string::npos) << length.error().message;
    EXPECT_NE(length.error().message.find("w d h m s ms us"), std::string::npos);
  }
}

TEST(Duration, IsWrittenFromLargeToSmall) {
  const DurationRow rows[] = {
      {"0s", 0s},       {"1h30m", 5400s},        {"1m30s", 90s},
      {"1.5s", 1500ms}, {"250ms", 250ms},        {"1.25ms", 1250us},
      {"7us", 7us},     {"1h250ms", 1h + 250ms}, {"1.000001s", 1000001us},
      {"1w", 168h},     {"10d", 240h},           {"2w", 336h},
      {"2w12h", 348h},  {"30d", 720h},           {"-5s", -5s},
  };
  for (const auto& row : rows) EXPECT_EQ(format_duration(row.length), row.text);
  EXPECT_EQ(format_duration(Duration::min()).front(), '-');
}

TEST(Duration, WhatIsWrittenIsReadBack) {
  std::uint64_t state = 7;
  for (int i = 0; i < 2000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    // Of every size: many digits and few.
    const Duration length{static_cast<std::int64_t>((state >> (i % 60)) % 3155760000000000ULL)};
    EXPECT_EQ(parse_duration(format_duration(length)), length) << format_duration(length);
  }
}

constexpr std::array<std::string_view, 7> days{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

TEST(NearMatch, FindsWhatWasProbablyMeant) {
  EXPECT_EQ(near_match("MNO", days), "MON");  // a swap is one edit
  EXPECT_EQ(near_match("mon", days), "MON");
  EXPECT_EQ(near_match("MOON", days), "MON");
  EXPECT_EQ(near_match("MO", days), "MON");
  EXPECT_EQ(near_match("SUT", days), "SUN");  // as near to SAT: the first
  EXPECT_EQ(near_match("TUES", days), "TUE");
  EXPECT_EQ(did_you_mean("TEU", days), "; did you mean 'TUE'?");
}

TEST(NearMatch, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(near_match("XYZ", days), std::nullopt);
  EXPECT_EQ(near_match("", days), std::nullopt);
  EXPECT_EQ(near_match("X", days), std::nullopt);
  EXPECT_EQ(near_match("MON", {}), std::nullopt);
  EXPECT_EQ(near_match(std::string(1 << 20, 'M'), days), std::nullopt);
  EXPECT_EQ(did_you_mean("XYZ", days), "");
}

TEST(NearMatch, AllowsAThirdOfTheWord) {
  constexpr std::array<std::string_view, 1> one{"schedule"};
  EXPECT_EQ(near_match("shcedlue", one), "schedule");  // two swaps in 8 letters
  EXPECT_EQ(near_match("sxhxdxle", one), std::nullopt);
}

TEST(Quote, ShowsTextOnOneLine) {
  EXPECT_EQ(quote("plain"), "'plain'");
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("a\nb\x7F"), "'a\\x0Ab\\x7F'");
  EXPECT_EQ(quote("R\xC4\xABga"), "'R\xC4\xABga'");
  EXPECT_EQ(quote("\xC2\x9B"
                  "31m"),
            "'\\xC2\\x9B31m'");
  EXPECT_EQ(quote("\xFF\xC4"), "'\\xFF\\xC4'");
  EXPECT_EQ(quote("\xED\xA0\x80"), "'\\xED\\xA0\\x80'");
}

TEST(Quote, CutsLongTextsBetweenCharacters) {
  EXPECT_EQ(quote(std::string(60, 'x')), "'" + std::string(60, 'x') + "'");
  EXPECT_EQ(quote(std::string(61, 'x')), "'" + std::string(60, 'x') + "...'");
  EXPECT_EQ(quote(std::string(59, 'x') + "\xC4\xAB"), "'" + std::string(59, 'x') + "...'");
}

}  // namespace
}  // namespace cronally
