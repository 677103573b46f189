#include "scheduler/overdue_watch.h"

#include <algorithm>
#include <chrono>

#include "runtime/metric_names.h"
#include "runtime/supervise.h"

namespace cronally::scheduler {

namespace {

constexpr Duration look_every = std::chrono::seconds{2};
// What nobody takes up although it was told may be much, and is read by every node each time.
constexpr int looks_between = 5;

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
  const store::Behind read = parts_.spine.behind();
  const bool overlooked = read.sending > parts_.behind_max;
  if (overlooked && looks_passed_++ % looks_between == 0) parts_.overlooked();
  if (!overlooked) looks_passed_ = 0;
  const Duration behind = overdue(read, parts_.cursor_age_max);
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
