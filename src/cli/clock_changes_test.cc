#include "cli/clock_changes.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace cronally::cli {
namespace {

std::vector<std::string> changes(std::string_view text, const char* zone_name = "Europe/Riga",
                                 cron::Dst dst = cron::Dst::run) {
  cctz::time_zone zone;
  EXPECT_TRUE(cctz::load_time_zone(zone_name, &zone));
  cron::Context context{zone};
  context.dst = dst;
  const auto schedule = cron::parse_schedule(text, context);
  EXPECT_TRUE(schedule) << text;
  std::vector<std::string> details;
  for (const ClockChange& change : clock_changes(*schedule, *parse_instant("2026-01-01T00:00:00Z"),
                                                 *parse_instant("2027-01-01T00:00:00Z")))
    details.push_back(change.detail);
  return details;
}

using Details = std::vector<std::string>;

TEST(ClockChanges, TellWhereALeftOutTimeFires) {
  EXPECT_EQ(changes("15 3 * * *"),
            (Details{"2026-03-29: the clock goes from 03:00 to 04:00, leaving out 03:15; it fires "
                     "at 2026-03-29T04:00:00+03:00",
                     "2026-10-25: the clock goes back from 04:00 to 03:00, so 03:15 comes twice; "
                     "it fires the first time only"}));
  EXPECT_EQ(changes("15 3 * * *", "Europe/Riga", cron::Dst::skip).front(),
            "2026-03-29: the clock goes from 03:00 to 04:00, leaving out 03:15; it does not fire "
            "then");
}

TEST(ClockChanges, TellThatRealTimeIsFollowed) {
  EXPECT_EQ(changes("*/30 * * * *"),
            (Details{"2026-03-29: the clock goes from 03:00 to 04:00, leaving out 03:00 and what "
                     "follows; the schedule follows real time, nothing is made up for",
                     "2026-10-25: the clock goes back from 04:00 to 03:00, so 03:00 and what "
                     "follows comes twice; it fires both times"}));
}

TEST(ClockChanges, SayWhatTheClockShows) {
  cctz::time_zone zone;
  ASSERT_TRUE(cctz::load_time_zone("Australia/Lord_Howe", &zone));  // half an hour
  const auto schedule = cron::parse_schedule("15 2 * * *", {zone});
  const auto found = clock_changes(*schedule, *parse_instant("2026-07-01T00:00:00Z"),
                                   *parse_instant("2027-01-01T00:00:00Z"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(format_instant(found[0].at), "2026-10-03T15:30:00Z");
  EXPECT_EQ(found[0].clock_from, "2026-10-04T02:00:00");
  EXPECT_EQ(found[0].clock_to, "2026-10-04T02:30:00");
}

TEST(ClockChanges, AreSilentWhereNothingHappens) {
  EXPECT_EQ(changes("0 9 * * *"), Details{});
  EXPECT_EQ(changes("15 3 * * *", "UTC"), Details{});
  EXPECT_EQ(changes("@every 90s"), Details{});
  EXPECT_EQ(changes("@never"), Details{});
}

}  // namespace
}  // namespace cronally::cli
