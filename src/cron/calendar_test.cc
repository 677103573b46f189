// What clock changes do to schedules, one table for each hazard. The rule: docs/schedules.md.
#include "cron/calendar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

using testing::at;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::fires;
using testing::schedule_of;
using Texts = std::vector<std::string>;

// All fires from `from` up to, not including, `to`.
Texts between(const Schedule& schedule, std::string_view from, std::string_view to) {
  Texts found;
  const auto end = at(to);
  for (auto t = next(schedule, at(from) - Duration{1}); t && *t < end; t = next(schedule, *t)) {
    found.push_back(format_instant(*t).substr(11, 5));
  }
  return found;
}

struct DstRow {
  const char* expression;
  Texts spring_run;   // 28 March 2021 in Riga, as UTC; 01:00 UTC is the gap's end, 04:00+03
  Texts spring_skip;  //
  Texts autumn;       // 31 October 2021; 00:00 UTC is 03:00+03, 01:00 UTC is 03:00+02 again
};

// The window: local 02:00 to 06:30, both days.
const std::vector<DstRow> riga_table{
    {"0 3 * * *", {"01:00"}, {}, {"00:00"}},
    {"15 3 * * *", {"01:00"}, {}, {"00:15"}},
    {"0 4 * * *", {"01:00"}, {"01:00"}, {"02:00"}},
    {"59 2 * * *", {"00:59"}, {"00:59"}, {"23:59"}},
    {"30 1,2,3,4,5 * * *",
     {"00:30", "01:00", "01:30", "02:30"},
     {"00:30", "01:30", "02:30"},
     {"23:30", "00:30", "02:30", "03:30"}},
    {"0 1-5 * * *",
     {"00:00", "01:00", "02:00"},
     {"00:00", "01:00", "02:00"},
     {"23:00", "00:00", "02:00", "03:00"}},
    {"0 * * * *",
     {"00:00", "01:00", "02:00", "03:00"},
     {"00:00", "01:00", "02:00", "03:00"},
     {"23:00", "00:00", "01:00", "02:00", "03:00", "04:00"}},
    {"@hourly",
     {"00:00", "01:00", "02:00", "03:00"},
     {"00:00", "01:00", "02:00", "03:00"},
     {"23:00", "00:00", "01:00", "02:00", "03:00", "04:00"}},
    {"5 */1 * * *",
     {"00:05", "01:05", "02:05", "03:05"},
     {"00:05", "01:05", "02:05", "03:05"},
     {"23:05", "00:05", "01:05", "02:05", "03:05", "04:05"}},
    {"0 */3 * * *", {"01:00", "03:00"}, {"03:00"}, {"00:00", "04:00"}},
    {"*/7 3 * * *",
     {"01:00"},
     {},
     {"00:00", "00:07", "00:14", "00:21", "00:28", "00:35", "00:42", "00:49", "00:56"}},
    {"0 0-23 * * *",  // the same times as `*`, but not `*`: fixed
     {"00:00", "01:00", "02:00", "03:00"},
     {"00:00", "01:00", "02:00", "03:00"},
     {"23:00", "00:00", "02:00", "03:00", "04:00"}},
    {"*/10 30 3 * * *", {"01:00"}, {}, {"00:30", "00:30", "00:30", "00:30", "00:30", "00:30"}},
    {"30 30 * * * *",  // a seconds field changes nothing: the hour is `*`
     {"00:30", "01:30", "02:30"},
     {"00:30", "01:30", "02:30"},
     {"23:30", "00:30", "01:30", "02:30", "03:30"}},
};

TEST(ClockChange, RigaFollowsTheTable) {
  for (const auto& row : riga_table) {
    const auto run = schedule_of(row.expression, "Europe/Riga", Dst::run);
    const auto skip = schedule_of(row.expression, "Europe/Riga", Dst::skip);
    const auto spring = [](const Schedule& s) {
      return between(s, "2021-03-28T00:00:00Z", "2021-03-28T03:30:00Z");
    };
    const auto autumn = [](const Schedule& s) {
      return between(s, "2021-10-30T23:00:00Z", "2021-10-31T04:30:00Z");
    };
    EXPECT_THAT(spring(run), ElementsAreArray(row.spring_run)) << row.expression;
    EXPECT_THAT(spring(skip), ElementsAreArray(row.spring_skip)) << row.expression;
    EXPECT_THAT(autumn(run), ElementsAreArray(row.autumn)) << row.expression;
    EXPECT_THAT(autumn(skip), ElementsAreArray(row.autumn)) << row.expression << " skip";
  }
}

TEST(ClockChange, EveryMinuteOfAnOverlapAndNoneOfAGap) {
  const auto schedule = schedule_of("* 1-6 * * *", "Europe/Riga");
  const auto spring = between(schedule, "2021-03-28T00:59:00Z", "2021-03-28T01:02:00Z");
  EXPECT_THAT(spring, ElementsAre("00:59", "01:00", "01:01"));
  EXPECT_EQ(count(schedule, at("2021-10-30T23:59:59Z"), at("2021-10-31T01:59:59Z"), 1000), 120);
}

struct ZoneRow {
  const char* hazard;
  const char* zone;
  const char* expression;
  const char* from;
  Texts run;  // the next three in UTC
};

const std::vector<ZoneRow> zone_table{
    {"a half-hour gap, 02:00-02:30",
     "Australia/Lord_Howe",
     "15 2 * * *",
     "2021-10-02T00:00:00Z",
     {"2021-10-02T15:30:00Z", "2021-10-03T15:15:00Z", "2021-10-04T15:15:00Z"}},
    {"a half-hour overlap, 01:30-02:00: first pass",
     "Australia/Lord_Howe",
     "45 1 * * *",
     "2021-04-03T00:00:00Z",
     {"2021-04-03T14:45:00Z", "2021-04-04T15:15:00Z", "2021-04-05T15:15:00Z"}},
    {"a half-hour overlap for what follows real time",
     "Australia/Lord_Howe",
     "45 * * * *",
     "2021-04-03T14:00:00Z",
     {"2021-04-03T14:45:00Z", "2021-04-03T15:15:00Z", "2021-04-03T16:15:00Z"}},
    {"a two-hour gap, 01:00-03:00: 01:30 and 02:30 merge at its end",
     "Antarctica/Troll",
     "30 1,2,3 * * *",
     "2021-03-28T00:00:00Z",
     {"2021-03-28T01:00:00Z", "2021-03-28T01:30:00Z", "2021-03-28T23:30:00Z"}},
    {"a two-hour overlap, 01:00-03:00",
     "Antarctica/Troll",
     "30 2 * * *",
     "2021-10-30T12:00:00Z",
     {"2021-10-31T00:30:00Z", "2021-11-01T02:30:00Z", "2021-11-02T02:30:00Z"}},
    {"Ramadan: the clock goes back before it, 03:00 to 02:00",
     "Africa/Casablanca",
     "30 2 * * *",
     "2021-04-10T12:00:00Z",
     {"2021-04-11T01:30:00Z", "2021-04-12T02:30:00Z", "2021-04-13T02:30:00Z"}},
    {"Ramadan: and forward after it, 02:00 to 03:00",
     "Africa/Casablanca",
     "30 2 * * *",
     "2021-05-15T12:00:00Z",
     {"2021-05-16T02:00:00Z", "2021-05-17T01:30:00Z", "2021-05-18T01:30:00Z"}},
    {"negative DST: winter time is the deviation",
     "Europe/Dublin",
     "30 1 * * *",
     "2021-10-30T12:00:00Z",
     {"2021-10-31T00:30:00Z", "2021-11-01T01:30:00Z", "2021-11-02T01:30:00Z"}},
    {"a missing day, 30 December 2011",
     "Pacific/Apia",
     "0 12 * * *",
     "2011-12-29T00:00:00Z",
     {"2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"}},
    {"a missing Friday",
     "Pacific/Apia",
     "0 12 * * FRI",
     "2011-12-28T00:00:00Z",
     {"2011-12-30T10:00:00Z", "2012-01-05T22:00:00Z", "2012-01-12T22:00:00Z"}},
    {"another missing day, 21 August 1993",
     "Pacific/Kwajalein",
     "0 12 * * *",
     "1993-08-20T12:00:00Z",
     {"1993-08-21T00:00:00Z", "1993-08-21T12:00:00Z", "1993-08-22T00:00:00Z"}},
    {"a day that begins at 01:00",
     "America/Sao_Paulo",
     "0 0 * * *",
     "2018-11-03T12:00:00Z",
     {"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", "2018-11-06T02:00:00Z"}},
    {"midnight gap, half past",
     "Asia/Beirut",
     "30 0 * * *",
     "2021-03-27T12:00:00Z",
     {"2021-03-27T22:00:00Z", "2021-03-28T21:30:00Z", "2021-03-29T21:30:00Z"}},
    {"midnight gap",
     "Africa/Cairo",
     "0 0 * * *",
     "2014-05-15T12:00:00Z",
     {"2014-05-15T22:00:00Z", "2014-05-16T21:00:00Z", "2014-05-17T21:00:00Z"}},
    {"midnight gap on a first of the week",
     "America/Asuncion",
     "0 0 * * 0",
     "2021-10-02T12:00:00Z",
     {"2021-10-03T04:00:00Z", "2021-10-10T03:00:00Z", "2021-10-17T03:00:00Z"}},
    {"the day ends twice: 23:59 at its first pass",
     "America/Santiago",
     "59 23 * * *",
     "2021-04-03T12:00:00Z",
     {"2021-04-04T02:59:00Z", "2021-04-05T03:59:00Z", "2021-04-06T03:59:00Z"}},
    {"past 2038, by the zone's rule",
     "Europe/Riga",
     "30 3 * * *",
     "2099-03-28T12:00:00Z",
     {"2099-03-29T01:00:00Z", "2099-03-30T00:30:00Z", "2099-03-31T00:30:00Z"}},
};

TEST(ClockChange, EachZonesOwnHazard) {
  for (const auto& row : zone_table) {
    const auto schedule = schedule_of(row.expression, row.zone);
    EXPECT_THAT(fires(schedule, at(row.from), 3), ElementsAreArray(row.run)) << row.hazard;
  }
}

TEST(ClockChange, SkipLosesAWholeMissingDay) {
  EXPECT_THAT(
      fires(schedule_of("0 12 * * *", "Pacific/Apia", Dst::skip), at("2011-12-29T00:00:00Z"), 2),
      ElementsAre("2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"));
}

TEST(ClockChange, AsksFromWithinTheSecondPassOfAnOverlap) {
  const auto schedule = schedule_of("*/20 3 * * *", "Europe/Riga");
  EXPECT_EQ(next(schedule, at("2021-10-31T01:10:00Z")), at("2021-11-01T01:00:00Z"));
  EXPECT_EQ(prev(schedule, at("2021-10-31T01:10:00Z")), at("2021-10-31T00:40:00Z"));
}

// Known bugs of other schedulers.

TEST(KnownBug, CronieLosesTheWeekBehindAClockChange) {  // cronie #218: adds 86,400 s a day
  EXPECT_THAT(fires(schedule_of("30 23 * * SUN", "Europe/Riga"), at("2021-10-24T21:00:00Z"), 2),
              ElementsAre("2021-10-31T21:30:00Z", "2021-11-07T21:30:00Z"));
}

TEST(KnownBug, CronerSkipsAnHourOfUtcBecauseOfTheHostsZone) {  // croner #284
  EXPECT_THAT(between(schedule_of("0 * * * *"), "2021-03-28T00:00:00Z", "2021-03-28T04:00:00Z"),
              ElementsAre("00:00", "01:00", "02:00", "03:00"));
}

TEST(KnownBug, CronerFallsSilentForHalfAMinute) {  // croner #343
  const auto schedule = schedule_of("*/10 * * * * *", "Europe/Riga");
  EXPECT_EQ(count(schedule, at("2021-10-31T00:59:00Z"), at("2021-10-31T01:01:00Z"), 100), 12);
}

TEST(KnownBug, CronerRepeatsHalfPastOneForEver) {  // croner #142
  EXPECT_THAT(fires(schedule_of("30 1 * * *", "America/New_York"), at("2021-11-07T05:30:00Z"), 2),
              ElementsAre("2021-11-08T06:30:00Z", "2021-11-09T06:30:00Z"));
}

TEST(KnownBug, CroniterTakesTheWrongOffsetBehindAClockChange) {  // croniter #91, pull request 92
  EXPECT_THAT(fires(schedule_of("0 0 * * *", "America/Sao_Paulo"), at("2018-02-17T12:00:00Z"), 2),
              ElementsAre("2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"));
}

TEST(KnownBug, KubernetesRunsTwiceInAutumn) {  // kubernetes #121594
  const auto schedule = schedule_of("30 1 * * *", "America/New_York");
  EXPECT_EQ(count(schedule, at("2021-11-07T04:00:00Z"), at("2021-11-08T04:00:00Z"), 10), 1);
}

TEST(KnownBug, RobfigSkipsTheDayWhoseMidnightIsMissing) {
  EXPECT_EQ(next(schedule_of("0 0 * * *", "America/Santiago"), at("2021-09-04T12:00:00Z")),
            at("2021-09-05T04:00:00Z"));
}

TEST(LeapYear, EightYearsPassAround2100) {
  EXPECT_THAT(fires(schedule_of("0 0 29 2 *"), at("2092-03-01T00:00:00Z"), 2),
              ElementsAre("2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"));
  EXPECT_EQ(prev(schedule_of("0 0 29 2 *", "Europe/Riga"), at("2104-02-01T00:00:00Z")),
            at("2096-02-28T22:00:00Z"));
}

TEST(LeapSecond, IsNotCounted) {  // 2016-12-31T23:59:60Z does not exist in POSIX time
  EXPECT_THAT(fires(schedule_of("* * * * * *"), at("2016-12-31T23:59:58Z"), 2),
              ElementsAre("2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z"));
}

TEST(Span, EndsAt2200AndBeginsAt1970) {
  for (const char* zone : {"UTC", "Europe/Riga", "America/New_York", "Pacific/Apia"}) {
    for (const char* text : {"0 * * * *", "0 0-23 * * *"}) {
      const auto schedule = schedule_of(text, zone);
      EXPECT_EQ(next(schedule, at("2199-12-31T23:00:00Z")), std::nullopt) << zone << text;
      EXPECT_EQ(next(schedule, at("2199-12-31T22:00:00Z")), at("2199-12-31T23:00:00Z")) << zone;
      EXPECT_EQ(prev(schedule, at("1970-01-01T01:00:01Z")), at("1970-01-01T01:00:00Z")) << zone;
      EXPECT_EQ(prev(schedule, instant_min), std::nullopt) << zone << text;
      EXPECT_EQ(next(schedule, Instant::min()), next(schedule, instant_min - Duration{1})) << zone;
      EXPECT_EQ(prev(schedule, Instant::max()), at("2199-12-31T23:00:00Z")) << zone << text;
    }
  }
}

TEST(Span, FractionsOfASecondAreOnTheRightSide) {
  const auto schedule = schedule_of("0 9 * * *");
  EXPECT_EQ(next(schedule, at("2026-05-04T08:59:59.999999Z")), at("2026-05-04T09:00:00Z"));
  EXPECT_EQ(next(schedule, at("2026-05-04T09:00:00Z")), at("2026-05-05T09:00:00Z"));
  EXPECT_EQ(prev(schedule, at("2026-05-04T09:00:00.000001Z")), at("2026-05-04T09:00:00Z"));
  EXPECT_EQ(prev(schedule, at("2026-05-04T09:00:00Z")), at("2026-05-03T09:00:00Z"));
}

}  // namespace
}  // namespace cronally::cron
