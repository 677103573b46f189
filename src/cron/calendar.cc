#include "cron/calendar.h"

#include <limits>

namespace cronally::cron {
namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr auto second = seconds{1};

// cctz's civil_second of a local time, from its parts: adding seconds to 1970 is slower.
cctz::civil_second civil_of(local_seconds at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day ymd{day};
  const auto time = (at - day).count();
  return cctz::civil_second{static_cast<int>(ymd.year()),
                            static_cast<unsigned>(ymd.month()),
                            static_cast<unsigned>(ymd.day()),
                            time / 3600,
                            time / 60 % 60,
                            time % 60};
}

local_seconds local_of(const cctz::civil_second& at) {
  return local_seconds{seconds{at - cctz::civil_second{1970, 1, 1, 0, 0, 0}}};
}

seconds offset_at(const cctz::time_zone& zone, sys_seconds at) {
  return seconds{zone.lookup(at).offset};
}

local_seconds shifted(sys_seconds at, seconds offset) {
  return local_seconds{at.time_since_epoch() + offset};
}
sys_seconds shifted(local_seconds at, seconds offset) {
  return sys_seconds{at.time_since_epoch() - offset};
}

// What a local time is in a zone: an instant, or the end of the gap that removed it.
struct Lookup {
  using Kind = cctz::time_zone::civil_lookup::civil_kind;
  Kind kind;
  sys_seconds at;           // the first pass; in a gap its end
  local_seconds gap_start;  // in a gap: the first local time removed
  local_seconds end;        // in a gap: the first local time after it; in an overlap likewise
};

Lookup look_up(const cctz::time_zone& zone, local_seconds local) {
  const auto found = zone.lookup(civil_of(local));
  const auto before = local - local_seconds{found.pre.time_since_epoch()};
  const auto after = local - local_seconds{found.post.time_since_epoch()};
  switch (found.kind) {
    case Lookup::Kind::UNIQUE: return {found.kind, found.pre, {}, {}};
    case Lookup::Kind::SKIPPED:
      return {found.kind, found.trans, shifted(found.trans, before), shifted(found.trans, after)};
    case Lookup::Kind::REPEATED: return {found.kind, found.pre, {}, shifted(found.trans, before)};
  }
  return {Lookup::Kind::UNIQUE, found.pre, {}, {}};
}

bool is_utc(const cctz::time_zone& zone) { return zone == cctz::utc_time_zone(); }

std::optional<sys_seconds> next_fixed(const Calendar& calendar, sys_seconds after) {
  auto from = shifted(after, offset_at(calendar.zone, after)) + second;
  while (const auto local = calendar.expression.next_local(from)) {
    const auto found = look_up(calendar.zone, *local);
    const bool dropped = found.kind == Lookup::Kind::SKIPPED && calendar.dst == Dst::skip;
    if (found.at > after && !dropped) return found.at;
    // Over the rest of the gap, or of an overlap whose first pass is behind us, in one step.
    from =
        found.kind == Lookup::Kind::UNIQUE ? *local + second : std::max(found.end, *local + second);
  }
  return std::nullopt;
}

std::optional<sys_seconds> prev_fixed(const Calendar& calendar, sys_seconds before) {
  const auto at = before - second;
  auto from = shifted(at, offset_at(calendar.zone, at));
  const auto here = look_up(calendar.zone, from);
  // In the second pass of an overlap every time of its first pass is behind us.
  if (here.kind == Lookup::Kind::REPEATED && here.at < at) from = here.end - second;
  while (const auto local = calendar.expression.prev_local(from)) {
    const auto found = look_up(calendar.zone, *local);
    const bool dropped = found.kind == Lookup::Kind::SKIPPED && calendar.dst == Dst::skip;
    if (found.at <= at && !dropped) return found.at;
    from = (found.kind == Lookup::Kind::SKIPPED ? found.gap_start : *local) - second;
  }
  return std::nullopt;
}

// The next change of the zone after `at`, as an instant; the largest when there is none.
sys_seconds change_after(const cctz::time_zone& zone, sys_seconds at, seconds offset) {
  cctz::time_zone::civil_transition change;
  if (!zone.next_transition(at, &change)) return sys_seconds::max();
  return shifted(local_of(change.from), offset);
}

// The change by which the offset of `at` began; the smallest instant when there is none.
sys_seconds change_before(const cctz::time_zone& zone, sys_seconds at, seconds offset) {
  cctz::time_zone::civil_transition change;
  if (!zone.prev_transition(at + second, &change)) return sys_seconds::min();
  return shifted(local_of(change.to), offset);
}

// Real time: each stretch of one offset is a piece of a plain calendar.
std::optional<sys_seconds> next_real(const Calendar& calendar, sys_seconds after) {
  auto start = after + second;
  while (true) {
    const auto offset = offset_at(calendar.zone, start);
    const auto local = calendar.expression.next_local(shifted(start, offset));
    const auto change = change_after(calendar.zone, start, offset);
    if (local && shifted(*local, offset) < change) return shifted(*local, offset);
    if (change == sys_seconds::max() || change >= instant_max) return std::nullopt;
    start = change;
  }
}

std::optional<sys_seconds> prev_real(const Calendar& calendar, sys_seconds before) {
  auto end = before - second;
  while (true) {
    const auto offset = offset_at(calendar.zone, end);
    const auto local = calendar.expression.prev_local(shifted(end, offset));
    const auto change = change_before(calendar.zone, end, offset);
    if (local && shifted(*local, offset) >= change) return shifted(*local, offset);
    if (change <= instant_min) return std::nullopt;
    end = change - second;
  }
}

}  // namespace

std::optional<sys_seconds> next_fire(const Calendar& calendar, sys_seconds after) {
  if (is_utc(calendar.zone)) {
    const auto local = calendar.expression.next_local(shifted(after, seconds{0}) + second);
    return local ? std::optional(shifted(*local, seconds{0})) : std::nullopt;
  }
  return calendar.expression.follows_real_time() ? next_real(calendar, after)
                                                 : next_fixed(calendar, after);
}

std::optional<sys_seconds> prev_fire(const Calendar& calendar, sys_seconds before) {
  if (is_utc(calendar.zone)) {
    const auto local = calendar.expression.prev_local(shifted(before, seconds{0}) - second);
    return local ? std::optional(shifted(*local, seconds{0})) : std::nullopt;
  }
  return calendar.expression.follows_real_time() ? prev_real(calendar, before)
                                                 : prev_fixed(calendar, before);
}

}  // namespace cronally::cron
