// A cron expression, compiled: which local dates and times of day does it name?
//
// It knows nothing of zones. Local time is std::chrono::local_seconds: the seconds that a wall
// calendar and a wall clock show, counted from 1970-01-01 00:00:00 as if there were no zone.
// schedule.h lays a zone over it.
//
// Fields, 5, 6 or 7 of them, parted by blanks or tabs:
//   [second] minute hour day month weekday [year]      (6: second first; 7: year last as well)
// What each may hold, the rule that joins the two day fields and what H means: docs/schedules.md.
//
// Worked example: "0 9 * * MON-FRI" names 09:00:00 of each Monday to Friday. From Saturday
// 2026-05-02 00:00:00, next_local gives Monday 2026-05-04 09:00:00.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cronally::cron {

inline constexpr int year_first = 1970;
inline constexpr int year_last = 2199;

// One bit for each year, bit 0 = year_first.
using YearSet = std::bitset<year_last - year_first + 1>;

// The parts that few expressions have. They live apart, so that the usual ones stay small.
struct RareParts {
  YearSet years{};                     // all of them when the field is missing or covers all
  std::uint64_t nth_weekdays = 0;      // "MON#2": bit weekday * 5 + (n - 1)
  std::uint32_t nearest_weekdays = 0;  // "15W": bit 15
  std::uint32_t days_from_end = 0;     // "L": bit 0; "L-3": bit 3
  std::uint8_t last_weekdays = 0;      // "5L": bit 5
  bool last_working_day = false;       // "LW"
  friend bool operator==(const RareParts&, const RareParts&) = default;
};

// The fields as bit sets: bit n = value n. Weekdays: 0 = Sunday … 6 = Saturday; 7 is stored as 0.
struct Fields {
  std::uint64_t seconds = 1;
  std::uint64_t minutes = 0;
  std::uint32_t hours = 0;
  std::uint32_t days = 0;          // bits 1-31
  std::uint16_t months = 0;        // bits 1-12
  std::uint8_t weekdays = 0;       // bits 0-6
  bool minute_wild : 1 = false;    // `*`, `*/1`
  bool hour_wild : 1 = false;      // `*`, `*/1`
  bool day_star : 1 = false;       // starts with `*`, or is `?`
  bool weekday_star : 1 = false;   // starts with `*`, or is `?`
  bool every_day : 1 = false;      // no date is excluded: the calendar need not be asked
  bool weekdays_only : 1 = false;  // the weekday alone decides about a date
  bool leap_day : 1 = false;       // 29 February is all it may name: other years are passed over
  friend bool operator==(const Fields&, const Fields&) = default;
};

// The rare parts of one expression, or none, in the size of a pointer. Copies are of their own.
class RareBox {
 public:
  RareBox() = default;
  explicit RareBox(const RareParts& parts) : parts_(std::make_unique<const RareParts>(parts)) {}
  RareBox(const RareBox& other) : RareBox() {
    if (other.parts_) *this = RareBox(*other.parts_);
  }
  RareBox(RareBox&&) noexcept = default;
  RareBox& operator=(RareBox other) noexcept {
    parts_.swap(other.parts_);
    return *this;
  }
  ~RareBox() = default;

  const RareParts* get() const { return parts_.get(); }

 private:
  std::unique_ptr<const RareParts> parts_;
};

// Immutable once parsed. Safe to read from any thread.
class Expression {
 public:
  // Parses 5 to 7 fields; `name` is what H hashes. Error codes: "invalid_schedule" (the message
  // gives the column, counted from 1 in `text`) and "impossible_schedule" (no such date from
  // 1970 to 2199). Takes time in proportion to the text; schedule.h bounds its length.
  static Result<Expression> parse(std::string_view text, std::string_view name);

  // The canonical text: parse(to_text()) gives an equal expression. H is written as the values it
  // stands for; seconds are left out when they are just 0, the year when it is any.
  std::string to_text() const;

  // True when clock changes leave it alone: hour or minute is `*` or `*/1`. It then fires
  // whenever the wall clock shows a named time; otherwise each named local time fires once.
  bool follows_real_time() const { return fields_.hour_wild || fields_.minute_wild; }

  // The first named local time at or after `from`; nullopt when there is none before 2201.
  std::optional<std::chrono::local_seconds> next_local(std::chrono::local_seconds from) const;

  // The last named local time at or before `from`; nullopt when there is none since 1969. (The
  // year on each side of the span is there for zones off UTC; a year field ends at 1970 and 2199.)
  std::optional<std::chrono::local_seconds> prev_local(std::chrono::local_seconds from) const;

  // The days of a month that are named, bit 1 = the first. The month and year fields play no part.
  // `year`: 1969 to 2200.
  std::uint32_t days_of(int year, unsigned month) const;

  const Fields& fields() const { return fields_; }
  const RareParts* rare() const { return rare_.get(); }  // nullptr: none

  friend bool operator==(const Expression& a, const Expression& b) {
    const bool both = a.rare() && b.rare();
    return a.fields_ == b.fields_ && (both ? *a.rare() == *b.rare() : a.rare() == b.rare());
  }

 private:
  friend class ExpressionParser;
  Expression(Fields fields, RareBox rare) : rare_(std::move(rare)), fields_(fields) {}

  bool year_named(int year) const;
  std::optional<int> day_at_or_after(int day) const;  // days since 1970-01-01
  std::optional<int> day_at_or_before(int day) const;

  RareBox rare_;
  [[no_unique_address]] Fields fields_;  // last, so that its padding can be used
};

static_assert(sizeof(Expression) <= 40, "a million of them are held in memory");

}  // namespace cronally::cron
