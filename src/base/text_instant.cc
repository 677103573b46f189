#include <fmt/compile.h>
#include <fmt/format.h>

#include <array>

#include "base/text.h"

namespace cronally {
namespace {

constexpr std::string_view example = "2026-12-01T09:00:00Z or 2026-12-01T10:00:00.250+01:00";

// Reads the text from left to right; the first fault is kept, and all later reads fail too.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return at_ == text_.size(); }
  bool failed() const { return !fault_.empty(); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_digit() const { return peek() >= '0' && peek() <= '9'; }
  char take() { return text_[at_++]; }

  void expect(char c, std::string_view what) {
    if (failed()) return;
    if (peek() != c) return fault(fmt::format("expected '{}' {}", c, what));
    ++at_;
  }

  int number(int digits, int lowest, int highest, std::string_view what) {
    const std::size_t start = at_;
    int value = 0;
    for (int i = 0; i < digits && !failed(); ++i) {
      if (!at_digit()) {
        fault(fmt::format("expected the {} as {} digits", what, digits));
      } else {
        value = value * 10 + (take() - '0');
      }
    }
    if (!failed() && (value < lowest || value > highest)) {
      at_ = start;
      fault(fmt::format("{} {:0{}} is not within {:0{}} to {:0{}}", what, value, digits, lowest,
                        digits, highest, digits));
    }
    return value;
  }

  void fault(std::string detail) {
    if (failed()) return;
    fault_ = fmt::format("{} is not an instant: column {}: {}; write it as {}", quote(text_),
                         at_ + 1, detail, example);
  }
  void back(std::size_t columns) { at_ -= columns; }

  std::unexpected<Error> error() const { return fail("invalid_instant", fault_); }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::string fault_;
};

std::chrono::sys_days read_date(Reader& in) {
  using namespace std::chrono;
  const int y = in.number(4, 0, 9999, "year");
  in.expect('-', "after the year");
  const int m = in.number(2, 1, 12, "month");
  in.expect('-', "after the month");
  const int d = in.number(2, 1, 31, "day");
  if (in.failed()) return {};
  const year_month_day date{year{y}, month(static_cast<unsigned>(m)),
                            day(static_cast<unsigned>(d))};
  if (!date.ok()) {
    in.back(2);
    in.fault(fmt::format("month {:02} of {:04} has no day {:02}", m, y, d));
    return {};
  }
  return sys_days{date};
}

Duration read_fraction(Reader& in) {
  if (in.failed() || in.peek() != '.') return {};
  in.take();
  std::int64_t us = 0;
  int digits = 0;
  for (; in.at_digit(); ++digits) {
    if (digits == 6) {
      in.fault("a fraction has at most 6 digits (microseconds)");
      return {};
    }
    us = us * 10 + (in.take() - '0');
  }
  if (digits == 0) in.fault("expected a digit after the point");
  for (; digits < 6; ++digits) us *= 10;
  return Duration{us};
}

Duration read_time(Reader& in) {
  using namespace std::chrono;
  const int h = in.number(2, 0, 23, "hour");
  in.expect(':', "after the hour");
  const int m = in.number(2, 0, 59, "minute");
  in.expect(':', "after the minute");
  const int s = in.number(2, 0, 59, "second");
  return hours{h} + minutes{m} + seconds{s} + read_fraction(in);
}

Duration read_offset(Reader& in) {
  using namespace std::chrono;
  if (in.failed()) return {};
  const char sign = in.done() ? '\0' : in.take();
  if (sign == 'Z' || sign == 'z') return {};
  if (sign != '+' && sign != '-') {
    if (sign != '\0') in.back(1);
    in.fault("expected Z, or an offset from UTC such as +01:00");
    return {};
  }
  const int h = in.number(2, 0, 23, "offset hour");
  in.expect(':', "in the offset");
  const int m = in.number(2, 0, 59, "offset minute");
  const Duration offset = hours{h} + minutes{m};
  return sign == '-' ? -offset : offset;
}

}  // namespace

Result<Instant> parse_instant(std::string_view text) {
  Reader in{text};
  const auto date = read_date(in);
  if (const char c = in.peek(); !in.failed() && (c == 'T' || c == 't' || c == ' ')) {
    in.take();
  } else {
    in.fault("expected T and the time of day after the date");
  }
  const Duration time = read_time(in);
  const Duration offset = read_offset(in);
  if (!in.failed() && !in.done()) in.fault("expected the end of the text");
  if (in.failed()) return in.error();
  return Instant{date} + time - offset;
}

std::string format_instant(Instant at) {
  using namespace std::chrono;
  const auto midnight = floor<days>(at);
  const year_month_day date{midnight};
  const hh_mm_ss time{at - midnight};
  const std::int64_t us = time.subseconds().count();
  std::array<char, 40> text;
  char* end = fmt::format_to(text.data(), FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}"),
                             int{date.year()}, unsigned{date.month()}, unsigned{date.day()},
                             time.hours().count(), time.minutes().count(), time.seconds().count());
  if (us % 1000 != 0) {
    end = fmt::format_to(end, FMT_COMPILE(".{:06}"), us);
  } else if (us != 0) {
    end = fmt::format_to(end, FMT_COMPILE(".{:03}"), us / 1000);
  }
  *end++ = 'Z';
  return {text.data(), end};
}

}  // namespace cronally
