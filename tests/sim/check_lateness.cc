// P7 in a world where nothing but deaths makes anything late.
#include <algorithm>

#include "tests/sim/checks.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

// What fell due around a death or a freeze waits for the end of a lease and a second more; all
// else, around drains too, for a second.
Duration Checks::lateness_max(Instant due) const {
  const Duration failover = world_.scenario.ttl + 1s;
  const Duration at = due - world_.base();
  const bool hit = std::ranges::any_of(incidents_, [&](const Incident& incident) {
    return !incident.graceful && incident.at >= at - failover && incident.at <= at + 1s;
  });
  return hit ? failover : Duration{1s};
}

void Checks::check_lateness() {
  for (const auto& [no, run] : world_.store.run_records()) {
    const JobRecord& record = world_.store.job_records().at(run.open.job);
    const Duration late_max = lateness_max(run.open.due);
    const Instant limit = run.open.due + late_max;
    const auto sent = first_bytes_.find(run.open.id);
    // A request that a death may have swallowed is not repeated; and a job may be content with less
    // than the bound.
    const bool given_up =
        (run.verdict == core::Verdict::unknown && late_max > 1s) ||
        (run.reason == core::Reason::expired && record.job.definition.catch_up.window < late_max);
    if (sent == first_bytes_.end() && (given_up || limit > world_.wall())) continue;
    if (sent != first_bytes_.end() && sent->second <= limit) continue;
    object("P7: run " + std::to_string(no.value) + " of job " + std::to_string(run.open.job.value) +
           " due at " + seconds(run.open.due - world_.base()) + " left " +
           (sent == first_bytes_.end() ? "never" : seconds(sent->second - run.open.due) + " late"));
  }
  for (const auto& skip : world_.store.skip_records()) {
    const DefinitionSpan& span = world_.store.job_records().at(skip.job).definitions.front();
    const Duration length = interval_of(span.definition.schedule);
    const Instant due = span.anchor + ((skip.from - span.anchor) / length + 1) * length;
    if (skip.at <= due + lateness_max(due)) continue;
    object("P7: what job " + std::to_string(skip.job.value) + " owed at " +
           seconds(due - world_.base()) + " was passed over " + seconds(skip.at - due) + " late");
  }
}

}  // namespace cronally::sim
