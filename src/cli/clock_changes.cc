#include "cli/clock_changes.h"

#include <fmt/format.h>

#include <optional>

#include "cli/when.h"

namespace cronally::cli {
namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr cctz::civil_second epoch{1970, 1, 1, 0, 0, 0};

local_seconds local_of(const cctz::civil_second& civil) {
  return local_seconds{seconds{civil - epoch}};
}

std::string clock_text(local_seconds local) {
  const std::chrono::hh_mm_ss time{local - std::chrono::floor<std::chrono::days>(local)};
  std::string text = fmt::format("{:02}:{:02}", time.hours().count(), time.minutes().count());
  if (time.seconds().count() != 0) text += fmt::format(":{:02}", time.seconds().count());
  return text;
}

std::string date_text(Instant at, const cctz::time_zone& zone) {
  return cctz::format("%Y-%m-%d", at, zone);
}

std::string civil_text(const cctz::civil_second& civil) {
  const cctz::time_zone utc = cctz::utc_time_zone();
  return cctz::format("%Y-%m-%dT%H:%M:%S", cctz::convert(civil, utc), utc);
}

// A first named local time in [from, to), and whether there is more than that one.
struct Named {
  local_seconds first;
  bool more = false;
  std::string text() const { return clock_text(first) + (more ? " and what follows" : ""); }
};

std::optional<Named> named_in(const cron::Expression& expression, local_seconds from,
                              local_seconds to) {
  const auto first = expression.next_local(from);
  if (!first || *first >= to) return std::nullopt;
  const auto second = expression.next_local(*first + seconds{1});
  return Named{*first, second && *second < to};
}

bool fires_in(const cron::Schedule& schedule, Instant from, Instant to) {
  const auto at = cron::next(schedule, from - Duration{1});
  return at && *at < to;
}

std::optional<std::string> forward(const cron::Calendar& calendar, const cron::Schedule& schedule,
                                   const cctz::time_zone::civil_transition& change, Instant at) {
  const auto named = named_in(calendar.expression, local_of(change.from), local_of(change.to));
  if (!named) return std::nullopt;
  const bool fires = fires_in(schedule, at, at + seconds{1});
  const std::string gap = fmt::format(
      "{}: the clock goes from {} to {}, leaving out {}; ", date_text(at, calendar.zone.source()),
      clock_text(local_of(change.from)), clock_text(local_of(change.to)), named->text());
  if (calendar.expression.follows_real_time())
    return gap + "the schedule follows real time, nothing is made up for";
  return gap + (fires ? "it fires at " + format_local(at, calendar.zone.source())
                      : "it does not fire then");
}

std::optional<std::string> back(const cron::Calendar& calendar, const cron::Schedule& schedule,
                                const cctz::time_zone::civil_transition& change, Instant at) {
  const auto named = named_in(calendar.expression, local_of(change.to), local_of(change.from));
  if (!named) return std::nullopt;
  const auto length = seconds{change.from - change.to};
  const bool first = fires_in(schedule, at - length, at);
  const bool second = fires_in(schedule, at, at + length);
  const std::string overlap =
      fmt::format("{}: the clock goes back from {} to {}, so {} comes twice; ",
                  date_text(at, calendar.zone.source()), clock_text(local_of(change.from)),
                  clock_text(local_of(change.to)), named->text());
  if (first && second) return overlap + "it fires both times";
  return overlap + (first ? "it fires the first time only" : "it fires the second time only");
}

}  // namespace

std::vector<ClockChange> clock_changes(const cron::Schedule& schedule, Instant from,
                                       Instant until) {
  std::vector<ClockChange> changes;
  const auto* calendar = std::get_if<cron::Calendar>(&schedule);
  if (!calendar) return changes;
  const cctz::time_zone& zone = calendar->zone.source();
  auto after = std::chrono::floor<seconds>(from);
  cctz::time_zone::civil_transition change;
  while (zone.next_transition(after, &change)) {
    const bool is_forward = change.from < change.to;
    const auto instant = zone.lookup(is_forward ? change.from : change.to).trans;
    if (instant <= after || instant > until) break;
    const Instant at{instant.time_since_epoch()};
    const auto detail = is_forward ? forward(*calendar, schedule, change, at)
                                   : back(*calendar, schedule, change, at);
    if (detail) changes.push_back({at, civil_text(change.from), civil_text(change.to), *detail});
    after = instant;
  }
  return changes;
}

}  // namespace cronally::cli
