// Properties that hold for every schedule, tried on random ones. The texts are made together with
// the sets they mean, by a generator that knows nothing of the parser.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::array<const char*, 14> zones{"UTC",
                                            "Europe/Riga",
                                            "America/New_York",
                                            "Australia/Lord_Howe",
                                            "Europe/Dublin",
                                            "Pacific/Apia",
                                            "Africa/Casablanca",
                                            "Antarctica/Troll",
                                            "Asia/Beirut",
                                            "Africa/Cairo",
                                            "America/Asuncion",
                                            "America/Sao_Paulo",
                                            "Pacific/Kwajalein",
                                            "America/Santiago"};

struct Field {
  std::string text;
  std::set<int> values;
};

int number(int low, int high) { return *rc::gen::inRange(low, high + 1); }

// One element of a list: a value, a range (it may wrap), either with a step, or `*` with a step.
Field element(int low, int high) {
  Field field;
  const int a = number(low, high);
  const int b = number(low, high);
  const int step = number(1, 12) % (high - low + 1) + 1;
  const auto with_step = "/" + std::to_string(step);
  const int size = high - low + 1;
  switch (number(0, 4)) {
    case 0: return {std::to_string(a), {a}};
    case 1:
      field.text = std::to_string(a) + "-" + std::to_string(b);
      for (int i = 0; i <= (b - a + size) % size; ++i)
        field.values.insert(low + (a - low + i) % size);
      return field;
    case 2:
      field.text = std::to_string(a) + "-" + std::to_string(b) + with_step;
      for (int i = 0; i <= (b - a + size) % size; i += step) {
        field.values.insert(low + (a - low + i) % size);
      }
      return field;
    case 3:
      field.text = std::to_string(a) + with_step;
      for (int i = a; i <= high; i += step) field.values.insert(i);
      return field;
    default:
      field.text = "*" + with_step;
      for (int i = low; i <= high; i += step) field.values.insert(i);
      return field;
  }
}

Field list(int low, int high) {
  Field field;
  if (number(0, 3) == 0) {
    field.text = "*";
    for (int i = low; i <= high; ++i) field.values.insert(i);
    return field;
  }
  const int elements = number(1, 3);
  for (int i = 0; i < elements; ++i) {
    auto one = element(low, high);
    field.text += (i > 0 ? "," : "") + one.text;
    field.values.merge(one.values);
  }
  return field;
}

struct Sample {
  Field second, minute, hour, day, month, weekday;
  std::string text() const {
    return second.text + " " + minute.text + " " + hour.text + " " + day.text + " " + month.text +
           " " + weekday.text;
  }
  bool names_day(const cctz::civil_day& date) const {
    const bool day_fits = day.values.contains(date.day());
    // cctz counts from Monday = 0
    const int number_of_day = (static_cast<int>(cctz::get_weekday(date)) + 1) % 7;
    const bool weekday_fits = weekday.values.contains(number_of_day);
    const bool both = day.text[0] == '*' || weekday.text[0] == '*';
    return month.values.contains(date.month()) &&
           (both ? day_fits && weekday_fits : day_fits || weekday_fits);
  }
  bool names(const cctz::civil_second& t) const {
    return second.values.contains(t.second()) && minute.values.contains(t.minute()) &&
           hour.values.contains(t.hour()) && names_day(cctz::civil_day(t));
  }
};

Sample sample() {
  return {list(0, 59), list(0, 59), list(0, 23), list(1, 31), list(1, 12), list(0, 6)};
}

Instant some_instant() {
  return Instant{seconds{*rc::gen::inRange<std::int64_t>(0, 6'500'000'000)}};
}

Schedule parsed(const Sample& one, Dst dst) {
  const auto schedule = parse_schedule(
      one.text(),
      {.zone = testing::fixed_zone(zones[static_cast<std::size_t>(number(0, 13))]), .dst = dst});
  if (!schedule) RC_ASSERT(schedule.error().code == "impossible_schedule");
  RC_PRE(schedule.has_value());
  return *schedule;
}

// The first fire in UTC by looking at each day, hour, minute and second in turn.
std::optional<sys_seconds> naive_next(const Sample& one, sys_seconds after) {
  const auto start = cctz::convert(after + seconds{1}, cctz::utc_time_zone());
  for (cctz::civil_day day(start); day < cctz::civil_day(start) + 1500; ++day) {
    if (!one.names_day(day)) continue;
    for (const int hour : one.hour.values) {
      for (const int minute : one.minute.values) {
        for (const int second : one.second.values) {
          const cctz::civil_second t(day.year(), day.month(), day.day(), hour, minute, second);
          if (t >= start) return cctz::convert(t, cctz::utc_time_zone());
        }
      }
    }
  }
  return std::nullopt;
}

void holds(const std::string& what, const std::function<void()>& property) {
  EXPECT_TRUE(rc::check(what, property));
}

TEST(Property, NextAgreesWithALookAtEveryTimeInTurn) {
  holds("next = naive next", [] {
    const auto one = sample();
    const auto schedule = parse_schedule(one.text(), {.zone = cctz::utc_time_zone()});
    RC_PRE(schedule.has_value());
    const auto after = std::chrono::floor<seconds>(some_instant());
    const auto found = next(*schedule, after);
    if (const auto naive = naive_next(one, after)) {
      RC_ASSERT(found == Instant{*naive});
    } else {
      RC_ASSERT(!found || *found > after + std::chrono::days{1490});
    }
  });
}

TEST(Property, NextIsStrictlyIncreasingAndPrevGoesBack) {
  holds("next and prev", [] {
    const auto schedule = parsed(sample(), number(0, 1) == 0 ? Dst::run : Dst::skip);
    auto at = some_instant();
    for (int i = 0; i < 30; ++i) {
      const auto found = next(schedule, at);
      if (!found) break;
      RC_ASSERT(*found > at);
      RC_ASSERT(next(schedule, *found - Duration{1}) == found);  // nothing in between was missed
      RC_ASSERT(prev(schedule, *found + Duration{1}) == found);
      const auto back = prev(schedule, *found);
      RC_ASSERT(!back || *back < *found);
      if (i > 0) RC_ASSERT(back == at);
      at = *found;
    }
  });
}

TEST(Property, EachFireShowsANamedLocalTimeOrIsAGapsEnd) {
  holds("fires are named", [] {
    const auto one = sample();
    const auto dst = number(0, 1) == 0 ? Dst::run : Dst::skip;
    const auto schedule = parsed(one, dst);
    const auto& zone = std::get<Calendar>(schedule).zone.source();
    auto at = some_instant();
    for (int i = 0; i < 20; ++i) {
      const auto found = next(schedule, at);
      if (!found) break;
      at = *found;
      const auto t = std::chrono::floor<seconds>(at);
      const auto before = zone.lookup(t - seconds{1}).offset;
      const bool gap_end = dst == Dst::run && zone.lookup(t).offset > before;
      RC_ASSERT(gap_end || one.names(cctz::convert(t, zone)));
    }
  });
}

TEST(Property, PrintingAndParsingGiveTheSame) {
  holds("print/parse", [] {
    const auto extra = *rc::gen::element<std::string>("", ",L", ",L-3,15W", ",LW,1W");
    const auto extra_weekday = *rc::gen::element<std::string>("", ",5L", ",MON#2", ",0#5,SATL");
    const auto year = *rc::gen::element<std::string>("", " 2026", " 2000/4", " 1970-2199", " *");
    const auto one = sample();
    const auto text = one.second.text + " " + one.minute.text + " " + one.hour.text + " " +
                      one.day.text + extra + " " + one.month.text + " " + one.weekday.text +
                      extra_weekday + year;
    const auto first = Expression::parse(text, "job");
    RC_PRE(first.has_value());
    const auto second = Expression::parse(first->to_text(), "job");
    RC_ASSERT(second.has_value());
    RC_ASSERT(*second == *first);
    RC_ASSERT(second->to_text() == first->to_text());
  });
}

TEST(Property, AnyBytesAreParsedOrRefusedWithAColumn) {
  holds("any text", [] {
    const auto text = *rc::gen::container<std::string>(rc::gen::weightedOneOf<char>(
        {{8, rc::gen::elementOf(std::string{"0123456789*/-,#?LWH() "})},
         {2, rc::gen::elementOf(std::string{"MONJANSUNFRI@every"})},
         {1, rc::gen::arbitrary<char>()}}));
    const auto schedule = parse_schedule(text, {.zone = cctz::utc_time_zone(), .name = "job"});
    if (schedule) {
      (void)next(*schedule, some_instant());
    } else if (schedule.error().code == "invalid_schedule") {
      RC_ASSERT(schedule.error().message.starts_with("column "));
    } else {
      RC_ASSERT(schedule.error().code == "impossible_schedule");
    }
  });
}

}  // namespace
}  // namespace cronally::cron
