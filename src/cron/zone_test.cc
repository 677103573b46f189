#include "cron/zone.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

sys_seconds instant(const char* text) { return std::chrono::floor<seconds>(testing::at(text)); }
local_seconds local(const char* text) {
  return local_seconds{instant((std::string{text} + "Z").c_str()).time_since_epoch()};
}

TEST(Zone, IsFixedWithoutClockChanges) {
  EXPECT_TRUE(Zone{cctz::utc_time_zone()}.fixed());
  EXPECT_TRUE(Zone{cctz::fixed_time_zone(seconds{3600})}.fixed());
  EXPECT_FALSE(Zone{testing::fixed_zone("Europe/Riga")}.fixed());
}

TEST(Zone, KnowsTheOffsetOnBothSidesOfAChange) {
  const Zone riga{testing::fixed_zone("Europe/Riga")};
  const auto change = instant("2021-03-28T01:00:00Z");
  const auto winter = riga.stretch_at(change - seconds{1});
  const auto summer = riga.stretch_at(change);
  EXPECT_EQ(summer, winter + 1);
  EXPECT_EQ(riga.offset(winter), seconds{7200});
  EXPECT_EQ(riga.offset(summer), seconds{10800});
  EXPECT_EQ(riga.end(winter), change);
  EXPECT_EQ(riga.begin(summer), change);
  EXPECT_EQ(riga.end(summer), instant("2021-10-31T01:00:00Z"));
}

TEST(Zone, BeginsAndEndsWithStretchesWithoutBound) {
  const Zone riga{testing::fixed_zone("Europe/Riga")};
  const auto first = riga.stretch_at(sys_seconds::min());
  const auto last = riga.stretch_at(sys_seconds::max() - seconds{1});
  EXPECT_EQ(first, 0U);
  EXPECT_EQ(riga.begin(first), sys_seconds::min());
  EXPECT_EQ(riga.end(last), sys_seconds::max());
  EXPECT_GT(last, 400U);  // two changes a year up to 2201
}

struct LookupRow {
  const char* local;
  Zone::Kind kind;
  const char* at;
};

TEST(Zone, TellsUniqueSkippedAndRepeatedLocalTimesApart) {
  using enum Zone::Kind;
  const Zone riga{testing::fixed_zone("Europe/Riga")};
  const std::vector<LookupRow> rows{
      {"2021-03-28T02:59:59", unique, "2021-03-28T00:59:59Z"},
      {"2021-03-28T03:00:00", skipped, "2021-03-28T01:00:00Z"},
      {"2021-03-28T03:59:59", skipped, "2021-03-28T01:00:00Z"},
      {"2021-03-28T04:00:00", unique, "2021-03-28T01:00:00Z"},
      {"2021-10-31T02:59:59", unique, "2021-10-30T23:59:59Z"},
      {"2021-10-31T03:00:00", repeated, "2021-10-31T00:00:00Z"},
      {"2021-10-31T03:59:59", repeated, "2021-10-31T00:59:59Z"},
      {"2021-10-31T04:00:00", unique, "2021-10-31T02:00:00Z"},
  };
  const auto stretches = riga.stretch_at(sys_seconds::max() - seconds{1}) + 1;
  for (const auto& row : rows) {
    for (const std::size_t near : {std::size_t{0}, stretches / 2, stretches - 1}) {
      const auto found = riga.lookup(local(row.local), near);
      EXPECT_EQ(found.kind, row.kind) << row.local;
      EXPECT_EQ(found.at, instant(row.at)) << row.local;
      if (row.kind == unique) continue;
      EXPECT_EQ(found.end - found.begin, seconds{3600}) << row.local;
      EXPECT_LE(found.begin, local(row.local));
      EXPECT_GT(found.end, local(row.local));
    }
  }
}

// Against cctz itself, for each zone of the golden tests and a time of each fortnight.
TEST(Zone, AgreesWithItsSource) {
  for (const auto* name : {"Europe/Riga", "America/New_York", "Africa/Casablanca", "Pacific/Apia",
                           "Australia/Lord_Howe", "Antarctica/Troll", "Europe/Dublin"}) {
    const auto source = testing::fixed_zone(name);
    const Zone zone{source};
    for (sys_seconds at{seconds{-31'000'000}}; at < instant("2200-12-31T00:00:00Z");
         at += seconds{1'209'600 + 3'601}) {
      const auto offset = seconds{source.lookup(at).offset};
      ASSERT_EQ(zone.offset(zone.stretch_at(at)), offset) << name << format_instant(at);
      const auto shown = local_seconds{at.time_since_epoch() + offset};
      const auto civil = cctz::civil_second{1970, 1, 1} + shown.time_since_epoch().count();
      const auto found = zone.lookup(shown);
      ASSERT_EQ(found.at, source.lookup(civil).pre) << name << format_instant(at);
    }
  }
}

TEST(Zone, TablesAreSharedAndMadeByAnyThread) {
  const auto source = testing::fixed_zone("America/Asuncion");
  std::vector<Zone> zones(8, Zone{cctz::utc_time_zone()});
  std::vector<std::thread> threads;
  for (auto& zone : zones) threads.emplace_back([&zone, source] { zone = Zone{source}; });
  for (auto& thread : threads) thread.join();
  for (const auto& zone : zones) EXPECT_EQ(zone.source(), source);
}

}  // namespace
}  // namespace cronally::cron
