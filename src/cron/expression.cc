#include "cron/expression.h"

#include <array>
#include <bit>

namespace cronally::cron {
namespace {

using std::chrono::local_seconds;

constexpr int day_seconds = 86400;
// Without a year field the search goes one year beyond the span on both sides: in a zone off UTC
// an instant inside the span may have a local date outside it.
constexpr int search_first = year_first - 1;
constexpr int search_last = year_last + 1;

template <class Bits>
constexpr Bits bits_from(Bits bits, int n) {  // those at or above n
  return n >= static_cast<int>(sizeof(Bits) * 8) ? Bits{0} : static_cast<Bits>(bits >> n << n);
}
template <class Bits>
constexpr Bits bits_to(Bits bits, int n) {  // those at or below n
  constexpr int width = sizeof(Bits) * 8;
  if (n < 0) return Bits{0};
  return n >= width - 1 ? bits : static_cast<Bits>(bits & ((Bits{1} << (n + 1)) - 1));
}
template <class Bits>
constexpr int lowest(Bits bits) {
  return std::countr_zero(bits);
}
template <class Bits>
constexpr int highest(Bits bits) {
  return static_cast<int>(std::bit_width(bits)) - 1;
}

// What the calendar says of a year, computed once: divisions are most of the cost of a date.
struct Year {
  std::int32_t first_day;      // 1 January, in days since 1970-01-01
  std::uint8_t first_weekday;  // 0 = Sunday
  bool leap;
};

constexpr auto years = [] {
  std::array<Year, search_last - search_first + 1> table{};
  for (int i = 0; i < static_cast<int>(table.size()); ++i) {
    const std::chrono::year year{search_first + i};
    const std::chrono::sys_days first{year / 1 / 1};
    table[static_cast<std::size_t>(i)] = {
        static_cast<std::int32_t>(first.time_since_epoch().count()),
        static_cast<std::uint8_t>(std::chrono::weekday{first}.c_encoding()), year.is_leap()};
  }
  return table;
}();

// The days of a year before each month: [0] of a common year, [1] of a leap year.
constexpr std::array<std::array<std::int16_t, 13>, 2> days_before{
    {{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
     {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366}}};

struct Month {
  int last;       // its last day, 28-31
  int first;      // the weekday of its first day, 0 = Sunday
  int first_day;  // that day, in days since 1970-01-01
};

Month month_of(int year, int month) {
  const Year& shape = years[static_cast<std::size_t>(year - search_first)];
  const auto& before = days_before[shape.leap ? 1 : 0];
  const int days = before[static_cast<std::size_t>(month - 1)];
  return {before[static_cast<std::size_t>(month)] - days, (shape.first_weekday + days) % 7,
          shape.first_day + days};
}

// The Monday to Friday nearest to `day` inside the month; no bit when the month lacks that day.
std::uint32_t nearest_working_day(const Month& month, int day) {
  if (day > month.last) return 0;
  const int weekday = (month.first + day - 1) % 7;
  int shift = 0;
  if (weekday == 6) shift = day > 1 ? -1 : 2;
  if (weekday == 0) shift = day < month.last ? 1 : -2;
  return 1u << (day + shift);
}

std::uint32_t rare_days(const RareParts& rare, const Month& month) {
  std::uint32_t days = 0;
  for (auto rest = rare.days_from_end; rest != 0; rest &= rest - 1) {
    const int day = month.last - lowest(rest);
    if (day >= 1) days |= 1u << day;
  }
  for (auto rest = rare.nearest_weekdays; rest != 0; rest &= rest - 1) {
    days |= nearest_working_day(month, lowest(rest));
  }
  if (rare.last_working_day) days |= nearest_working_day(month, month.last);
  return days;
}

std::uint32_t rare_weekdays(const RareParts& rare, const Month& month) {
  std::uint32_t days = 0;
  for (auto rest = rare.nth_weekdays; rest != 0; rest &= rest - 1) {
    const int weekday = lowest(rest) / 5;
    const int day = 1 + (weekday - month.first + 7) % 7 + 7 * (lowest(rest) % 5);
    if (day <= month.last) days |= 1u << day;
  }
  const int last_weekday = (month.first + month.last - 1) % 7;
  for (unsigned rest = rare.last_weekdays; rest != 0; rest &= rest - 1) {
    days |= 1u << (month.last - (last_weekday - lowest(rest) + 7) % 7);
  }
  return days;
}

// The first named time of day at or after `from` (seconds of the day); -1 when none is left.
int time_at_or_after(const Fields& fields, int from) {
  const int hour = from / 3600;
  const int minute = from / 60 % 60;
  if (fields.hours >> hour & 1) {
    if (fields.minutes >> minute & 1) {
      const auto seconds = bits_from(fields.seconds, from % 60);
      if (seconds != 0) return hour * 3600 + minute * 60 + lowest(seconds);
    }
    const auto minutes = bits_from(fields.minutes, minute + 1);
    if (minutes != 0) return hour * 3600 + lowest(minutes) * 60 + lowest(fields.seconds);
  }
  const auto hours = bits_from(fields.hours, hour + 1);
  if (hours == 0) return -1;
  return lowest(hours) * 3600 + lowest(fields.minutes) * 60 + lowest(fields.seconds);
}

// The last named time of day at or before `from`; -1 when there is none.
int time_at_or_before(const Fields& fields, int from) {
  const int hour = from / 3600;
  const int minute = from / 60 % 60;
  if (fields.hours >> hour & 1) {
    if (fields.minutes >> minute & 1) {
      const auto seconds = bits_to(fields.seconds, from % 60);
      if (seconds != 0) return hour * 3600 + minute * 60 + highest(seconds);
    }
    const auto minutes = bits_to(fields.minutes, minute - 1);
    if (minutes != 0) return hour * 3600 + highest(minutes) * 60 + highest(fields.seconds);
  }
  const auto hours = bits_to(fields.hours, hour - 1);
  if (hours == 0) return -1;
  return highest(hours) * 3600 + highest(fields.minutes) * 60 + highest(fields.seconds);
}

struct Split {
  int day;      // days since 1970-01-01
  int seconds;  // of that day
};

Split split(local_seconds at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  return {static_cast<int>(day.time_since_epoch().count()), static_cast<int>((at - day).count())};
}

local_seconds join(int day, int seconds) {
  return local_seconds{std::chrono::days{day} + std::chrono::seconds{seconds}};
}

struct Date {
  int year;
  int month;
  int day;
};

Date date_of(int day) {
  const std::chrono::year_month_day ymd{std::chrono::sys_days{std::chrono::days{day}}};
  return {static_cast<int>(ymd.year()), static_cast<int>(static_cast<unsigned>(ymd.month())),
          static_cast<int>(static_cast<unsigned>(ymd.day()))};
}

// The weekday of a day since 1970-01-01, a Thursday; a multiple of 7 is added for days before it.
int weekday_of(int day) { return (day + 4 + 7'000'000) % 7; }

std::uint32_t two_weeks(std::uint32_t weekdays) { return weekdays | weekdays << 7; }

// The days of a month that are named, bit 1 = the first.
std::uint32_t named_days(const Fields& fields, const RareParts* rare, const Month& month) {
  // Seven bits, repeated six times: bit i is weekday i % 7.
  constexpr std::uint64_t weeks = 0x0000'0008'1020'4081;
  std::uint32_t days = fields.days;
  auto weekdays = static_cast<std::uint32_t>((fields.weekdays * weeks) >> month.first << 1);
  if (rare) {
    days |= rare_days(*rare, month);
    weekdays |= rare_weekdays(*rare, month);
  }
  const bool both = fields.day_star || fields.weekday_star;
  return bits_to(both ? days & weekdays : days | weekdays, month.last) & ~1u;
}

constexpr local_seconds search_from =
    std::chrono::local_days{std::chrono::year{search_first} / 1 / 1};
constexpr local_seconds search_to =
    std::chrono::local_days{std::chrono::year{search_last + 1} / 1 / 1} - std::chrono::seconds{1};

}  // namespace

std::uint32_t Expression::days_of(int year, unsigned month) const {
  return named_days(fields_, rare(), month_of(year, static_cast<int>(month)));
}

bool Expression::year_named(int year) const {
  if (fields_.leap_day) return years[static_cast<std::size_t>(year - search_first)].leap;
  if (!rare() || rare()->years.all()) return true;
  return year >= year_first && year <= year_last &&
         rare()->years[static_cast<std::size_t>(year - year_first)];
}

std::optional<int> Expression::day_at_or_after(int day) const {
  if (fields_.every_day) return day;
  if (fields_.weekdays_only) {
    const int weekday = weekday_of(day);
    return day + lowest(two_weeks(fields_.weekdays) >> weekday);
  }
  auto [year, month, first] = date_of(day);
  for (; year <= search_last; ++year, month = 1, first = 1) {
    if (!year_named(year)) continue;
    for (auto months = bits_from(fields_.months, month); months != 0; months &= months - 1) {
      if (lowest(months) != month) first = 1;
      const auto shape = month_of(year, lowest(months));
      const auto days = bits_from(named_days(fields_, rare(), shape), first);
      if (days != 0) return shape.first_day + lowest(days) - 1;
    }
  }
  return std::nullopt;
}

std::optional<int> Expression::day_at_or_before(int day) const {
  if (fields_.every_day) return day;
  if (fields_.weekdays_only) {
    const int weekday = weekday_of(day) + 7;  // of the second week
    return day + highest(bits_to(two_weeks(fields_.weekdays), weekday)) - weekday;
  }
  auto [year, month, last] = date_of(day);
  for (; year >= search_first; --year, month = 12, last = 31) {
    if (!year_named(year)) continue;
    for (auto months = bits_to(fields_.months, month); months != 0;
         months = bits_to(months, highest(months) - 1)) {
      if (highest(months) != month) last = 31;
      const auto shape = month_of(year, highest(months));
      const auto days = bits_to(named_days(fields_, rare(), shape), last);
      if (days != 0) return shape.first_day + highest(days) - 1;
    }
  }
  return std::nullopt;
}

std::optional<local_seconds> Expression::next_local(local_seconds from) const {
  if (from > search_to) return std::nullopt;
  const auto [start, seconds] = split(from < search_from ? search_from : from);
  auto day = day_at_or_after(start);
  if (day == start) {
    const int time = time_at_or_after(fields_, seconds);
    if (time >= 0) return join(start, time);
    day = day_at_or_after(start + 1);
  }
  if (!day) return std::nullopt;
  const auto found = join(*day, time_at_or_after(fields_, 0));
  return found > search_to ? std::nullopt : std::optional(found);
}

std::optional<local_seconds> Expression::prev_local(local_seconds from) const {
  if (from < search_from) return std::nullopt;
  const auto [start, seconds] = split(from > search_to ? search_to : from);
  auto day = day_at_or_before(start);
  if (day == start) {
    const int time = time_at_or_before(fields_, seconds);
    if (time >= 0) return join(start, time);
    day = day_at_or_before(start - 1);
  }
  if (!day) return std::nullopt;
  const auto found = join(*day, time_at_or_before(fields_, day_seconds - 1));
  return found < search_from ? std::nullopt : std::optional(found);
}

}  // namespace cronally::cron
