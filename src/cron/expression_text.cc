// An expression's canonical text.
#include <fmt/format.h>

#include <bit>
#include <iterator>
#include <string>
#include <utility>

#include "cron/expression.h"

namespace cronally::cron {
namespace {

using Values = std::bitset<256>;

struct Range {
  int low;
  int high;
};

// A list under construction: "1-5,9,20-30/2".
class List {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    if (!text_.empty()) text_ += ',';
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  bool empty() const { return text_.empty(); }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

bool has(const Values& values, int value) { return values[static_cast<std::size_t>(value)]; }

// True when every value of low, low + step, … high is there.
bool holds(const Values& values, Range range, int step) {
  for (int value = range.low; value <= range.high; value += step) {
    if (!has(values, value)) return false;
  }
  return true;
}

void remove(Values& values, Range range, int step) {
  for (int value = range.low; value <= range.high; value += step) {
    values.reset(static_cast<std::size_t>(value));
  }
}

// The smallest step at which the field's first value and all that follow are there.
int star_step(const Values& values, Range field) {
  int step = 1;
  while (step < field.high - field.low + 1 && !holds(values, field, step)) ++step;
  return step;
}

// The end of the row low, low + step, … of which all are there.
int row_end(const Values& values, int low, int step, int field_high) {
  int high = low;
  while (high + step <= field_high && has(values, high + step)) high += step;
  return high;
}

// The values that stand in a run of three or more neighbours.
Values neighbours(const Values& values, Range field) {
  Values found;
  for (int low = field.low; low <= field.high; ++low) {
    if (!has(values, low)) continue;
    const int high = row_end(values, low, 1, field.high);
    for (int value = low; high - low >= 2 && value <= high; ++value) {
      found.set(static_cast<std::size_t>(value));
    }
    low = high;
  }
  return found;
}

// Writes what `values` holds: runs of neighbours as ranges, rows of four or more as stepped
// ranges, the rest one by one. `base` is added to each (years).
void add_values(List& list, Values values, Range field, int base) {
  const Values ranges = neighbours(values, field);
  Values single = values & ~ranges;
  for (int low = field.low; low <= field.high; ++low) {
    if (has(ranges, low)) {
      const int high = row_end(ranges, low, 1, field.high);
      list.add("{}-{}", low + base, high + base);
      low = high;
      continue;
    }
    if (!has(single, low)) continue;
    int step = 1;
    while (low + step <= field.high && !has(single, low + step)) ++step;
    const int high = row_end(single, low, step, field.high);
    if ((high - low) / step < 3) {
      list.add("{}", low + base);
      continue;
    }
    remove(single, {low, high}, step);
    list.add("{}-{}/{}", low + base, high + base, step);
  }
}

// A field whose leading star means nothing: `*` and `*/n` wherever they fit.
std::string plain_field(const Values& values, Range field, int base = 0) {
  const int step = star_step(values, field);
  Values rest = values;
  remove(rest, field, step);
  if (rest.none() && has(values, field.low)) {
    if (step == 1) return "*";
    if (step <= (field.high - field.low) / 2) return fmt::format("*/{}", step);
  }
  List list;
  add_values(list, values, field, base);
  return list.take();
}

// A field in which `*` means more than all its values.
void add_starred(List& list, Values values, Range field, bool star) {
  if (star) {
    const int step = star_step(values, field);
    remove(values, field, step);
    if (step == 1) {
      list.add("*");
    } else {
      list.add("*/{}", step);
    }
  }
  add_values(list, values, field, 0);
}

// Hours and minutes: `*` stands only for what follows real time.
std::string time_field(std::uint64_t values, Range field, bool wild) {
  if (wild) return "*";
  if (std::popcount(values) == field.high + 1) return fmt::format("{}-{}", field.low, field.high);
  return plain_field(Values{values}, field);
}

std::string day_field(const Fields& fields, const RareParts* rare) {
  List list;
  add_starred(list, Values{fields.days}, {1, 31}, fields.day_star);
  if (!rare) return list.take();
  for (int before = 0; before <= 30; ++before) {
    if (!(rare->days_from_end >> before & 1)) continue;
    if (before == 0) {
      list.add("L");
    } else {
      list.add("L-{}", before);
    }
  }
  for (int day = 1; day <= 31; ++day) {
    if (rare->nearest_weekdays >> day & 1) list.add("{}W", day);
  }
  if (rare->last_working_day) list.add("LW");
  return list.take();
}

std::string weekday_field(const Fields& fields, const RareParts* rare) {
  List list;
  add_starred(list, Values{fields.weekdays}, {0, 6}, fields.weekday_star);
  if (!rare) return list.take();
  for (int weekday = 0; weekday < 7; ++weekday) {
    for (int nth = 1; nth <= 5; ++nth) {
      if (rare->nth_weekdays >> (weekday * 5 + nth - 1) & 1) list.add("{}#{}", weekday, nth);
    }
    if (rare->last_weekdays >> weekday & 1) list.add("{}L", weekday);
  }
  return list.take();
}

std::string year_field(const YearSet& years) {
  Values values;
  for (std::size_t i = 0; i < years.size(); ++i) values[i] = years[i];
  return plain_field(values, {0, year_last - year_first}, year_first);
}

}  // namespace

std::string Expression::to_text() const {
  const bool years = rare() && !rare()->years.all();
  std::string text;
  if (fields_.seconds != 1 || years) text = plain_field(Values{fields_.seconds}, {0, 59}) + ' ';
  text += time_field(fields_.minutes, {0, 59}, fields_.minute_wild) + ' ';
  text += time_field(fields_.hours, {0, 23}, fields_.hour_wild) + ' ';
  text += day_field(fields_, rare()) + ' ';
  text += plain_field(Values{fields_.months}, {1, 12}) + ' ';
  text += weekday_field(fields_, rare());
  if (years) text += ' ' + year_field(rare()->years);
  return text;
}

}  // namespace cronally::cron
