#include "cli/when.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace cronally::cli {
namespace {

cctz::time_zone zone_of(const char* name) {
  cctz::time_zone zone;
  EXPECT_TRUE(cctz::load_time_zone(name, &zone));
  return zone;
}

const Instant now = *parse_instant("2026-11-24T12:00:00Z");

std::string read(std::string_view text, const char* zone = "Europe/Riga") {
  const Result<Instant> at = parse_when(text, zone_of(zone), now);
  return at ? format_instant(*at) : at.error().code + ": " + at.error().message;
}

TEST(When, ReadsEveryWayOfWritingATime) {
  EXPECT_EQ(read("now"), "2026-11-24T12:00:00Z");
  EXPECT_EQ(read("+2h"), "2026-11-24T14:00:00Z");
  EXPECT_EQ(read("-1h30m"), "2026-11-24T10:30:00Z");
  EXPECT_EQ(read("2026-12-01T10:00:00+01:00"), "2026-12-01T09:00:00Z");
  EXPECT_EQ(read("2026-12-01T10:00:00.250Z"), "2026-12-01T10:00:00.250Z");
}

TEST(When, ReadsLocalTimesInTheZone) {
  EXPECT_EQ(read("2026-12-01T10:00"), "2026-12-01T08:00:00Z");
  EXPECT_EQ(read("2026-12-01 10:00:30"), "2026-12-01T08:00:30Z");
  EXPECT_EQ(read("2026-12-01T10:00:00.5"), "2026-12-01T08:00:00.500Z");
  EXPECT_EQ(read("2026-12-01"), "2026-11-30T22:00:00Z");
  EXPECT_EQ(read("2026-07-01T10:00"), "2026-07-01T07:00:00Z");
  EXPECT_EQ(read("2026-12-01T10:00", "UTC"), "2026-12-01T10:00:00Z");
}

TEST(When, RefusesLocalTimesThatAClockChangeMakesUnclear) {
  EXPECT_EQ(read("2026-03-29T03:30"),
            "invalid_time: there is no '2026-03-29T03:30' in that zone: its clock is put forward "
            "then; the change is at 2026-03-29T04:00:00+03:00");
  EXPECT_EQ(read("2026-10-25T03:30"),
            "invalid_time: '2026-10-25T03:30' happens twice in that zone: write "
            "2026-10-25T03:30:00+03:00 or 2026-10-25T03:30:00+02:00");
}

TEST(When, RefusesWhatIsNoTimeAndSaysHowToWriteOne) {
  for (const char* text :
       {"", "tomorrow", "10:00", "2026-13-01", "2026-12-01T25:00", "2026-12-01T"})
    EXPECT_TRUE(read(text).starts_with("invalid_time: " + quote(text) + " is not a time: write"))
        << text << " gave " << read(text);
  EXPECT_TRUE(read("+2").starts_with("invalid_duration")) << read("+2");
  EXPECT_TRUE(read("-90000d").starts_with("invalid_")) << read("-90000d");
}

TEST(When, AsksForAZoneOnlyForLocalTimes) {
  for (const char* text : {"2026-12-01T10:00", "2026-12-01", "2026-12-01 10:00:00.5"})
    EXPECT_TRUE(is_local_time(text)) << text;
  for (const char* text : {"now", "+2h", "2026-12-01T10:00:00Z", "2026-12-01T10:00:00-05:00", "x"})
    EXPECT_FALSE(is_local_time(text)) << text;
}

TEST(When, ShowsLocalTimeWithItsOffset) {
  EXPECT_EQ(format_local(now, zone_of("Europe/Riga")), "2026-11-24T14:00:00+02:00");
  EXPECT_EQ(format_local(now + std::chrono::milliseconds{250}, zone_of("America/St_Johns")),
            "2026-11-24T08:30:00.25-03:30");
}

TEST(When, ShowsDistancesInTwoUnits) {
  using namespace std::chrono_literals;
  EXPECT_EQ(format_relative(now, now), "now");
  EXPECT_EQ(format_relative(now + 400ms, now), "now");
  EXPECT_EQ(format_relative(now + 10s, now), "in 10s");
  EXPECT_EQ(format_relative(now - 10s, now), "10s ago");
  EXPECT_EQ(format_relative(now + 2h + 5min + 9s, now), "in 2h 5m");
  EXPECT_EQ(format_relative(now + 24h + 5min, now), "in 1d");
  EXPECT_EQ(format_relative(now + 24h * 400, now), "in 400d");
}

TEST(When, ShowsLatenessAsFineAsItMatters) {
  EXPECT_EQ(format_lateness(1.26), "+1.3 ms");
  EXPECT_EQ(format_lateness(12.4), "+12 ms");
  EXPECT_EQ(format_lateness(-0.4), "-0.4 ms");
  EXPECT_EQ(format_lateness(2500), "+2.5 s");
}

}  // namespace
}  // namespace cronally::cli
