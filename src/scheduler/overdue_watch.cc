#include "scheduler/overdue_watch.h"

#include <algorithm>
#include <chrono>

#include "runtime/metric_names.h"
#include "runtime/supervise.h"

namespace cronally::scheduler {

namespace {

constexpr Duration look_every = std::chrono::seconds{2};

}  // namespace

OverdueWatch::OverdueWatch(const Parts& parts)
    : parts_(parts), overdue_(parts.metrics.gauge(runtime::metric::overdue)) {}

void OverdueWatch::run(const std::stop_token& stop) {
  while (runtime::wait_or_stop(stop, look_every)) look();
}

Duration OverdueWatch::overdue(const store::Behind& behind, Duration cursor_age_max) {
  return std::max({Duration{}, behind.planning - cursor_age_max, behind.sending});
}

void OverdueWatch::look() {
  const Duration behind = overdue(parts_.spine.behind(), parts_.cursor_age_max);
  overdue_.set(std::chrono::duration<double>(behind).count());
  if (behind <= parts_.behind_max) {
    parts_.health.ok("overdue");
    return;
  }
  parts_.health.failing("overdue",
                        "work is overdue (cronally_overdue_seconds says how far): who holds its "
                        "shards does not do it, or nobody holds them; look at the log and at "
                        "/readyz?verbose of every server");
}

}  // namespace cronally::scheduler
