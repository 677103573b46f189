#include "cron/calendar.h"

#include <algorithm>

namespace cronally::cron {
namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr auto second = seconds{1};

local_seconds shifted(sys_seconds at, seconds offset) {
  return local_seconds{at.time_since_epoch() + offset};
}
sys_seconds shifted(local_seconds at, seconds offset) {
  return sys_seconds{at.time_since_epoch() - offset};
}

std::optional<sys_seconds> next_fixed(const Calendar& calendar, sys_seconds after) {
  const auto stretch = calendar.zone.stretch_at(after);
  auto from = shifted(after, calendar.zone.offset(stretch)) + second;
  while (const auto local = calendar.expression.next_local(from)) {
    const auto found = calendar.zone.lookup(*local, stretch);
    const bool dropped = found.kind == Zone::Kind::skipped && calendar.dst == Dst::skip;
    if (found.at > after && !dropped) return found.at;
    // Over the rest of the gap, or of an overlap whose first pass is behind us, in one step.
    from =
        found.kind == Zone::Kind::unique ? *local + second : std::max(found.end, *local + second);
  }
  return std::nullopt;
}

std::optional<sys_seconds> prev_fixed(const Calendar& calendar, sys_seconds before) {
  const auto at = before - second;
  const auto stretch = calendar.zone.stretch_at(at);
  auto from = shifted(at, calendar.zone.offset(stretch));
  const auto here = calendar.zone.lookup(from, stretch);
  // In the second pass of an overlap every time of its first pass is behind us.
  if (here.kind == Zone::Kind::repeated && here.at < at) from = here.end - second;
  while (const auto local = calendar.expression.prev_local(from)) {
    const auto found = calendar.zone.lookup(*local, stretch);
    const bool dropped = found.kind == Zone::Kind::skipped && calendar.dst == Dst::skip;
    if (found.at <= at && !dropped) return found.at;
    from = (found.kind == Zone::Kind::skipped ? found.begin : *local) - second;
  }
  return std::nullopt;
}

// Real time: each stretch of one offset is a piece of a plain calendar.
std::optional<sys_seconds> next_real(const Calendar& calendar, sys_seconds after) {
  auto start = after + second;
  for (auto stretch = calendar.zone.stretch_at(start);; ++stretch) {
    const auto offset = calendar.zone.offset(stretch);
    const auto local = calendar.expression.next_local(shifted(start, offset));
    const auto change = calendar.zone.end(stretch);
    if (local && shifted(*local, offset) < change) return shifted(*local, offset);
    if (change >= instant_max) return std::nullopt;
    start = change;
  }
}

std::optional<sys_seconds> prev_real(const Calendar& calendar, sys_seconds before) {
  auto end = before - second;
  for (auto stretch = calendar.zone.stretch_at(end);; --stretch) {
    const auto offset = calendar.zone.offset(stretch);
    const auto local = calendar.expression.prev_local(shifted(end, offset));
    const auto change = calendar.zone.begin(stretch);
    if (local && shifted(*local, offset) >= change) return shifted(*local, offset);
    if (change <= instant_min) return std::nullopt;
    end = change - second;
  }
}

}  // namespace

std::optional<sys_seconds> next_fire(const Calendar& calendar, sys_seconds after) {
  if (calendar.zone.fixed()) {
    const auto offset = calendar.zone.offset(0);
    const auto local = calendar.expression.next_local(shifted(after, offset) + second);
    return local ? std::optional(shifted(*local, offset)) : std::nullopt;
  }
  return calendar.expression.follows_real_time() ? next_real(calendar, after)
                                                 : next_fixed(calendar, after);
}

std::optional<sys_seconds> prev_fire(const Calendar& calendar, sys_seconds before) {
  if (calendar.zone.fixed()) {
    const auto offset = calendar.zone.offset(0);
    const auto local = calendar.expression.prev_local(shifted(before, offset) - second);
    return local ? std::optional(shifted(*local, offset)) : std::nullopt;
  }
  return calendar.expression.follows_real_time() ? prev_real(calendar, before)
                                                 : prev_fixed(calendar, before);
}

}  // namespace cronally::cron
