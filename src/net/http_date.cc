#include "net/http_date.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace cronally::net {
namespace {

using namespace std::chrono;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes texts and numbers off the front; once one does not fit, nothing does.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  void text(std::string_view expected) {
    if (!rest_.starts_with(expected)) return spoil();
    rest_.remove_prefix(expected.size());
  }
  // Exactly so many digits.
  int number(std::size_t digits) {
    int value = 0;
    const std::string_view taken = rest_.substr(0, digits);
    if (taken.size() < digits || !std::ranges::all_of(taken, is_digit)) {
      spoil();
      return 0;
    }
    std::from_chars(taken.data(), taken.data() + digits, value);
    rest_.remove_prefix(digits);
    return value;
  }
  unsigned month() {
    constexpr std::array<std::string_view, 12> names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto found = std::ranges::find(names, rest_.substr(0, 3));
    if (found == names.end()) {
      spoil();
      return 1;
    }
    rest_.remove_prefix(3);
    return static_cast<unsigned>(found - names.begin()) + 1;
  }
  void skip_to(char c) {
    const std::size_t at = rest_.find(c);
    if (at == std::string_view::npos) return spoil();
    rest_.remove_prefix(at + 1);
  }
  bool next_is(char c) const { return rest_.starts_with(c); }
  bool at_end() const { return fits_ && rest_.empty(); }

 private:
  void spoil() {
    fits_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool fits_ = true;
};

struct Fields {
  int year = 1970;
  unsigned month = 1;
  int day = 1;
  seconds time{0};
};

seconds time_of_day(Cursor& cursor) {
  const hours h{cursor.number(2)};
  cursor.text(":");
  const minutes m{cursor.number(2)};
  cursor.text(":");
  return h + m + seconds{cursor.number(2)};
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
bool read_current(Cursor cursor, Fields& out) {
  cursor.skip_to(',');
  cursor.text(" ");
  out.day = cursor.number(2);
  cursor.text(" ");
  out.month = cursor.month();
  cursor.text(" ");
  out.year = cursor.number(4);
  cursor.text(" ");
  out.time = time_of_day(cursor);
  cursor.text(" GMT");
  return cursor.at_end();
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
bool read_rfc850(Cursor cursor, Fields& out, Instant now) {
  cursor.skip_to(',');
  cursor.text(" ");
  out.day = cursor.number(2);
  cursor.text("-");
  out.month = cursor.month();
  cursor.text("-");
  const int short_year = cursor.number(2);
  cursor.text(" ");
  out.time = time_of_day(cursor);
  cursor.text(" GMT");
  const int this_year = static_cast<int>(year_month_day{floor<days>(now)}.year());
  out.year = this_year - this_year % 100 + short_year;
  if (out.year > this_year + 50) out.year -= 100;
  return cursor.at_end();
}

// "Sun Nov  6 08:49:37 1994"
bool read_asctime(Cursor cursor, Fields& out) {
  cursor.skip_to(' ');
  out.month = cursor.month();
  cursor.text(" ");
  const bool one_digit = cursor.next_is(' ');
  if (one_digit) cursor.text(" ");
  out.day = cursor.number(one_digit ? 1 : 2);
  cursor.text(" ");
  out.time = time_of_day(cursor);
  cursor.text(" ");
  out.year = cursor.number(4);
  return cursor.at_end();
}

}  // namespace

std::string http_date(Instant at) {
  const auto whole = floor<seconds>(at);
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                     fmt::gmtime(static_cast<std::time_t>(whole.time_since_epoch().count())));
}

std::optional<Instant> parse_http_date(std::string_view text, Instant now) {
  Fields fields;
  const Cursor cursor{text};
  if (!read_current(cursor, fields) && !read_rfc850(cursor, fields, now) &&
      !read_asctime(cursor, fields)) {
    return std::nullopt;
  }
  const year_month_day date{year{fields.year}, month{fields.month},
                            day{static_cast<unsigned>(fields.day)}};
  if (!date.ok() || fields.time > hours{24}) return std::nullopt;
  return sys_days{date} + fields.time;
}

std::optional<Duration> parse_retry_after(std::string_view text, Instant now) {
  Duration wait{0};
  const bool digits = !text.empty() && std::ranges::all_of(text, is_digit);
  if (digits) {
    std::int64_t count = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::int64_t most = duration_cast<seconds>(retry_after_max).count();
    wait = seconds{read.ec == std::errc{} ? std::min(count, most) : most};
  } else if (const auto at = parse_http_date(text, now)) {
    wait = *at - now;
  }
  if (wait <= Duration{0}) return std::nullopt;
  return std::min(wait, retry_after_max);
}

}  // namespace cronally::net
