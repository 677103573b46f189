#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "cron/expression.h"
#include "cron/expression_fields.h"

namespace cronally::cron {
namespace {

struct Word {
  std::string_view text;
  int column;
};

std::vector<Word> words_of(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  std::vector<Word> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(blanks, at)) != std::string_view::npos) {
    const auto end = std::min(text.find_first_of(blanks, at), text.size());
    words.push_back({text.substr(at, end - at), static_cast<int>(at) + 1});
    at = end;
  }
  return words;
}

template <class Bits>
Bits low_bits(const FieldValues& field) {
  return static_cast<Bits>(field.values.to_ullong());
}

constexpr std::uint32_t all_days = 0xffff'fffe;
constexpr std::uint16_t all_months = 0x1ffe;
constexpr std::uint8_t all_weekdays = 0x7f;
constexpr std::uint16_t february = 1 << 2;
constexpr std::uint32_t day_29 = 1u << 29;
constexpr std::uint64_t all_minutes = (std::uint64_t{1} << 60) - 1;
constexpr std::uint32_t all_hours = (1u << 24) - 1;

}  // namespace

// Joins the parsed fields into an Expression; a friend of it.
class ExpressionParser {
 public:
  static Result<Expression> parse(std::string_view text, std::string_view name) {
    const auto words = words_of(text);
    if (words.size() < 5 || words.size() > 7) return wrong_count(text, words);
    std::array<FieldValues, 7> fields;
    fields[0].values.set(0);
    fields[6].values.flip();
    const std::size_t shift = words.size() == 5 ? 1 : 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      auto field =
          parse_field(static_cast<FieldKind>(i + shift), words[i].text, words[i].column, name);
      if (!field) return fail(std::move(field.error()));
      fields[i + shift] = *std::move(field);
    }
    auto expression = join(fields);
    if (!expression.next_local(std::chrono::local_days{std::chrono::year{year_first} / 1 / 1})) {
      return impossible(text);
    }
    return expression;
  }

 private:
  static std::unexpected<Error> wrong_count(std::string_view text, const std::vector<Word>& words) {
    const int column =
        words.size() > 7 ? words[7].column : static_cast<int>(text.find_last_not_of(" \t") + 2);
    return fail("invalid_schedule",
                fmt::format("column {}: found {} field{}; allowed: 5 (minute hour day month "
                            "weekday), 6 (second first) or 7 (year last), or a word that begins "
                            "with '@', such as @daily",
                            column, words.size(), words.size() == 1 ? "" : "s"));
  }

  static std::unexpected<Error> impossible(std::string_view text) {
    return fail("impossible_schedule",
                fmt::format("'{}' names no date from {} to {}, so it would never be due; change "
                            "the day, month or year field",
                            text, year_first, year_last));
  }

  static Expression join(const std::array<FieldValues, 7>& from) {
    Fields to;
    to.seconds = low_bits<std::uint64_t>(from[0]);
    to.minutes = low_bits<std::uint64_t>(from[1]);
    to.hours = low_bits<std::uint32_t>(from[2]);
    to.days = low_bits<std::uint32_t>(from[3]);
    to.months = low_bits<std::uint16_t>(from[4]);
    to.weekdays = low_bits<std::uint8_t>(from[5]);
    to.minute_wild = from[1].star && to.minutes == all_minutes;
    to.hour_wild = from[2].star && to.hours == all_hours;
    to.day_star = from[3].star;
    to.weekday_star = from[5].star;
    auto rare = join_rare(from);
    const bool any_month = to.months == all_months && (!rare.get() || rare.get()->years.all());
    to.every_day = any_month && to.days == all_days && to.weekdays == all_weekdays;
    to.weekdays_only = !rare.get() && any_month && to.days == all_days && to.day_star;
    to.leap_day = !rare.get() && to.months == february && to.days == day_29 &&
                  (to.day_star || to.weekday_star);
    return {to, std::move(rare)};
  }

  static RareBox join_rare(const std::array<FieldValues, 7>& from) {
    const bool any_year = from[6].values.all();
    if (any_year && from[5].nth_weekdays == 0 && from[5].last_weekdays == 0 &&
        from[3].nearest_weekdays == 0 && from[3].days_from_end == 0 && !from[3].last_working_day) {
      return {};
    }
    RareParts rare;
    for (std::size_t i = 0; i < rare.years.size(); ++i) rare.years[i] = from[6].values[i];
    rare.nth_weekdays = from[5].nth_weekdays;
    rare.last_weekdays = from[5].last_weekdays;
    rare.nearest_weekdays = from[3].nearest_weekdays;
    rare.days_from_end = from[3].days_from_end;
    rare.last_working_day = from[3].last_working_day;
    RareParts none;
    none.years.set();
    return rare == none ? RareBox{} : RareBox{rare};
  }
};

Result<Expression> Expression::parse(std::string_view text, std::string_view name) {
  return ExpressionParser::parse(text, name);
}

}  // namespace cronally::cron
