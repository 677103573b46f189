#include "cron/describe.h"

#include <fmt/format.h>

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

std::string plain(int value) { return std::to_string(value); }
std::string weekday_name(int weekday) {
  return std::string{weekday_names[static_cast<std::size_t>(weekday)]};
}
std::string month_name(int month) {
  return std::string{month_names[static_cast<std::size_t>(month)]};
}

// The step of values that begin anywhere below it and go on to the field's end, else 0.
// Only three values or more make a step.
int step_of(const Values& values, int low, int high) {
  if (values.size() < 3) return 0;
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
bool all_seconds(const Fields& fields) { return std::popcount(fields.seconds) == 60; }

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

// The part of the hours in which something repeats: "between 09:00 and 17:59".
std::string within_hours(const Fields& fields) {
  if (all_hours(fields)) return "";
  if (const auto stepped = hour_phrase(fields); !stepped.empty()) {
    return fmt::format(" in the hour that begins {}", stepped);
  }
  const auto hours = values_of(fields.hours);
  Phrases phrases;
  for (std::size_t i = 0; i < hours.size();) {
    std::size_t end = i;
    while (end + 1 < hours.size() && hours[end + 1] == hours[end] + 1) ++end;
    phrases.push_back(fmt::format("{:02}:00 to {:02}:59", hours[i], hours[end]));
    i = end + 1;
  }
  return " from " + joined(phrases);
}

std::string minutes_and_hours(const Fields& fields) {
  const bool one_minute = std::popcount(fields.minutes) == 1;
  if (one_minute && all_hours(fields)) {
    return fields.minutes == 1
               ? "every hour"
               : fmt::format("every hour at minute {}", std::countr_zero(fields.minutes));
  }
  if (one_minute) {
    const int minute = std::countr_zero(fields.minutes);
    if (const auto hours = hour_phrase(fields); !hours.empty()) {
      return minute == 0 ? hours : fmt::format("{} at minute {}", hours, minute);
    }
    Phrases phrases =
        runs_of(values_of(fields.hours), [&](int hour) { return clock(hour, minute, 0, false); });
    const bool runs = phrases.size() < values_of(fields.hours).size();
    return fmt::format("{} {}", runs ? "each hour at" : "at", joined(phrases));
  }
  const auto minutes = repeated(fields.minutes, "minute", 60);
  const bool fixed = minutes.starts_with("at");
  if (!fixed) return minutes + within_hours(fields);
  return fmt::format("{} of each hour{}", minutes, within_hours(fields));
}

std::string time_phrase(const Fields& fields) {
  if (const auto clocks = clock_times(fields); !clocks.empty()) return clocks;
  if (fields.seconds == 1) return minutes_and_hours(fields);
  const auto seconds = repeated(fields.seconds, "second", 60);
  if (all_minutes(fields) && all_hours(fields)) {
    return all_seconds(fields) || !seconds.starts_with("at")
               ? seconds
               : fmt::format("{} of every minute", seconds);
  }
  if (all_minutes(fields)) {
    return fmt::format("{}{}{}", seconds, seconds.starts_with("at") ? " of each minute" : "",
                       within_hours(fields));
  }
  const auto minutes = joined(runs_of(values_of(fields.minutes), plain));
  return fmt::format("{} of minute{} {} of each hour{}", seconds,
                     std::popcount(fields.minutes) == 1 ? "" : "s", minutes, within_hours(fields));
}

Phrases day_phrases(const Fields& fields, const RareParts* rare) {
  Phrases phrases;
  const auto days = values_of(fields.days);
  if (!days.empty() && days.size() < 31) {
    const int step = step_of(days, 1, 31);
    if (step > 1) {
      phrases.push_back(
          step == 2 && days.front() == 1
              ? "each odd day of the month"
              : fmt::format("every {} days of the month from day {}", step, days.front()));
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
    phrases.push_back(joined(runs_of(weekdays, weekday_name)));
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

std::string date_phrase(const Fields& fields, const RareParts* rare) {
  const bool every_day = std::popcount(fields.days) == 31;
  const bool every_weekday = std::popcount(fields.weekdays) == 7;
  const bool both = fields.day_star || fields.weekday_star;
  if (every_day && every_weekday) return "";
  if (!both && (every_day || every_weekday)) return "";  // "or" with every day is every day
  const auto days = every_day ? "" : joined(day_phrases(fields, rare), "or");
  const auto weekdays = every_weekday ? "" : joined(weekday_phrases(fields, rare));
  if (weekdays.empty()) return " on " + days;
  if (days.empty()) return " on " + weekdays;
  return both ? fmt::format(" on {} if it is {}", days, joined(weekday_phrases(fields, rare), "or"))
              : fmt::format(" on {} or on {}", days, weekdays);
}

std::string month_phrase(const Fields& fields) {
  if (std::popcount(fields.months) == 12) return "";
  return " in " + joined(runs_of(values_of(fields.months), month_name));
}

std::string year_phrase(const RareParts* rare) {
  if (!rare || rare->years.all()) return "";
  Values years;
  for (std::size_t i = 0; i < rare->years.size(); ++i) {
    if (rare->years[i]) years.push_back(static_cast<int>(i) + year_first);
  }
  const int step = step_of(years, years.front(), year_last);
  if (step > 1) return fmt::format(", every {} years from {}", step, years.front());
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
std::string describe_one(const Calendar& calendar) {
  const auto& fields = calendar.expression.fields();
  const auto* rare = calendar.expression.rare();
  auto text = time_phrase(fields) + date_phrase(fields, rare) + month_phrase(fields) +
              year_phrase(rare) + ", " + calendar.zone.name();
  const bool fixed = !calendar.expression.follows_real_time();
  if (calendar.dst == Dst::skip && fixed) text += "; not on days whose clock change removes it";
  return capital(std::move(text));
}

}  // namespace

std::string describe(const Schedule& schedule) {
  return std::visit([](const auto& one) { return describe_one(one); }, schedule);
}

}  // namespace cronally::cron
