#include "scheduler/pruner.h"

#include "runtime/log.h"
#include "runtime/supervise.h"

namespace cronally::scheduler {

using namespace std::chrono_literals;

namespace {

constexpr Duration between_rounds = 10s;
// A portion takes the writer a few ms, so it stands idle, or at others' service, most of the time;
// some 5,000 runs a second go, which is more than rated load brings.
constexpr Duration between_portions = 20ms;

}  // namespace

void Pruner::run(const std::stop_token& stop) {
  while (runtime::wait_or_stop(stop, between_rounds)) {
    if (leads_() && !round(stop)) return;
  }
}

bool Pruner::round(const std::stop_token& stop) {
  store::Pruned total;
  bool going = true;
  do {
    const auto pruned = retention_.prune(keep_);
    total.runs += pruned.runs;
    total.spans += pruned.spans;
    total.keys += pruned.keys;
    total.more = pruned.more;
  } while (total.more && leads_() && (going = runtime::wait_or_stop(stop, between_portions)));
  if (total.runs + total.spans + total.keys > 0) {
    runtime::log::info("ledger", "pruned",
                       {{"runs", total.runs}, {"spans", total.spans}, {"keys", total.keys}});
  }
  return going;
}

}  // namespace cronally::scheduler
