#include <array>
#include <cstddef>

#include <fmt/format.h>

#include "base/text.h"

namespace cronally {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t us;
};

// 128 bits: the largest number (3.2e15) times the largest unit (6e11 us) does not fit 64.
__extension__ using Wide = __int128;

constexpr std::array<Unit, 7> units{{{"w", 604'800'000'000},
                                     {"d", 86'400'000'000},
                                     {"h", 3'600'000'000},
                                     {"m", 60'000'000},
                                     {"s", 1'000'000},
                                     {"ms", 1'000},
                                     {"us", 1}}};

constexpr std::string_view hint = "write pairs of number and unit (w d h m s ms us), as 1h30m";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<Duration> read() {
    if (text_.empty()) return fault(0, "expected a number");
    std::size_t next_unit = 0;
    while (at_ < text_.size()) {
      const std::size_t pair_start = at_;
      if (auto error = read_number()) return fault(error->column, error->detail);
      const std::size_t unit_start = at_;
      while (at_ < text_.size() && is_letter(text_[at_])) ++at_;
      const auto unit = find(text_.substr(unit_start, at_ - unit_start));
      if (unit == units.size()) return fault(unit_start, missing_unit(unit_start));
      if (unit < next_unit) {
        return fault(unit_start, "each unit comes at most once, from large to small");
      }
      next_unit = unit + 1;
      if (auto detail = add(units[unit])) return fault(pair_start, *detail);
    }
    return Duration{static_cast<std::int64_t>(total_)};
  }

 private:
  struct Fault {
    std::size_t column;
    std::string detail;
  };

  std::optional<Fault> read_number() {
    whole_ = fraction_ = 0;
    scale_ = 1;
    const std::size_t start = at_;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      whole_ = whole_ * 10 + (text_[at_] - '0');
      if (whole_ > duration_max.count()) return Fault{start, "more than 100 years"};
    }
    if (at_ == start) return Fault{start, "expected a number"};
    if (at_ == text_.size() || text_[at_] != '.') return {};
    const std::size_t point = at_++;
    for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
      // 12 digits divide the largest unit further than to the microsecond.
      if (at_ - point > 12) return Fault{point, "a fraction has at most 12 digits"};
      fraction_ = fraction_ * 10 + (text_[at_] - '0');
      scale_ *= 10;
    }
    if (at_ == point + 1) return Fault{at_, "expected a digit after the point"};
    return {};
  }

  // Adds the number just read, in `unit`; or says why not.
  std::optional<std::string> add(const Unit& unit) {
    const Wide scaled = static_cast<Wide>(fraction_) * unit.us;
    if (scaled % scale_ != 0) return "not a whole number of microseconds";
    total_ += static_cast<Wide>(whole_) * unit.us + scaled / scale_;
    if (total_ > duration_max.count()) return "more than 100 years";
    return {};
  }

  static std::size_t find(std::string_view name) {
    std::size_t i = 0;
    while (i < units.size() && units[i].name != name) ++i;
    return i;
  }

  std::string missing_unit(std::size_t start) const {
    if (start == at_) return "expected a unit after the number";
    return fmt::format("no unit {}", quote(text_.substr(start, at_ - start)));
  }

  std::unexpected<Error> fault(std::size_t index, std::string_view detail) const {
    return fail("invalid_duration", fmt::format("{} is not a duration: column {}: {}; {}",
                                                quote(text_), index + 1, detail, hint));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::int64_t whole_ = 0;  // the number being read: whole_ + fraction_ / scale_
  std::int64_t fraction_ = 0;
  std::int64_t scale_ = 1;
  Wide total_ = 0;
};

// "1.5" for 1,500 thousandths, without trailing zeros; `digits` is the width of the fraction.
std::string decimal(std::int64_t whole, std::int64_t fraction, int digits) {
  if (fraction == 0) return fmt::format("{}", whole);
  std::string text = fmt::format("{}.{:0{}}", whole, fraction, digits);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) { return Reader{text}.read(); }

std::string format_duration(Duration length) {
  if (length.count() == 0) return "0s";
  std::string text = length.count() < 0 ? "-" : "";
  // Unsigned, so that the most negative length has a magnitude too.
  std::uint64_t rest = static_cast<std::uint64_t>(length.count());
  if (length.count() < 0) rest = 0 - rest;
  for (const auto& unit : units) {
    if (unit.name == "s") break;
    const auto size = static_cast<std::uint64_t>(unit.us);
    // Weeks only when they are whole: ten days are easier to read than a week and three days.
    if (unit.name == "w" && rest % size >= 86'400'000'000) continue;
    if (rest >= size) text += fmt::format("{}{}", rest / size, unit.name);
    rest %= size;
  }
  const auto us = static_cast<std::int64_t>(rest);
  if (us >= 1'000'000) return text + decimal(us / 1'000'000, us % 1'000'000, 6) + "s";
  if (us >= 1'000) return text + decimal(us / 1'000, us % 1'000, 3) + "ms";
  if (us > 0) return text + fmt::format("{}us", us);
  return text;
}

}  // namespace cronally
