#include "cron/expression_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/hmac.h"
#include "base/text.h"

namespace cronally::cron {
namespace {

constexpr std::array<std::string_view, 12> month_names{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                       "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> weekday_names{"SUN", "MON", "TUE", "WED",
                                                        "THU", "FRI", "SAT"};

// H in the day field stays within 1-28, as in Jenkins, so that it names a day of every month.
constexpr std::array<FieldShape, 7> shapes{{
    {FieldKind::second, "second", "no second", "0-59, *, lists, ranges, steps, H", 0, 59, 60, 59},
    {FieldKind::minute, "minute", "no minute", "0-59, *, lists, ranges, steps, H", 0, 59, 60, 59},
    {FieldKind::hour, "hour", "no hour", "0-23, *, lists, ranges, steps, H", 0, 23, 24, 23},
    {FieldKind::day, "day", "no day of the month",
     "1-31, *, ?, lists, ranges, steps, L, L-3, 15W, LW, H", 1, 31, 31, 28},
    {FieldKind::month, "month", "no month", "1-12, JAN-DEC, *, lists, ranges, steps, H", 1, 12, 12,
     12, 0, month_names, 1},
    {FieldKind::weekday, "weekday", "no day of the week",
     "0-7, SUN-SAT, *, ?, lists, ranges, steps, 5L, MON#2, H", 0, 7, 7, 6, 0, weekday_names, 0},
    {FieldKind::year, "year", "no year", "1970-2199, *, lists, ranges, steps", 1970, 2199, 0, 0,
     1970},
}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, upper, upper);
}

std::optional<int> number_of(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool digits = !text.empty() && std::ranges::all_of(text, is_digit);
  if (!digits || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "SUNDAY" is too far from "SUN" for a near match, and still plain.
std::string suggestion(std::string_view word, std::span<const std::string_view> names) {
  for (const auto name : names) {
    if (word.size() > 3 && same_word(word.substr(0, 3), name)) {
      return fmt::format("; did you mean '{}'?", name);
    }
  }
  return did_you_mean(word, names);
}

// Reads one element of a list (what stands between commas). A method that fails sets error_ and
// returns false; nothing is read after that.
class ElementReader {
 public:
  ElementReader(const FieldShape& shape, std::string_view text, int column, std::string_view name,
                FieldValues& out)
      : shape_(shape), text_(text), column_(column), name_(name), out_(out) {}

  bool read() {
    if (text_.empty()) {
      return fault(0, fmt::format("a value of the {} field is missing; allowed: {}", shape_.word,
                                  shape_.allowed));
    }
    if (take('*')) return read_stepped(shape_.low, star_high()) && at_end();
    if (upper(text_[0]) == 'H' && (text_.size() == 1 || !is_letter(text_[1]))) return read_hash();
    return read_values();
  }

  Error error() const { return *error_; }

 private:
  bool read_values() {
    const auto word = take_word();
    if (shape_.kind == FieldKind::day && read_special_day(word)) return at_end();
    if (shape_.kind == FieldKind::weekday && read_last_weekday(word)) return at_end();
    if (error_) return false;
    const auto first = value_of(word, 0);
    if (!first) return false;
    if (shape_.kind == FieldKind::weekday && take('#')) return read_nth(*first) && at_end();
    if (take('-')) return read_range(*first) && at_end();
    if (peek() == '/') return read_stepped(*first, star_high()) && at_end();
    set(*first);
    return at_end();
  }

  bool fault(std::size_t position, std::string text) {
    error_ = Error{"invalid_schedule",
                   fmt::format("column {}: {}", column_ + static_cast<int>(position), text)};
    return false;
  }
  bool unknown(std::size_t position, std::string_view found) {
    return fault(position, fmt::format("'{}' is {}; allowed: {}{}", found, shape_.thing,
                                       shape_.allowed, suggestion(found, shape_.names)));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  std::string_view take_word() {
    const auto start = at_;
    while (is_digit(peek()) || is_letter(peek())) ++at_;
    return text_.substr(start, at_ - start);
  }
  bool at_end() {
    if (error_) return false;
    if (at_ == text_.size()) return true;
    return fault(at_,
                 fmt::format("'{}' does not belong after '{}'; allowed in the {} field: {}",
                             text_.substr(at_), text_.substr(0, at_), shape_.word, shape_.allowed));
  }

  // In steps, weekdays end at Saturday: 7 would be Sunday a second time.
  int star_high() const { return shape_.kind == FieldKind::weekday ? 6 : shape_.high; }

  void set(int value) {
    if (shape_.kind == FieldKind::weekday) value %= 7;
    out_.values.set(static_cast<std::size_t>(value - shape_.base));
  }

  std::optional<int> value_of(std::string_view word, std::size_t position) {
    for (std::size_t i = 0; i < shape_.names.size(); ++i) {
      if (same_word(word, shape_.names[i])) return shape_.name_first + static_cast<int>(i);
    }
    const auto number = number_of(word);
    if (number && *number >= shape_.low && *number <= shape_.high) return number;
    unknown(position, word.empty() ? text_.substr(position) : word);
    return std::nullopt;
  }

  // The step after '/', or 1 when there is none. At most as many as there are values: a larger
  // one would name a single value, and "*/90" in the minutes surely means 90 minutes.
  bool read_step(int* step) {
    *step = 1;
    if (!take('/')) return true;
    const auto position = at_;
    const auto word = take_word();
    const int values = star_high() - shape_.low + 1;
    const auto number = number_of(word);
    if (number && *number >= 1 && *number <= values) {
      *step = *number;
      return true;
    }
    const auto found = word.empty() ? text_.substr(position) : word;
    return fault(position, fmt::format("'{}' is no step; allowed in the {} field: 1-{} (other "
                                       "intervals: @every, such as '@every 90m')",
                                       found, shape_.word, values));
  }

  bool read_stepped(int first, int last) {
    int step = 1;
    if (!read_step(&step)) return false;
    if (first > last) first = shape_.low;  // "7/2" in the weekdays: Sunday is where they begin
    for (int value = first; value <= last; value += step) set(value);
    return true;
  }

  // The rest of "first-last/step". Past the field's end a range goes on at its beginning.
  bool read_range(int first) {
    const auto position = at_;
    const auto last = value_of(take_word(), position);
    int step = 1;
    if (!last || !read_step(&step)) return false;
    int end = *last;
    if (end < first) {
      if (shape_.cycle == 0) {
        return fault(position, fmt::format("the range ends at {} before it begins at {}; write "
                                           "the smaller year first",
                                           end, first));
      }
      end += shape_.cycle;
    }
    for (int value = first; value <= end; value += step) {
      const int over = shape_.low + shape_.cycle;
      set(shape_.cycle != 0 && value > shape_.high ? (value - over) % shape_.cycle + shape_.low
                                                   : value);
    }
    return true;
  }

  // L, L-n, LW, nW. False also when the word is none of them; error_ tells which.
  bool read_special_day(std::string_view word) {
    if (same_word(word, "LW")) {
      out_.last_working_day = true;
      return true;
    }
    if (same_word(word, "L")) {
      if (!take('-')) {
        out_.days_from_end |= 1;
        return true;
      }
      const auto position = at_;
      const auto before = take_word();
      const auto number = number_of(before);
      if (number && *number >= 1 && *number <= 30) {
        out_.days_from_end |= 1u << *number;
        return true;
      }
      return fault(position, fmt::format("'{}' is no number of days before the last one; allowed "
                                         "after 'L-': 1-30",
                                         before.empty() ? text_.substr(position) : before));
    }
    if (word.size() < 2 || upper(word.back()) != 'W') return false;
    const auto number = number_of(word.substr(0, word.size() - 1));
    if (!number || *number < 1 || *number > 31) return false;
    out_.nearest_weekdays |= 1u << *number;
    return true;
  }

  // 5L, FRIL. False also when the word is none of them; error_ tells which.
  bool read_last_weekday(std::string_view word) {
    if (same_word(word, "L")) {
      return fault(0,
                   "'L' alone is no day of the week; write '6L' for the month's last Saturday, "
                   "or 'SAT' for each");
    }
    if (word.size() < 2 || upper(word.back()) != 'L') return false;
    const auto day = word.substr(0, word.size() - 1);
    const auto name = std::ranges::find_if(
        weekday_names, [&](std::string_view candidate) { return same_word(day, candidate); });
    const auto number = number_of(day);
    if (name != weekday_names.end()) {
      out_.last_weekdays |= static_cast<std::uint8_t>(1u << (name - weekday_names.begin()));
      return true;
    }
    if (!number || *number > 7) return false;
    out_.last_weekdays |= static_cast<std::uint8_t>(1u << (*number % 7));
    return true;
  }

  bool read_nth(int weekday) {
    const auto position = at_;
    const auto word = take_word();
    const auto number = number_of(word);
    if (number && *number >= 1 && *number <= 5) {
      out_.nth_weekdays |= std::uint64_t{1} << (weekday % 7 * 5 + *number - 1);
      return true;
    }
    return fault(position, fmt::format("'{}' counts no weekday of a month; allowed after '#': 1-5",
                                       word.empty() ? text_.substr(position) : word));
  }

  // H, H/n, H(a-b), H(a-b)/n.
  bool read_hash() {
    ++at_;
    if (shape_.hash_high < shape_.low) {
      return fault(0, fmt::format("'H' is not allowed in the {} field; allowed: {}", shape_.word,
                                  shape_.allowed));
    }
    if (name_.empty()) {
      return fault(0, "'H' hashes the job's name, and there is none; give the name too");
    }
    int first = shape_.low;
    int last = shape_.hash_high;
    if (take('(') && !read_hash_range(&first, &last)) return false;
    const bool stepped = peek() == '/';
    const auto position = at_ + 1;
    int step = 1;
    if (!read_step(&step)) return false;
    const auto values = static_cast<std::uint64_t>(last - first + 1);
    if (static_cast<std::uint64_t>(step) > values) {
      return fault(position, fmt::format("step {} is larger than the {} values of {}-{}", step,
                                         values, first, last));
    }
    const auto hash = hash_of(name_, shape_.kind);
    if (!stepped) {
      set(first + static_cast<int>(hash % values));
    } else {
      const int shift = static_cast<int>(hash % static_cast<std::uint64_t>(step));
      for (int value = first + shift; value <= last; value += step) set(value);
    }
    return at_end();
  }

  bool read_hash_range(int* first, int* last) {
    auto position = at_;
    const auto from = value_of(take_word(), position);
    if (!from) return false;
    if (!take('-')) return fault(at_, "'-' is missing; write H(a-b), such as H(0-29)");
    position = at_;
    const auto to = value_of(take_word(), position);
    if (!to) return false;
    if (!take(')')) return fault(at_, "')' is missing; write H(a-b), such as H(0-29)");
    if (*to < *from) {
      return fault(position,
                   fmt::format("the range of H ends at {} before it begins at {}", *to, *from));
    }
    *first = *from;
    *last = *to;
    return true;
  }

  const FieldShape& shape_;
  std::string_view text_;
  int column_;
  std::string_view name_;
  FieldValues& out_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

}  // namespace

const FieldShape& shape_of(FieldKind kind) { return shapes[static_cast<std::size_t>(kind)]; }

Result<FieldValues> parse_field(FieldKind kind, std::string_view text, int column,
                                std::string_view name) {
  const auto& shape = shape_of(kind);
  const bool day_field = kind == FieldKind::day || kind == FieldKind::weekday;
  FieldValues out;
  out.star = text.starts_with('*') || text == "?";
  if (text == "?" && !day_field) {
    return fail("invalid_schedule",
                fmt::format("column {}: '?' is allowed in the day and weekday fields only; for "
                            "every {} write '*'",
                            column, shape.word));
  }
  if (text == "?") text = "*";
  while (true) {
    const auto comma = text.find(',');
    ElementReader reader(shape, text.substr(0, comma), column, name, out);
    if (!reader.read()) return fail(reader.error());
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
    column += static_cast<int>(comma) + 1;
  }
}

std::uint64_t hash_of(std::string_view name, FieldKind kind) {
  std::string bytes{name};
  bytes += '\0';
  bytes += shape_of(kind).word;
  const auto digest = sha256(bytes);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < 8; ++i) hash = hash << 8 | digest[i];
  return hash;
}

}  // namespace cronally::cron
