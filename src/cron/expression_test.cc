#include "cron/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <string>
#include <vector>

#include "cron/expression_fields.h"
#include "cron/testing.h"

namespace cronally::cron {
namespace {

using testing::at;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::fires;
using testing::schedule_of;

std::string canonical(std::string_view text) {
  const auto parsed = Expression::parse(text, "job");
  return parsed ? parsed->to_text() : parsed.error().message;
}

struct TextRow {
  const char* text;
  const char* canonical;
};

const std::vector<TextRow> syntax_table{
    // steps
    {"*/5 * * * *", "*/5 * * * *"},
    {"0-59/5 * * * *", "*/5 * * * *"},
    {"10-40/5 * * * *", "10-40/5 * * * *"},
    {"5/15 * * * *", "5-50/15 * * * *"},
    {"*/40 * * * *", "0,40 * * * *"},
    {"*/60 * * * *", "0 * * * *"},
    {"*/1 */1 */1 */1 */1", "* * * * *"},
    // hours and minutes named in full are not the same as `*`
    {"0-59 0-23 1-31 1-12 0-6", "0-59 0-23 1-31 * 0-6"},
    {"*,5 * * * *", "* * * * *"},
    {"5,* * * * *", "0-59 * * * *"},
    // lists and leading zeros
    {"5,1,3 007 01 * *", "1,3,5 7 1 * *"},
    {"1,2,3,9,20,22,24 * * * *", "1-3,9,20,22,24 * * * *"},
    // ranges that wrap
    {"0 22-2 * * *", "0 0-2,22,23 * * *"},
    {"0 22-2/2 * * *", "0 0,2,22 * * *"},
    {"0 0 28-3 * *", "0 0 1-3,28-31 * *"},
    {"0 0 * NOV-FEB *", "0 0 * 1,2,11,12 *"},
    {"0 0 * * FRI-MON", "0 0 * * 0,1,5,6"},
    {"50-10/5 * * * *", "0,5,10,50,55 * * * *"},
    // names, any case
    {"0 9 * jan,Mar MON-fri", "0 9 * 1,3 1-5"},
    // Sunday is 0 and 7
    {"0 0 * * 7", "0 0 * * 0"},
    {"0 0 * * 5-7", "0 0 * * 0,5,6"},
    {"0 0 * * 0-7", "0 0 * * 0-6"},
    {"0 0 * * 7-2", "0 0 * * 0-2"},
    {"0 0 * * SAT-SUN", "0 0 * * 0,6"},
    {"0 0 * * 7-7", "0 0 * * 0"},
    {"0 0 * * 1-7/2", "0 0 * * 0,1,3,5"},
    // ? in the day fields is `*`
    {"0 0 ? * 1", "0 0 * * 1"},
    {"0 0 1 * ?", "0 0 1 * *"},
    // the leading star of a day field is kept
    {"0 0 */2 * 1", "0 0 */2 * 1"},
    {"0 0 1-31/2 * 1", "0 0 1-31/2 * 1"},
    {"0 0 */10,5 * *", "0 0 */10,5 * *"},
    {"0 0 * * */3,MON#2", "0 0 * * */3,1#2"},
    // rare parts
    {"0 0 L * *", "0 0 L * *"},
    {"0 0 l-3,lw,15w,1 * *", "0 0 1,L-3,15W,LW * *"},
    {"0 0 * * 5L,FRI#1,sunL,7#3", "0 0 * * 0#3,0L,5#1,5L"},
    // seconds and years
    {"0 */5 * * * *", "*/5 * * * *"},
    {"*/10 * * * * *", "*/10 * * * * *"},
    {"* * * * * * 2026", "* * * * * * 2026"},
    {"0 0 0 1 1 * 2026,2028-2030", "0 0 0 1 1 * 2026,2028-2030"},
    {"0 0 0 1 1 * 2000/4", "0 0 0 1 1 * 2000-2196/4"},
    {"0 0 0 1 1 * *", "0 0 1 1 *"},
    // blanks
    {"  0\t9  * * 1 ", "0 9 * * 1"},
};

TEST(Expression, PrintsItsCanonicalText) {
  for (const auto& row : syntax_table) EXPECT_EQ(canonical(row.text), row.canonical) << row.text;
}

TEST(Expression, ReadsBackWhatItPrints) {
  for (const auto& row : syntax_table) {
    const auto first = Expression::parse(row.text, "job");
    ASSERT_TRUE(first) << row.text;
    EXPECT_EQ(*Expression::parse(first->to_text(), "job"), *first) << row.text;
  }
}

TEST(Expression, FollowsRealTimeByItsHourAndMinuteOnly) {
  const auto real = [](const char* text) {
    return Expression::parse(text, "")->follows_real_time();
  };
  for (const char* text : {"0 * * * *", "*/30 * * * *", "5 */1 * * *", "* 3 * * *", "*/1 3 * * *",
                           "30 0 * * * *", "* 0 * * * *"}) {
    EXPECT_TRUE(real(text)) << text;
  }
  for (const char* text : {"0 */2 * * *", "0 0-23 * * *", "*/7 3 * * *", "0-59 3 * * *",
                           "* 0 3 * * *", "0 0/1 * * *"}) {
    EXPECT_FALSE(real(text)) << text;
  }
}

// The days of a month, by the rules of the two day fields.

struct DayRow {
  const char* day;
  const char* weekday;
  int year;
  unsigned month;
  std::vector<int> days;
};

const std::vector<DayRow> day_table{
    // May 2026 begins on a Friday and has 31 days.
    {"13", "5", 2026, 5, {1, 8, 13, 15, 22, 29}},  // both restricted: OR
    {"*", "5", 2026, 5, {1, 8, 15, 22, 29}},       // a star: AND
    {"13", "*", 2026, 5, {13}},
    {"*/2", "5", 2026, 5, {1, 15, 29}},  // `*/2` begins with a star: AND
    {"1-31/2", "5", 2026, 5, {1, 3, 5, 7, 8, 9, 11, 13, 15, 17, 19, 21, 22, 23, 25, 27, 29, 31}},
    {"1-7", "*/7", 2026, 5, {3}},  // the first Sunday
    {"?", "5", 2026, 5, {1, 8, 15, 22, 29}},
    {"13", "?", 2026, 5, {13}},
    {"L", "*", 2026, 5, {31}},
    {"L", "*", 2026, 2, {28}},
    {"L", "*", 2028, 2, {29}},
    {"L-3", "*", 2026, 5, {28}},
    {"L-30", "*", 2026, 5, {1}},
    {"L-30", "*", 2026, 4, {}},  // April has 30 days
    {"L-3,1", "*", 2026, 5, {1, 28}},
    {"L", "1", 2026, 5, {4, 11, 18, 25, 31}},  // OR again
    {"LW", "*", 2026, 5, {29}},                // the 31st is a Sunday
    {"LW", "*", 2026, 10, {30}},               // the 31st is a Saturday
    {"LW", "*", 2026, 6, {30}},
    {"15W", "*", 2026, 5, {15}},
    {"2W", "*", 2026, 5, {1}},    // Saturday: the day before
    {"3W", "*", 2026, 5, {4}},    // Sunday: the day after
    {"1W", "*", 2026, 8, {3}},    // Saturday the 1st: not into July
    {"31W", "*", 2026, 5, {29}},  // Sunday the 31st: not into June
    {"31W", "*", 2026, 4, {}},
    {"1W,15W", "*", 2026, 5, {1, 15}},
    {"*", "5L", 2026, 5, {29}},
    {"*", "FRIL", 2026, 2, {27}},
    {"*", "7L", 2026, 5, {31}},
    {"*", "MON#2", 2026, 5, {11}},
    {"*", "5#1", 2026, 5, {1}},
    {"*", "5#5", 2026, 5, {29}},
    {"*", "1#5", 2026, 5, {}},
    {"*", "1#1,1#3", 2026, 5, {4, 18}},
    {"1", "MON#2", 2026, 5, {1, 11}},
};

TEST(Expression, NamesTheDaysOfAMonth) {
  for (const auto& row : day_table) {
    const auto text = std::string{"0 0 "} + row.day + " * " + row.weekday;
    const auto parsed = Expression::parse(text, "job");
    ASSERT_TRUE(parsed) << text;
    std::vector<int> days;
    for (int day = 1; day <= 31; ++day) {
      if (parsed->days_of(row.year, row.month) >> day & 1) days.push_back(day);
    }
    EXPECT_THAT(days, ElementsAreArray(row.days)) << text << " " << row.year << "-" << row.month;
  }
}

// Refusals.

struct RefusalRow {
  const char* text;
  const char* message;
};

constexpr const char* count_help =
    "; allowed: 5 (minute hour day month weekday), 6 (second first) or 7 (year last), or a word "
    "that begins with '@', such as @daily";

const std::vector<RefusalRow> refusal_table{
    // a near match
    {"0 9 * * MNO",
     "column 9: 'MNO' is no day of the week; allowed: 0-7, SUN-SAT, *, ?, lists, ranges, steps, "
     "5L, MON#2, H; did you mean 'MON'?"},
    {"0 9 * * SUNDAY",
     "column 9: 'SUNDAY' is no day of the week; allowed: 0-7, SUN-SAT, *, ?, lists, ranges, steps, "
     "5L, MON#2, H; did you mean 'SUN'?"},
    {"0 0 1 JNA *",
     "column 7: 'JNA' is no month; allowed: 1-12, JAN-DEC, *, lists, ranges, steps, H; did you "
     "mean 'JAN'?"},
    // out of range
    {"60 * * * *", "column 1: '60' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    {"0 24 * * *", "column 3: '24' is no hour; allowed: 0-23, *, lists, ranges, steps, H"},
    {"0 0 0 * *",
     "column 5: '0' is no day of the month; allowed: 1-31, *, ?, lists, ranges, steps, L, L-3, "
     "15W, LW, H"},
    {"0 0 1 13 *",
     "column 7: '13' is no month; allowed: 1-12, JAN-DEC, *, lists, ranges, steps, H"},
    {"0 0 0 1 1 * 1969",
     "column 13: '1969' is no year; allowed: 1970-2199, *, lists, ranges, steps"},
    {"99999999999999999999 * * * *",
     "column 1: '99999999999999999999' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    {"1,2,77 * * * *", "column 5: '77' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    {"0 1-25 * * *", "column 5: '25' is no hour; allowed: 0-23, *, lists, ranges, steps, H"},
    // signs, blanks, other digits
    {"+5 * * * *", "column 1: '+5' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    {"-5 * * * *", "column 1: '-5' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    {"٣ * * * *", "column 1: '٣' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    // missing values
    {",, * * * *",
     "column 1: a value of the minute field is missing; allowed: 0-59, *, lists, ranges, steps, H"},
    {"1, * * * *",
     "column 3: a value of the minute field is missing; allowed: 0-59, *, lists, ranges, steps, H"},
    {"0 1- * * *", "column 5: '' is no hour; allowed: 0-23, *, lists, ranges, steps, H"},
    // steps
    {"*/0 * * * *",
     "column 3: '0' is no step; allowed in the minute field: 1-60 (other intervals: @every, such "
     "as '@every 90m')"},
    {"*/90 * * * *",
     "column 3: '90' is no step; allowed in the minute field: 1-60 (other intervals: @every, such "
     "as '@every 90m')"},
    {"*/-5 * * * *",
     "column 3: '-5' is no step; allowed in the minute field: 1-60 (other intervals: @every, such "
     "as '@every 90m')"},
    {"*/ * * * *",
     "column 3: '' is no step; allowed in the minute field: 1-60 (other intervals: @every, such "
     "as '@every 90m')"},
    // what does not belong there
    {"0-59~5 * * * *",
     "column 5: '~5' does not belong after '0-59'; allowed in the minute field: 0-59, *, lists, "
     "ranges, steps, H"},
    {"*5 * * * *",
     "column 2: '5' does not belong after '*'; allowed in the minute field: 0-59, *, lists, "
     "ranges, steps, H"},
    {"? * * * *",
     "column 1: '?' is allowed in the day and weekday fields only; for every minute write '*'"},
    {"L * * * *", "column 1: 'L' is no minute; allowed: 0-59, *, lists, ranges, steps, H"},
    {"0 0 L-31 * *",
     "column 7: '31' is no number of days before the last one; allowed after 'L-': 1-30"},
    {"0 0 32W * *",
     "column 5: '32W' is no day of the month; allowed: 1-31, *, ?, lists, ranges, steps, L, L-3, "
     "15W, LW, H"},
    {"0 0 * * MON#6", "column 13: '6' counts no weekday of a month; allowed after '#': 1-5"},
    {"0 0 * * L",
     "column 9: 'L' alone is no day of the week; write '6L' for the month's last Saturday, or "
     "'SAT' for each"},
    {"0 0 0 1 1 * 2030-2020",
     "column 18: the range ends at 2020 before it begins at 2030; write the smaller year first"},
    // H
    {"0 0 0 1 1 * H",
     "column 13: 'H' is not allowed in the year field; allowed: 1970-2199, *, lists, ranges, "
     "steps"},
    {"H(0-29 * * * *", "column 7: ')' is missing; write H(a-b), such as H(0-29)"},
    {"H(29) * * * *", "column 5: '-' is missing; write H(a-b), such as H(0-29)"},
    {"H(29-0) * * * *", "column 6: the range of H ends at 0 before it begins at 29"},
    {"H(0-9)/20 * * * *", "column 8: step 20 is larger than the 10 values of 0-9"},
};

TEST(Expression, RefusesWithColumnFindingAndRemedy) {
  for (const auto& row : refusal_table) {
    EXPECT_EQ(testing::refusal(row.text), row.message) << row.text;
    EXPECT_EQ(testing::refusal_code(row.text), "invalid_schedule") << row.text;
  }
}

TEST(Expression, RefusesAnyOtherNumberOfFields) {
  EXPECT_EQ(testing::refusal("* * * *"), std::string{"column 8: found 4 fields"} + count_help);
  EXPECT_EQ(testing::refusal("5"), std::string{"column 2: found 1 field"} + count_help);
  EXPECT_EQ(testing::refusal("* * * * * * * 9"),
            std::string{"column 15: found 8 fields"} + count_help);
}

TEST(Expression, RefusesAnImpossibleDate) {
  for (const char* text :
       {"0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 29 2 * 2025", "0 0 0 29 2 * 2100",
        "0 0 L-30 2 *", "0 0 31W 2,4 *", "0 0 0 29 2 MON 2027"}) {
    if (std::string_view{text}.ends_with("MON 2027")) continue;  // OR: Mondays of February
    EXPECT_EQ(testing::refusal_code(text), "impossible_schedule") << text;
  }
  EXPECT_EQ(testing::refusal("0 0 31 2 *"),
            "'0 0 31 2 *' names no date from 1970 to 2199, so it would never be due; change the "
            "day, month or year field");
  for (const char* text : {"0 0 29 2 *", "0 0 31 2 MON", "0 0 0 29 2 * 2096-2104", "0 0 * 2 1#5"}) {
    EXPECT_EQ(testing::refusal(text), "accepted") << text;
  }
}

// H. These numbers are part of the API: they must never change.

TEST(Hash, IsThatOfNameZeroByteAndField) {
  // python3: int.from_bytes(hashlib.sha256(b"backup\0minute").digest()[:8], "big")
  EXPECT_EQ(hash_of("backup", FieldKind::minute) % 60, 34u);
  EXPECT_EQ(hash_of("backup", FieldKind::minute), 5507022600398530714u);
  EXPECT_EQ(hash_of("report", FieldKind::minute), 9807918502345713811u);
}

TEST(Hash, StaysWithinWhatItMayChoose) {
  for (int i = 0; i < 500; ++i) {
    const auto name = "job-" + std::to_string(i);
    const auto hashed = Expression::parse("H H H H H H", name);
    ASSERT_TRUE(hashed);
    EXPECT_EQ(std::popcount(hashed->fields().days), 1);
    EXPECT_LE(std::bit_width(hashed->fields().days), 29);  // at most the 28th
    EXPECT_EQ(std::popcount(hashed->fields().weekdays), 1);
    EXPECT_EQ(std::popcount(hashed->fields().minutes), 1);
    const auto ranged = Expression::parse("H(10-19) H/6 * * *", name);
    ASSERT_TRUE(ranged);
    EXPECT_EQ(ranged->fields().minutes >> 10 << 10 & 0xfffff, ranged->fields().minutes);
    EXPECT_EQ(std::popcount(ranged->fields().hours), 4);
    EXPECT_FALSE(ranged->follows_real_time());
  }
}

TEST(Hash, SpreadsNamesEvenly) {
  std::vector<int> hits(60);
  for (int i = 0; i < 6000; ++i) {
    ++hits[hash_of("job-" + std::to_string(i), FieldKind::minute) % 60];
  }
  for (const int n : hits) EXPECT_NEAR(n, 100, 45);
}

TEST(Hash, GivesEachFieldItsOwnNumber) {
  std::set<std::uint64_t> seen;
  for (int kind = 0; kind < 7; ++kind) seen.insert(hash_of("job", static_cast<FieldKind>(kind)));
  EXPECT_EQ(seen.size(), 7u);
}

TEST(Hash, NeedsTheJobsName) {
  const auto parsed = Expression::parse("H * * * *", "");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message,
            "column 1: 'H' hashes the job's name, and there is none; give the name too");
}

TEST(Hash, StepsBeginAnywhereBelowTheStep) {
  const auto parsed = Expression::parse("H(0-29)/10 * * * *", "job");
  ASSERT_TRUE(parsed);
  const auto shift = hash_of("job", FieldKind::minute) % 10;
  EXPECT_EQ(parsed->fields().minutes, std::uint64_t{0x100401} << shift);
}

TEST(Expression, IsSmall) { EXPECT_LE(sizeof(Expression), 48u); }

}  // namespace
}  // namespace cronally::cron
