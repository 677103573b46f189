// The decisions that are pure functions of values: what follows an attempt, what becomes of missed
// occurrences, how late a run may begin, how far ahead to plan. Tables in policy_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/batch.h"
#include "core/job.h"
#include "core/run.h"
#include "cron/schedule.h"

namespace cronally::core {

// ---- After an attempt -------------------------------------------------------------------------

using NextStep = std::variant<Outcome::End, Outcome::Again>;

struct Tried {
  const OpenRun& run;           // as it was while the attempt was under way
  const AttemptResult& result;  // fate is not `withdrawn`
  DeliveryMode delivery = DeliveryMode::at_least_once;
  Retry retry;
  Duration age_max{};  // the effective one: age_max_of()
  Instant now;
  double jitter = 0;  // in [0, 1): the share of the backoff that is waited
};

// INTERFACES §3. A 2xx succeeds, 410 fails for good (gone), as does a result that says never to
// repeat it (refused). At most once: any other answer, and a
// request that never left, fail (exhausted); an unknown fate ends unknown (fate_unknown). At least
// once: everything else is a recorded failure; the run fails when `retry.attempts` of them are
// recorded (exhausted) or the next attempt would begin later than `age_max` after the first
// (too_old); else it goes again after min(backoff_min * 2^failures, backoff_max) * jitter, or
// after Retry-After (which counts up to backoff_max), whichever is later; where the result says at
// once, nothing is waited for.
NextStep next_step(const Tried& tried);

// The run's age limit: what the job says, else the smaller of 1 h and the time from this
// occurrence to the next.
Duration age_max_of(const Retry& retry, const cron::Schedule& schedule, Instant scheduled_at);

// When an attempt counts as made, for age_max: its first byte, or its end if nothing left.
Instant attempted_at(const AttemptResult& result);

// ---- Missed occurrences -----------------------------------------------------------------------

struct Missed {
  struct Span {  // occurrences in (from, to]
    Instant from;
    Instant to;
    Reason reason = Reason::none;
    friend bool operator==(const Span&, const Span&) = default;
  };
  std::vector<Instant> claims;  // ascending
  std::vector<Span> skips;      // ascending, disjoint, each with at least one owed instant
  friend bool operator==(const Missed&, const Missed&) = default;
};

// What is no later than this is late and not missed: `skip` runs it too (P6, "at most 1 s").
inline constexpr Duration missed_after = std::chrono::seconds{1};

// The time over which is decided: (from, until], not beyond `now`.
struct Past {
  Instant from;
  Instant until;
  Instant now;
};

// Decides over the owed instants of `past`, none of which is claimed. Those due before
// now - window are skipped(window) in every mode but `skip`. Within the window: `latest` claims the
// last and skips what is before it; `all` claims the oldest `limit` and skips the rest(limit);
// `skip` skips what is due before now - missed_after and claims the rest. Costs O(limit) calls of
// next() and prev(), however long the outage.
Missed catch_up_missed(const cron::Schedule& schedule, const CatchUp& policy, const Past& past);

// What a definition owed in (from, until] and no owner planned, for it was replaced before: nobody
// had its shard, or its owner was behind.
struct OwedBefore {
  Revision revision = 0;  // the one that owed it
  cron::Schedule schedule;
  Instant from;
  Instant until;  // the commit of the edit that replaced it
  Reason withdrawn =
      Reason::none;  // by a later edit (changed, deleted); none: only paused, resumed
};

// An occurrence that was due before an edit comes to the same, claimed by then or not: a change or
// a delete cancels it, a pause holds it. So what was withdrawn is skipped with that reason, and the
// rest is missed: `policy` decides over it.
//   created 10:00:00, every minute; paused 10:01:30, before any owner saw it: {10:01:00} is claimed
//   the same with a change of the schedule at 10:01:30: (10:00:00, 10:01:30] is skipped(changed)
Missed owed_before(const OwedBefore& owed, const CatchUp& policy, Instant now);

// ---- Lateness ---------------------------------------------------------------------------------

// The last instant at which the run's request may begin. Bounded are a first request and one that
// replaces an attempt of unknown fate; a retry after a recorded failure is bounded by age_max
// alone (nullopt).
std::optional<Instant> begin_deadline(const OpenRun& run, bool replaces_unknown,
                                      const CatchUp& policy);

// How a run that missed its deadline ends: failed(expired), unknown(expired) where an attempt's
// fate is unknown.
Outcome::End expired_end(const OpenRun& run, bool replaces_unknown);

// As far ahead as claims are planned: the store's clock is read after ours, and the difference
// stays below 200 ms unless a clock steps, so that it does not find them early.
inline constexpr Duration lead_plan_max = lead_max - std::chrono::milliseconds{200};

// How far ahead claims are planned: four commits and 200 ms, from `lead_min` to lead_plan_max.
Duration lead_for(Duration lead_min, Duration commit_recent);

}  // namespace cronally::core
