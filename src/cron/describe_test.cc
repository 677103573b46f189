#include "cron/describe.h"

#include <gtest/gtest.h>

#include <vector>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

using testing::schedule_of;

struct Row {
  const char* text;
  const char* english;
};

const std::vector<Row> table{
    {"* * * * *", "Every minute, UTC"},
    {"* * * * * *", "Every second, UTC"},
    {"*/5 * * * *", "Every 5 minutes, UTC"},
    {"*/7 * * * *", "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of each hour, UTC"},
    {"3/15 * * * *", "Every 15 minutes from minute 3, UTC"},
    {"5,20 * * * *", "At minutes 5 and 20 of each hour, UTC"},
    {"*/30 * * * *", "Every 30 minutes, UTC"},
    {"0 * * * *", "Every hour, UTC"},
    {"15 * * * *", "Every hour at minute 15, UTC"},
    {"0 9 * * 1-5", "At 09:00 on Monday to Friday, UTC"},
    {"0 9,17 * * *", "At 09:00 and 17:00 every day, UTC"},
    {"*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:59 on Monday to Friday, UTC"},
    {"0 9-17 * * *", "Every hour from 09:00 to 17:00, UTC"},
    {"0 9-12,15-18,20 * * *",
     "Every hour from 09:00 to 12:00, from 15:00 to 18:00 and at 20:00, UTC"},
    {"15 */2 * * *", "Every 2 hours at minute 15, UTC"},
    {"*/10 */2 * * *", "Every 10 minutes in every 2nd hour from 00:00, UTC"},
    {"* 9,12 * * *", "Every minute from 09:00 to 09:59 and 12:00 to 12:59, UTC"},
    {"7,9,20 9-17 * * *", "At minutes 7, 9 and 20 of each hour from 09:00 to 17:59, UTC"},
    {"0 0 1 * *", "At 00:00 on day 1 of the month, UTC"},
    {"0 0 1,15 * *", "At 00:00 on days 1 and 15 of the month, UTC"},
    {"0 0 5/10 * *", "At 00:00 on days 5, 15 and 25 of the month, UTC"},
    {"0 0 */2 * *", "At 00:00 on every 2nd day from day 1 of the month, UTC"},
    {"0 0 13 * 5", "At 00:00 on day 13 of the month or on Friday, UTC"},
    {"0 0 */2 * 1", "At 00:00 on every 2nd day from day 1 of the month if it is Monday, UTC"},
    {"0 0 1-7 * */7", "At 00:00 on days 1 to 7 of the month if it is Sunday, UTC"},
    {"0 0 1-31 * 1", "At 00:00 every day, UTC"},
    {"0 0 13 2 5", "At 00:00 on day 13 of the month or on Friday, in February, UTC"},
    {"0 0 L * *", "At 00:00 on the last day of the month, UTC"},
    {"0 0 L-1 * *", "At 00:00 on the last day but one of the month, UTC"},
    {"0 0 L-3 * *", "At 00:00 on the day 3 days before the month's last, UTC"},
    {"0 0 15W * *", "At 00:00 on the Monday to Friday nearest to day 15 of the month, UTC"},
    {"0 0 LW * *", "At 00:00 on the last Monday to Friday of the month, UTC"},
    {"0 0 1,L * *", "At 00:00 on day 1 of the month or the last day of the month, UTC"},
    {"0 0 * * 5L", "At 00:00 on the last Friday of the month, UTC"},
    {"0 0 * * MON#1,MON#3",
     "At 00:00 on the first Monday of the month and the third Monday of the month, UTC"},
    {"0 0 * * FRI-MON", "At 00:00 on Friday to Monday, UTC"},
    {"0 0 * * 6,0", "At 00:00 on Saturday and Sunday, UTC"},
    {"0 0 29 2 *", "At 00:00 on day 29 of February, UTC"},
    {"0 0 1 JAN,JUL *", "At 00:00 on day 1 of January and July, UTC"},
    {"0 0 1 NOV-FEB *", "At 00:00 on day 1 of November to February, UTC"},
    {"0 0 * 6-8 *", "At 00:00 every day in June to August, UTC"},
    {"*/10 * * * * *", "Every 10 seconds, UTC"},
    {"30 * * * * *", "At second 30 of every minute, UTC"},
    {"15 30 9 * * *", "At 09:30:15 every day, UTC"},
    {"*/10 */5 * * * *", "Every 10 seconds in every 5th minute from minute 0 of each hour, UTC"},
    {"*/10 0-5 9-17 * * *",
     "Every 10 seconds in minutes 0 to 5 of each hour from 09:00 to 17:59, UTC"},
    {"* * 9 * * *", "Every second from 09:00 to 09:59, UTC"},
    {"0 0 12 1 1 * 2030", "At 12:00 on day 1 of January, in 2030, UTC"},
    {"0 0 0 1 1 * 2028/4", "At 00:00 on day 1 of January, every 4 years from 2028, UTC"},
    {"0 0 0 1 1 * 2026-2030", "At 00:00 on day 1 of January, in 2026 to 2030, UTC"},
    {"@weekly", "At 00:00 on Sunday, UTC"},
    {"@every 90s", "Every 1m30s"},
    {"@at 2026-12-01T10:00:00+01:00", "Once, at 2026-12-01T09:00:00Z"},
    {"@never", "Never by itself"},
};

TEST(Describe, SaysItInPlainEnglish) {
  for (const auto& row : table) EXPECT_EQ(describe(schedule_of(row.text)), row.english) << row.text;
}

TEST(Describe, NamesWhatSkipLeavesOut) {
  EXPECT_TRUE(describe(schedule_of("0 3 * * *", "UTC", Dst::skip))
                  .ends_with("; not on days whose clock change removes it"));
  EXPECT_EQ(describe(schedule_of("0 * * * *", "UTC", Dst::skip)), "Every hour, UTC");
}

TEST(Describe, NamesTheZone) {
  EXPECT_TRUE(describe(schedule_of("0 3 * * *", "Europe/Riga")).ends_with("Europe/Riga"));
}

}  // namespace
}  // namespace cronally::cron
