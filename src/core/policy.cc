#include "core/policy.h"

#include <algorithm>
#include <limits>

namespace cronally::core {
namespace {

constexpr Duration tick{1};  // instants are whole microseconds: (a, b] = [a + tick, b]

bool owes_any(const cron::Schedule& schedule, Instant from, Instant to) {
  if (from >= to) return false;
  const auto first = cron::next(schedule, from);
  return first && *first <= to;
}

void add_skip(Missed& missed, const cron::Schedule& schedule, Missed::Span span) {
  if (owes_any(schedule, span.from, span.to)) missed.skips.push_back(span);
}

Duration backoff(const Tried& tried) {
  Duration cap = tried.retry.backoff_min;
  for (std::int32_t i = 0; i < tried.run.failures && cap < tried.retry.backoff_max; ++i) cap *= 2;
  cap = std::min(cap, tried.retry.backoff_max);
  Duration wait{static_cast<std::int64_t>(static_cast<double>(cap.count()) * tried.jitter)};
  if (tried.result.retry_after) {
    wait = std::max(wait, std::min(*tried.result.retry_after, tried.retry.backoff_max));
  }
  return wait;
}

NextStep after_failure(const Tried& tried) {
  if (tried.run.failures + 1 >= tried.retry.attempts) {
    return Outcome::End{Verdict::failed, Reason::exhausted};
  }
  // A clock that was stepped back may show a time before the run is due at all.
  const Duration wait = tried.result.repeat == Repeat::at_once ? Duration::zero() : backoff(tried);
  const Instant again = std::max(tried.now + wait, tried.run.due);
  const Instant first = tried.run.first_attempt_at.value_or(attempted_at(tried.result));
  if (again > first + tried.age_max) return Outcome::End{Verdict::failed, Reason::too_old};
  return Outcome::Again{again};
}

void catch_up_latest(Missed& missed, const cron::Schedule& schedule, Instant from, Instant until) {
  const auto last = cron::prev(schedule, until + tick);
  if (!last || *last <= from) return;
  add_skip(missed, schedule, {from, *last - tick, Reason::catch_up_latest});
  missed.claims.push_back(*last);
}

void catch_up_all(Missed& missed, const cron::Schedule& schedule, Instant from, Instant until,
                  std::int32_t limit) {
  Instant last = from;
  for (auto due = cron::next(schedule, from); due && *due <= until;
       due = cron::next(schedule, last)) {
    if (std::ssize(missed.claims) >= limit) break;
    missed.claims.push_back(*due);
    last = *due;
  }
  add_skip(missed, schedule, {last, until, Reason::catch_up_limit});
}

}  // namespace

NextStep next_step(const Tried& tried) {
  const AttemptResult& result = tried.result;
  const bool answered = result.fate == Fate::answered;
  if (answered && result.status >= 200 && result.status < 300) {
    return Outcome::End{Verdict::succeeded, Reason::none};
  }
  if (answered && result.status == 410) return Outcome::End{Verdict::failed, Reason::gone};
  if (result.repeat == Repeat::never) return Outcome::End{Verdict::failed, Reason::refused};
  if (tried.delivery == DeliveryMode::at_most_once) {
    if (result.fate == Fate::unknown) return Outcome::End{Verdict::unknown, Reason::fate_unknown};
    return Outcome::End{Verdict::failed, Reason::exhausted};
  }
  return after_failure(tried);
}

Duration age_max_of(const Retry& retry, const cron::Schedule& schedule, Instant scheduled_at) {
  if (retry.age_max) return *retry.age_max;
  const Duration hour = std::chrono::hours{1};
  const auto next = cron::next(schedule, scheduled_at);
  return next ? std::min(hour, *next - scheduled_at) : hour;
}

Instant attempted_at(const AttemptResult& result) {
  return result.first_byte_at.value_or(result.ended_at);
}

Missed catch_up_missed(const cron::Schedule& schedule, const CatchUp& policy, const Past& past) {
  Missed missed;
  const bool skips = policy.mode == CatchUpMode::skip;
  const Duration late_max = skips ? missed_after : policy.window;
  const Instant start = std::clamp(past.now - late_max - tick, past.from, past.until);
  add_skip(missed, schedule,
           {past.from, start, skips ? Reason::catch_up_skip : Reason::catch_up_window});
  if (policy.mode == CatchUpMode::latest) {
    catch_up_latest(missed, schedule, start, past.until);
  } else {
    const auto limit = skips ? std::numeric_limits<std::int32_t>::max() : policy.limit;
    catch_up_all(missed, schedule, start, past.until, limit);
  }
  return missed;
}

Missed owed_before(const OwedBefore& owed, const CatchUp& policy, Instant now) {
  if (owed.withdrawn == Reason::none) {
    // The edit's instant is the store's, whose clock may be a little ahead.
    return catch_up_missed(
        owed.schedule, policy,
        {.from = owed.from, .until = owed.until, .now = std::max(now, owed.until)});
  }
  Missed missed;
  add_skip(missed, owed.schedule, {owed.from, owed.until, owed.withdrawn});
  return missed;
}

std::optional<Instant> begin_deadline(const OpenRun& run, bool replaces_unknown,
                                      const CatchUp& policy) {
  if (run.failures > 0 && !replaces_unknown) return std::nullopt;
  return run.due + policy.window;
}

Outcome::End expired_end(const OpenRun& run, bool replaces_unknown) {
  const bool unknown = run.unknowns > 0 || replaces_unknown;
  return {unknown ? Verdict::unknown : Verdict::failed, Reason::expired};
}

Duration lead_for(Duration lead_min, Duration commit_recent) {
  const Duration wanted = 4 * commit_recent + std::chrono::milliseconds{200};
  return std::min<Duration>(std::max(lead_min, wanted), lead_plan_max);
}

}  // namespace cronally::core
