#include "cron/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

using namespace std::chrono_literals;
using testing::at;
using ::testing::ElementsAre;
using testing::fires;
using ::testing::HasSubstr;
using testing::schedule_of;
using ::testing::StartsWith;

Schedule every(std::string_view text, Instant anchor) {
  return *parse_schedule(text, {.zone = cctz::utc_time_zone(), .anchor = anchor});
}

TEST(Never, OwesNothing) {
  const auto never = schedule_of("@never");
  EXPECT_EQ(next(never, instant_min), std::nullopt);
  EXPECT_EQ(prev(never, instant_max), std::nullopt);
  EXPECT_EQ(count(never, instant_min, instant_max, 10), 0);
}

TEST(Once, OwesItsInstantStrictlyAfter) {
  const auto once = schedule_of("@at 2026-12-01T10:00:00.250+01:00");
  const auto due = at("2026-12-01T09:00:00.250Z");
  EXPECT_EQ(next(once, due - 1us), due);
  EXPECT_EQ(next(once, due), std::nullopt);
  EXPECT_EQ(prev(once, due + 1us), due);
  EXPECT_EQ(prev(once, due), std::nullopt);
  EXPECT_EQ(count(once, due - 1us, due, 10), 1);
  EXPECT_EQ(count(once, due, due + 1h, 10), 0);
}

TEST(Interval, FiresOnTheGridOfItsAnchor) {
  const auto grid = every("@every 90s", at("2026-05-04T10:00:00.005Z"));
  EXPECT_THAT(fires(grid, at("2026-05-04T10:00:00.005Z"), 2),
              ElementsAre("2026-05-04T10:01:30.005Z", "2026-05-04T10:03:00.005Z"));
  // before the anchor too: only its phase matters
  EXPECT_EQ(next(grid, at("2026-05-04T09:58:00Z")), at("2026-05-04T09:58:30.005Z"));
  EXPECT_EQ(prev(grid, at("2026-05-04T10:00:00.005Z")), at("2026-05-04T09:58:30.005Z"));
}

TEST(Interval, HasTheEpochForAnchorWhereThereIsNone) {
  EXPECT_EQ(next(schedule_of("@every 1h"), at("2026-05-04T10:20:00Z")), at("2026-05-04T11:00:00Z"));
}

TEST(Interval, ClockChangesDoNotTouchIt) {
  const auto grid = schedule_of("@every 12h", "Europe/Riga");
  EXPECT_THAT(fires(grid, at("2021-03-27T23:00:00Z"), 3),
              ElementsAre("2021-03-28T00:00:00Z", "2021-03-28T12:00:00Z", "2021-03-29T00:00:00Z"));
}

TEST(Interval, CountsInConstantTime) {
  const auto grid = every("@every 1s", instant_from_us(3000));
  EXPECT_EQ(count(grid, instant_min, instant_max, 1'000'000'000'000), 7'258'118'400);
  EXPECT_EQ(count(grid, instant_min, instant_max, 1000), 1000);
  EXPECT_EQ(count(grid, instant_from_us(3000), instant_from_us(1'003'000), 10), 1);
  EXPECT_EQ(count(grid, instant_from_us(5000), instant_from_us(4000), 10), 0);
}

TEST(Interval, StaysInsideTheSpan) {
  const auto grid = every("@every 366d", at("2026-05-04T10:00:00Z"));
  EXPECT_EQ(next(grid, instant_max - 1us), std::nullopt);
  EXPECT_EQ(prev(grid, instant_min), std::nullopt);
  EXPECT_GE(*next(grid, Instant::min()), instant_min);
  EXPECT_LT(*prev(grid, Instant::max()), instant_max);
  const auto far = every("@every 1h", Instant::min());
  EXPECT_TRUE(next(far, at("2026-05-04T10:00:00Z")));
}

TEST(Calendar, CountsUpToItsLimit) {
  const auto hourly = schedule_of("@hourly");
  EXPECT_EQ(count(hourly, at("2026-05-04T10:00:00Z"), at("2026-05-04T12:00:00Z"), 100), 2);
  EXPECT_EQ(count(hourly, at("2026-05-04T10:00:00Z"), at("2026-06-04T10:00:00Z"), 5), 5);
}

TEST(Macro, MeansItsExpression) {
  struct Row {
    const char* macro;
    const char* expression;
  };
  for (const auto& row :
       {Row{"@hourly", "0 * * * *"}, Row{"@daily", "0 0 * * *"}, Row{"@midnight", "0 0 * * *"},
        Row{"@weekly", "0 0 * * 0"}, Row{"@monthly", "0 0 1 * *"}, Row{"@yearly", "0 0 1 1 *"},
        Row{"@annually", "0 0 1 1 *"}, Row{"  @daily ", "0 0 * * *"}}) {
    EXPECT_EQ(std::get<Calendar>(schedule_of(row.macro)).expression,
              std::get<Calendar>(schedule_of(row.expression)).expression)
        << row.macro;
  }
}

TEST(Word, IsRefusedWithANearMatch) {
  EXPECT_EQ(testing::refusal("@dayly"),
            "column 1: '@dayly' is no schedule word; allowed: @hourly, @daily, @midnight, @weekly, "
            "@monthly, @yearly, @annually, @every, @at, @never; did you mean '@daily'?");
  EXPECT_THAT(testing::refusal(" @DAILY"), StartsWith("column 2: '@DAILY' is no schedule word"));
  EXPECT_THAT(testing::refusal("@DAILY"), HasSubstr("did you mean '@daily'?"));
  EXPECT_THAT(testing::refusal("daily"), HasSubstr("did you mean '@daily'?"));
  EXPECT_THAT(testing::refusal("tomorrow"), StartsWith("column 1: 'tomorrow' is no schedule word"));
  EXPECT_EQ(testing::refusal("@reboot"),
            "column 1: '@reboot' is not allowed: a job belongs to no machine that could boot; use "
            "@never and start the job where the machine starts");
  EXPECT_EQ(testing::refusal("@daily 5"),
            "column 8: '5' does not belong after @daily, which stands alone");
}

TEST(Interval, IsRefusedOutsideItsLimits) {
  EXPECT_EQ(testing::refusal("@every"),
            "column 7: the interval is missing; write '@every 90s' or '@every 1h30m'");
  EXPECT_EQ(testing::refusal("@every 999ms"),
            "column 8: the interval 999ms is out of range; allowed: 1s to 366d");
  EXPECT_EQ(testing::refusal("@every 366d1s"),
            "column 8: the interval 366d1s is out of range; allowed: 1s to 366d");
  EXPECT_EQ(testing::refusal("@every 1s1us"),
            "column 8: the interval 1s1us is no whole number of milliseconds");
  EXPECT_THAT(testing::refusal("@every -1s"), StartsWith("column 8: '-1s' is no interval ("));
  for (const char* text : {"@every 1s", "@every 366d", "@every 1s500ms", "@every 1.5s"}) {
    EXPECT_EQ(testing::refusal(text), "accepted") << text;
  }
}

TEST(Once, IsRefusedWhenMalformedOrOutsideTheSpan) {
  EXPECT_EQ(testing::refusal("@at"),
            "column 4: the instant is missing; write '@at 2026-12-01T10:00:00Z' or with an offset");
  EXPECT_THAT(testing::refusal("@at  tomorrow"),
              StartsWith("column 6: 'tomorrow' is no instant ("));
  EXPECT_EQ(testing::refusal("@at 1969-12-31T23:59:59Z"),
            "column 5: 1969-12-31T23:59:59Z is out of range; allowed: 1970 to 2199");
  EXPECT_EQ(testing::refusal("@at 2200-01-01T00:00:00Z"),
            "column 5: 2200-01-01T00:00:00Z is out of range; allowed: 1970 to 2199");
}

TEST(Schedule, IsRefusedWhenEmptyOrTooLong) {
  EXPECT_THAT(testing::refusal(""), StartsWith("column 1: the schedule is empty;"));
  EXPECT_THAT(testing::refusal(" \t"), StartsWith("column 1: the schedule is empty;"));
  const auto blanks = std::string(248, ' ');
  EXPECT_EQ(testing::refusal(blanks + "* * * * *"),
            "column 257: the schedule is 257 bytes long; allowed: 256");
  EXPECT_EQ(testing::refusal(blanks.substr(1) + "* * * * *"), "accepted");
  EXPECT_EQ(testing::refusal_code("@never" + std::string(65536, ' ')), "invalid_schedule");
}

TEST(Schedule, HoldsNoControlCharacter) {
  EXPECT_EQ(testing::refusal("* * * * *\n"),
            "column 10: the control character 0x0A does not belong in a schedule");
  EXPECT_EQ(testing::refusal(std::string_view{"* * * * *\0", 10}),
            "column 10: the control character 0x00 does not belong in a schedule");
  EXPECT_EQ(testing::refusal("*\t* * * *"), "accepted");
}

}  // namespace
}  // namespace cronally::cron
