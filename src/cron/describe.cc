#include "cron/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "base/text.h"

namespace cronally::cron {
namespace {

constexpr std::array<std::string_view, 7> weekday_names{
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 13> month_names{
    "",     "January", "February",  "March",   "April",    "May",     "June",
    "July", "August",  "September", "October", "November", "December"};
constexpr std::array<std::string_view, 5> ordinals{"first", "second", "third", "fourth", "fifth"};

// More clock times than this are told by hours and minutes apart.
constexpr int clock_times_max = 6;

using Phrases = std::vector<std::string>;
using Values = std::vector<int>;

// "a", "a and b", "a, b and c".
std::string joined(const Phrases& phrases, std::string_view last = "and") {
  std::string text;
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    if (i > 0) text += i + 1 == phrases.size() ? fmt::format(" {} ", last) : ", ";
    text += phrases[i];
  }
  return text;
}

Values values_of(std::uint64_t bits) {
  Values values;
  for (; bits != 0; bits &= bits - 1) values.push_back(std::countr_zero(bits));
  return values;
}

// Runs of three or more neighbours become "a to b".
template <class Name>
Phrases runs_of(const Values& values, Name name) {
  Phrases phrases;
  for (std::size_t i = 0; i < values.size();) {
    std::size_t end = i;
    while (end + 1 < values.size() && values[end + 1] == values[end] + 1) ++end;
    if (end - i >= 2) {
      phrases.push_back(fmt::format("{} to {}", name(values[i]), name(values[end])));
      i = end + 1;
    } else {
      phrases.push_back(name(values[i++]));
    }
  }
  return phrases;
}

// Runs of values that go round in `low` … `high`: Friday to Monday is one run.
template <class Name>
Phrases round_runs_of(Values values, int low, int high, Name name) {
  const int cycle = high - low + 1;
  const bool over_the_end = static_cast<int>(values.size()) < cycle && values.size() > 1 &&
                            values.front() == low && values.back() == high;
  if (over_the_end) {  // begin behind the first hole
    auto hole = values.begin();
    while (*(hole + 1) == *hole + 1) ++hole;
    std::transform(values.begin(), hole + 1, values.begin(), [&](int v) { return v + cycle; });
    std::rotate(values.begin(), hole + 1, values.end());
  }
  return runs_of(values, [&](int value) { return name(value > high ? value - cycle : value); });
}

// "2nd", "3rd", "4th"; for 2 to 30.
std::string ordinal(int n) {
  const int last = n / 10 == 1 ? 0 : n % 10;
  return std::to_string(n) + (last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th");
}

std::string plain(int value) { return std::to_string(value); }
std::string weekday_name(int weekday) {
  return std::string{weekday_names[static_cast<std::size_t>(weekday)]};
}
std::string month_name(int month) {
  return std::string{month_names[static_cast<std::size_t>(month)]};
}

// The step of values that begin anywhere below it and go on to the field's end, else 0.
int step_of(const Values& values, int low, int high) {
  if (values.size() < 2) return 0;
  const int step = values[1] - values[0];
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] - values[i - 1] != step) return 0;
  }
  const bool whole = values.front() < low + step && values.back() + step > high;
  return whole ? step : 0;
}

// "every 5 minutes" only where the hour is a multiple, so that the distance never changes.
bool even(int step, int cycle) { return cycle % step == 0; }

bool all_minutes(const Fields& fields) { return std::popcount(fields.minutes) == 60; }
bool all_hours(const Fields& fields) { return std::popcount(fields.hours) == 24; }

// "every 5 minutes", "every minute", or "at minutes 3, 7 and 20": what repeats in each `whole`.
std::string repeated(std::uint64_t bits, std::string_view unit, int cycle) {
  const auto values = values_of(bits);
  if (static_cast<int>(values.size()) == cycle) return fmt::format("every {}", unit);
  const int step = step_of(values, 0, cycle - 1);
  if (step > 1 && even(step, cycle)) {
    const auto text = fmt::format("every {} {}s", step, unit);
    return values.front() == 0 ? text : fmt::format("{} from {} {}", text, unit, values.front());
  }
  return fmt::format("at {}{} {}", unit, values.size() == 1 ? "" : "s",
                     joined(runs_of(values, plain)));
}

std::string hour_phrase(const Fields& fields) {
  const auto values = values_of(fields.hours);
  const int step = step_of(values, 0, 23);
  if (step > 1 && even(step, 24)) {
    const auto text = fmt::format("every {} hours", step);
    return values.front() == 0 ? text : fmt::format("{} from {:02}:00", text, values.front());
  }
  return "";
}

std::string clock(int hour, int minute, int second, bool seconds) {
  return seconds ? fmt::format("{:02}:{:02}:{:02}", hour, minute, second)
                 : fmt::format("{:02}:{:02}", hour, minute);
}

// "At 09:00 and 17:30"; empty when there are too many for a list.
std::string clock_times(const Fields& fields) {
  const auto seconds = values_of(fields.seconds);
  const int times = std::popcount(fields.hours) * std::popcount(fields.minutes) *
                    static_cast<int>(seconds.size());
  if (times > clock_times_max) return "";
  Phrases phrases;
  for (const int hour : values_of(fields.hours)) {
    for (const int minute : values_of(fields.minutes)) {
      for (const int second : seconds) {
        phrases.push_back(clock(hour, minute, second, fields.seconds != 1));
      }
    }
  }
  return "at " + joined(phrases);
}

// The part of the hours in which something repeats: " from 09:00 to 17:59".
std::string within_hours(const Fields& fields) {
  if (all_hours(fields)) return "";
  const auto hours = values_of(fields.hours);
  const int step = step_of(hours, 0, 23);
  if (step > 1 && even(step, 24)) {
    return fmt::format(" in every {} hour from {:02}:00", ordinal(step), hours.front());
  }
  Phrases phrases;
  for (std::size_t i = 0; i < hours.size();) {
    std::size_t end = i;
    while (end + 1 < hours.size() && hours[end + 1] == hours[end] + 1) ++end;
    phrases.push_back(fmt::format("{:02}:00 to {:02}:59", hours[i], hours[end]));
    i = end + 1;
  }
  return " from " + joined(phrases);
}

// One minute of some hours: "every hour from 09:30 to 17:30 and at 20:30".
std::string hours_at(const Fields& fields, int minute) {
  const auto hours = values_of(fields.hours);
  const auto phrases = runs_of(hours, [&](int hour) { return clock(hour, minute, 0, false); });
  if (phrases.size() == hours.size()) return "at " + joined(phrases);
  Phrases parts;
  for (const auto& phrase : phrases) {
    parts.push_back((phrase.find(" to ") == std::string::npos ? "at " : "from ") + phrase);
  }
  return "every hour " + joined(parts);
}

std::string minutes_and_hours(const Fields& fields) {
  if (std::popcount(fields.minutes) != 1) {
    const auto minutes = repeated(fields.minutes, "minute", 60);
    return minutes + (minutes.starts_with("at") ? " of each hour" : "") + within_hours(fields);
  }
  const int minute = std::countr_zero(fields.minutes);
  const auto hours = all_hours(fields) ? "every hour" : hour_phrase(fields);
  if (hours.empty()) return hours_at(fields, minute);
  return minute == 0 ? hours : fmt::format("{} at minute {}", hours, minute);
}

// The minutes in which a second repeats: " of every minute", " of minutes 0 to 5 of each hour".
std::string within_minutes(const Fields& fields, bool fixed_seconds) {
  if (all_minutes(fields)) return fixed_seconds ? " of every minute" : "";
  const auto minutes = values_of(fields.minutes);
  const int step = step_of(minutes, 0, 59);
  if (step > 1 && even(step, 60)) {
    return fmt::format(" in every {} minute from minute {} of each hour", ordinal(step),
                       minutes.front());
  }
  return fmt::format(" {} minute{} {} of each hour", fixed_seconds ? "of" : "in",
                     minutes.size() == 1 ? "" : "s", joined(runs_of(minutes, plain)));
}

std::string time_phrase(const Fields& fields) {
  if (fields.seconds == 1) return minutes_and_hours(fields);
  const auto seconds = repeated(fields.seconds, "second", 60);
  return seconds + within_minutes(fields, seconds.starts_with("at")) + within_hours(fields);
}

Phrases day_phrases(const Fields& fields, const RareParts* rare) {
  Phrases phrases;
  const auto days = values_of(fields.days);
  if (!days.empty() && days.size() < 31) {
    const int step = step_of(days, 1, 31);
    if (step > 1 && days.size() > 3) {
      phrases.push_back(
          fmt::format("every {} day from day {} of the month", ordinal(step), days.front()));
    } else {
      phrases.push_back(fmt::format("day{} {} of the month", days.size() == 1 ? "" : "s",
                                    joined(runs_of(days, plain))));
    }
  }
  if (!rare) return phrases;
  for (const int before : values_of(rare->days_from_end)) {
    phrases.push_back(before == 0 ? "the last day of the month"
                      : before == 1
                          ? "the last day but one of the month"
                          : fmt::format("the day {} days before the month's last", before));
  }
  for (const int day : values_of(rare->nearest_weekdays)) {
    phrases.push_back(fmt::format("the Monday to Friday nearest to day {} of the month", day));
  }
  if (rare->last_working_day) phrases.push_back("the last Monday to Friday of the month");
  return phrases;
}

Phrases weekday_phrases(const Fields& fields, const RareParts* rare) {
  Phrases phrases;
  const auto weekdays = values_of(fields.weekdays);
  if (!weekdays.empty() && weekdays.size() < 7) {
    phrases.push_back(joined(round_runs_of(weekdays, 0, 6, weekday_name)));
  }
  if (!rare) return phrases;
  for (const int bit : values_of(rare->nth_weekdays)) {
    phrases.push_back(fmt::format("the {} {} of the month",
                                  ordinals[static_cast<std::size_t>(bit % 5)],
                                  weekday_name(bit / 5)));
  }
  for (const int weekday : values_of(rare->last_weekdays)) {
    phrases.push_back(fmt::format("the last {} of the month", weekday_name(weekday)));
  }
  return phrases;
}

std::string months_of(const Fields& fields) {
  if (std::popcount(fields.months) == 12) return "";
  return joined(round_runs_of(values_of(fields.months), 1, 12, month_name));
}

// The days alone: "", "day 1 of the month", "day 13 of the month or on Friday".
std::string days_of(const Fields& fields, const RareParts* rare) {
  const bool every_day = std::popcount(fields.days) == 31;
  const bool every_weekday = std::popcount(fields.weekdays) == 7;
  const bool both = fields.day_star || fields.weekday_star;
  if (every_day && every_weekday) return "";
  if (!both && (every_day || every_weekday)) return "";  // "or" with every day is every day
  const auto days = every_day ? "" : joined(day_phrases(fields, rare), "or");
  const auto weekdays = every_weekday ? Phrases{} : weekday_phrases(fields, rare);
  if (weekdays.empty()) return days;
  if (days.empty()) return joined(weekdays);
  return both ? fmt::format("{} if it is {}", days, joined(weekdays, "or"))
              : fmt::format("{} or on {}", days, joined(weekdays));
}

std::string date_phrase(const Fields& fields, const RareParts* rare, bool say_every_day) {
  constexpr std::string_view of_month = " of the month";
  const auto months = months_of(fields);
  const auto days = days_of(fields, rare);
  if (days.empty()) {
    return (say_every_day ? " every day" : "") + (months.empty() ? "" : " in " + months);
  }
  if (months.empty()) return " on " + days;
  const auto place = days.find(of_month);
  const bool alone = place != std::string::npos && place + of_month.size() == days.size();
  if (alone) return fmt::format(" on {} of {}", days.substr(0, place), months);
  return fmt::format(" on {}, in {}", days, months);
}

std::string year_phrase(const RareParts* rare) {
  if (!rare || rare->years.all()) return "";
  Values years;
  for (std::size_t i = 0; i < rare->years.size(); ++i) {
    if (rare->years[i]) years.push_back(static_cast<int>(i) + year_first);
  }
  const int step = step_of(years, years.front(), year_last);
  if (step > 1 && years.size() > 2)
    return fmt::format(", every {} years from {}", step, years.front());
  return fmt::format(", in {}", joined(runs_of(years, plain)));
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') {
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  }
  return text;
}

std::string describe_one(const Never&) { return "Never by itself"; }
std::string describe_one(const Once& once) {
  return fmt::format("Once, at {}", format_instant(once.at));
}
std::string describe_one(const Interval& interval) {
  return fmt::format("Every {}", format_duration(interval.length));
}
// A loader may keep zones under private keys; by agreement with runtime/zone_loader the name is
// what follows the last unit separator.
std::string zone_name(const cctz::time_zone& zone) {
  const auto key = zone.name();
  return key.substr(key.rfind('\x1f') + 1);
}

std::string describe_one(const Calendar& calendar) {
  const auto& fields = calendar.expression.fields();
  const auto* rare = calendar.expression.rare();
  const auto clocks = clock_times(fields);
  auto text = (clocks.empty() ? time_phrase(fields) : clocks) +
              date_phrase(fields, rare, !clocks.empty()) + year_phrase(rare) + ", " +
              zone_name(calendar.zone.source());
  const bool fixed = !calendar.expression.follows_real_time();
  if (calendar.dst == Dst::skip && fixed) text += "; not on days whose clock change removes it";
  return capital(std::move(text));
}

}  // namespace

std::string describe(const Schedule& schedule) {
  return std::visit([](const auto& one) { return describe_one(one); }, schedule);
}

}  // namespace cronally::cron
