#include "cron/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "cron/calendar.h"

namespace cronally::cron {
namespace {

using std::chrono::sys_seconds;

struct Macro {
  std::string_view word;
  std::string_view expression;
};

constexpr std::array<Macro, 7> macros{{{"@hourly", "0 * * * *"},
                                       {"@daily", "0 0 * * *"},
                                       {"@midnight", "0 0 * * *"},
                                       {"@weekly", "0 0 * * 0"},
                                       {"@monthly", "0 0 1 * *"},
                                       {"@yearly", "0 0 1 1 *"},
                                       {"@annually", "0 0 1 1 *"}}};

constexpr std::array<std::string_view, 10> at_words{"@hourly",  "@daily",  "@midnight", "@weekly",
                                                    "@monthly", "@yearly", "@annually", "@every",
                                                    "@at",      "@never"};

constexpr Duration interval_min = std::chrono::seconds{1};
constexpr Duration interval_max = std::chrono::days{366};

std::unexpected<Error> fault(std::size_t column, std::string_view text) {
  return fail("invalid_schedule", fmt::format("column {}: {}", column, text));
}

// "daily" means "@daily", most likely.
std::unexpected<Error> unknown_word(std::string_view word, std::size_t column) {
  const auto meant = word.starts_with('@') ? std::string{word} : fmt::format("@{}", word);
  return fault(column, fmt::format("'{}' is no schedule word; allowed: {}{}", word,
                                   fmt::join(at_words, ", "), did_you_mean(meant, at_words)));
}

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// An "@word rest" text, with the columns of both.
struct Special {
  std::string_view word;
  std::string_view rest;
  std::size_t word_column;
  std::size_t rest_column;
};

Result<Schedule> parse_interval(const Special& special, const Context& context) {
  if (special.rest.empty()) {
    return fault(special.rest_column,
                 "the interval is missing; write '@every 90s' or '@every 1h30m'");
  }
  const auto length = parse_duration(special.rest);
  if (!length) {
    return fault(special.rest_column, fmt::format("'{}' is no interval ({}); allowed: 1s to 366d, "
                                                  "such as '@every 1h30m'",
                                                  special.rest, length.error().message));
  }
  if (*length < interval_min || *length > interval_max) {
    return fault(special.rest_column,
                 fmt::format("the interval {} is out of range; allowed: 1s to 366d", special.rest));
  }
  if (*length % std::chrono::milliseconds{1} != Duration{0}) {
    return fault(special.rest_column,
                 fmt::format("the interval {} is no whole number of milliseconds", special.rest));
  }
  return Interval{*length, context.anchor.value_or(instant_min)};
}

Result<Schedule> parse_once(const Special& special) {
  if (special.rest.empty()) {
    return fault(special.rest_column,
                 "the instant is missing; write '@at 2026-12-01T10:00:00Z' or with an offset");
  }
  const auto at = parse_instant(special.rest);
  if (!at) {
    return fault(special.rest_column, fmt::format("'{}' is no instant ({}); write it as "
                                                  "'2026-12-01T10:00:00+01:00'",
                                                  special.rest, at.error().message));
  }
  if (*at < instant_min || *at >= instant_max) {
    return fault(special.rest_column,
                 fmt::format("{} is out of range; allowed: 1970 to 2199", special.rest));
  }
  return Once{*at};
}

Result<Schedule> parse_cron(std::string_view text, const Context& context) {
  auto expression = Expression::parse(text, context.name);
  if (!expression) return fail(std::move(expression.error()));
  return Calendar{.expression = *std::move(expression), .dst = context.dst, .zone = context.zone};
}

Result<Schedule> parse_special(const Special& special, const Context& context) {
  if (special.word == "@every") return parse_interval(special, context);
  if (special.word == "@at") return parse_once(special);
  if (special.word == "@reboot") {
    return fault(special.word_column,
                 "'@reboot' is not allowed: a job belongs to no machine that could boot; use "
                 "@never and start the job where the machine starts");
  }
  const bool known = std::ranges::find(at_words, special.word) != at_words.end();
  if (known && !special.rest.empty()) {
    return fault(special.rest_column,
                 fmt::format("'{}' does not belong after {}, which stands alone", special.rest,
                             special.word));
  }
  if (special.word == "@never") return Never{};
  for (const auto& macro : macros) {
    if (macro.word == special.word) return parse_cron(macro.expression, context);
  }
  return unknown_word(special.word, special.word_column);
}

// The grid of an interval, in µs: only the anchor's phase matters, so nothing can overflow.
std::int64_t phase_of(const Interval& interval) {
  const auto length = interval.length.count();
  const auto phase = us_of(interval.anchor) % length;
  return phase < 0 ? phase + length : phase;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// The number of the last grid point at or before `at`, counted from the first at or after 1970.
std::int64_t grid_index(const Interval& interval, Instant at) {
  return floor_div(us_of(at) - phase_of(interval), interval.length.count());
}

Instant grid_point(const Interval& interval, std::int64_t index) {
  return instant_from_us(phase_of(interval) + index * interval.length.count());
}

std::optional<Instant> in_span(Instant at) {
  if (at < instant_min || at >= instant_max) return std::nullopt;
  return at;
}
std::optional<Instant> in_span(std::optional<sys_seconds> at) {
  return at ? in_span(Instant{*at}) : std::nullopt;
}

std::optional<Instant> next_of(const Never&, Instant) { return std::nullopt; }
std::optional<Instant> next_of(const Once& once, Instant after) {
  return once.at > after ? in_span(once.at) : std::nullopt;
}
std::optional<Instant> next_of(const Interval& interval, Instant after) {
  return in_span(grid_point(interval, grid_index(interval, after) + 1));
}
std::optional<Instant> next_of(const Calendar& calendar, Instant after) {
  return in_span(next_fire(calendar, std::chrono::floor<std::chrono::seconds>(after)));
}

std::optional<Instant> prev_of(const Never&, Instant) { return std::nullopt; }
std::optional<Instant> prev_of(const Once& once, Instant before) {
  return once.at < before ? in_span(once.at) : std::nullopt;
}
std::optional<Instant> prev_of(const Interval& interval, Instant before) {
  return in_span(grid_point(interval, grid_index(interval, before - Duration{1})));
}
std::optional<Instant> prev_of(const Calendar& calendar, Instant before) {
  return in_span(prev_fire(calendar, std::chrono::ceil<std::chrono::seconds>(before)));
}

// Control characters are refused first: messages that quote the text stay one clean line.
std::optional<Error> control_character(std::string_view text) {
  const auto found = std::ranges::find_if(
      text, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
  if (found == text.end()) return std::nullopt;
  const auto byte = static_cast<unsigned char>(*found);
  return Error{
      "invalid_schedule",
      fmt::format("column {}: the control character 0x{:02X} does not belong in a schedule",
                  found - text.begin() + 1, byte)};
}

// Bounds that keep all arithmetic far from overflow, and lose nothing of the span.
Instant bounded(Instant at) { return std::clamp(at, instant_min - Duration{1}, instant_max); }

}  // namespace

Result<Schedule> parse_schedule(std::string_view text, const Context& context) {
  constexpr std::string_view blanks = " \t";
  const auto start = text.find_first_not_of(blanks);
  if (start == std::string_view::npos) {
    return fault(1,
                 "the schedule is empty; write a cron expression such as '*/5 * * * *', or "
                 "@every, @at, @never");
  }
  if (text.size() > schedule_bytes_max) {
    return fault(schedule_bytes_max + 1, fmt::format("the schedule is {} bytes long; allowed: {}",
                                                     text.size(), schedule_bytes_max));
  }
  if (auto error = control_character(text)) return fail(*std::move(error));
  const auto end = text.find_last_not_of(blanks) + 1;
  const auto all = text.substr(start, end - start);
  if (std::ranges::all_of(all, is_letter)) return unknown_word(all, start + 1);
  if (text[start] != '@') return parse_cron(text, context);
  const auto word_end = std::min(text.find_first_of(blanks, start), end);
  const auto rest = std::min(text.find_first_not_of(blanks, word_end), end);
  return parse_special(
      {text.substr(start, word_end - start), text.substr(rest, end - rest), start + 1, rest + 1},
      context);
}

std::optional<Instant> next(const Schedule& schedule, Instant after) {
  return std::visit([&](const auto& one) { return next_of(one, bounded(after)); }, schedule);
}

std::optional<Instant> prev(const Schedule& schedule, Instant before) {
  return std::visit([&](const auto& one) { return prev_of(one, bounded(before)); }, schedule);
}

std::int64_t count(const Schedule& schedule, Instant from, Instant to, std::int64_t limit) {
  if (const auto* interval = std::get_if<Interval>(&schedule)) {
    const auto last = std::min(bounded(to), instant_max - Duration{1});
    const auto points = grid_index(*interval, last) - grid_index(*interval, bounded(from));
    return std::clamp<std::int64_t>(points, 0, limit);
  }
  std::int64_t found = 0;
  for (auto at = next(schedule, from); at && *at <= to && found < limit; at = next(schedule, *at)) {
    ++found;
  }
  return found;
}

}  // namespace cronally::cron
