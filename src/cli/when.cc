#include "cli/when.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"

namespace cronally::cli {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "2026-12-01", then nothing, or T or a blank, "10:00", and the rest; no offset at the end.
bool has_date(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return false;
  for (const std::size_t at : {0u, 1u, 2u, 3u, 5u, 6u, 8u, 9u})
    if (!is_digit(text[at])) return false;
  return true;
}

// The text as RFC 3339 would write it if the zone were UTC, for parse_instant to judge.
std::string as_utc(std::string_view text) {
  std::string whole(text);
  if (text.size() == 10) whole += "T00:00";
  if (whole.size() == 16) whole += ":00";
  return whole + "Z";
}

Error invalid(std::string message) { return {"invalid_time", std::move(message)}; }

Result<Instant> parse_local(std::string_view text, const cctz::time_zone& zone) {
  const Result<Instant> naive = parse_instant(as_utc(text));
  if (!naive)
    return fail(invalid(quote(text) + " is not a time: write it as 2026-12-01T10:00, with an "
                                      "offset (2026-12-01T10:00:00+01:00), as 'now' or as '+2h'"));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*naive);
  const Duration fraction = *naive - seconds;
  const auto civil = cctz::convert(seconds, cctz::utc_time_zone());
  const cctz::time_zone::civil_lookup found = zone.lookup(civil);
  const auto at = [&](auto point) { return Instant{point.time_since_epoch()} + fraction; };
  switch (found.kind) {
    case cctz::time_zone::civil_lookup::UNIQUE: return at(found.pre);
    case cctz::time_zone::civil_lookup::SKIPPED:
      return fail(invalid("there is no " + quote(text) +
                          " in that zone: its clock is put forward then; the change is at " +
                          format_local(at(found.trans), zone)));
    case cctz::time_zone::civil_lookup::REPEATED:
      return fail(invalid(quote(text) + " happens twice in that zone: write " +
                          format_local(at(found.pre), zone) + " or " +
                          format_local(at(found.post), zone)));
  }
  return fail(invalid("unreadable time"));
}

}  // namespace

bool is_local_time(std::string_view text) {
  if (!has_date(text)) return false;
  const std::string_view clock = text.substr(10);
  return clock.find_first_of("zZ+-") == std::string_view::npos;
}

Result<Instant> parse_when(std::string_view text, const cctz::time_zone& zone, Instant now) {
  if (text == "now") return now;
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
    const Result<Duration> distance = parse_duration(text.substr(1));
    if (!distance) return fail(distance.error());
    const Instant at = text.front() == '+' ? now + *distance : now - *distance;
    if (at < instant_min || at >= instant_max)
      return fail(invalid(quote(text) + " leads outside of the years 1970 to 2199"));
    return at;
  }
  if (has_date(text) && !is_local_time(text)) return parse_instant(text);
  return parse_local(text, zone);
}

std::string format_local(Instant at, const cctz::time_zone& zone) {
  return cctz::format("%Y-%m-%dT%H:%M:%E*S%Ez", at, zone);
}

std::string format_relative(Instant at, Instant now) {
  using std::chrono::seconds;
  const bool past = at < now;
  auto rest = std::chrono::round<seconds>(past ? now - at : at - now).count();
  if (rest == 0) return "now";
  constexpr std::array<std::pair<std::int64_t, char>, 4> units{
      {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}};
  std::string text;
  int parts = 0;
  for (const auto& [length, unit] : units) {
    if (parts == 2 || (parts == 1 && rest < length)) break;
    if (rest < length) continue;
    text += fmt::format("{}{}{}", parts ? " " : "", rest / length, unit);
    rest %= length;
    ++parts;
  }
  return past ? text + " ago" : "in " + text;
}

std::string format_lateness(double milliseconds) {
  const double size = std::abs(milliseconds);
  if (size >= 1000) return fmt::format("{:+.1f} s", milliseconds / 1000);
  return size >= 10 ? fmt::format("{:+.0f} ms", milliseconds)
                    : fmt::format("{:+.1f} ms", milliseconds);
}

}  // namespace cronally::cli
