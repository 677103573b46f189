#include "scheduler/job_feed.h"

#include <chrono>
#include <iterator>
#include <mutex>
#include <ranges>
#include <string>
#include <utility>

#include "runtime/log.h"
#include "runtime/random.h"

namespace cronally::scheduler {

namespace log = runtime::log;
using namespace std::chrono_literals;

namespace {

// How long one wait for changes lasts; only bounds how late a stop is seen.
constexpr Duration changes_wait = 10s;
// How often tzdata is looked at; new rules hold from then on.
constexpr Duration look_at_zones_every = 10s;

}  // namespace

void JobFeed::start() {
  zones_replaced_ = parts_.compiler.zones_replaced();
  zones_looked_at_ = parts_.clock.steady();
  read_granted();
  tell_zones();
}

void JobFeed::run(const std::stop_token& stop) {
  // After the request, so that the wait which this ends is the last one.
  const std::stop_callback wake(stop, [this] { parts_.spine.interrupt_waits(); });
  while (!stop.stop_requested()) {
    look_at_zones();
    read_granted();
    auto changes = parts_.spine.wait_for_changes(seen_, changes_wait);
    if (changes.jobs.empty() && changes.requested.empty() && changes.seen.empty()) continue;
    core::ChangesRead event{.requested = std::move(changes.requested), .seen = changes.seen};
    event.jobs.reserve(changes.jobs.size());
    for (const auto& plan : changes.jobs) event.jobs.push_back(parts_.compiler.compile(plan));
    for (const auto& [shard, change] : changes.seen) {
      for (auto& [known, at] : seen_) {
        if (known == shard) at = change;
      }
    }
    parts_.inbox.post(std::move(event));
  }
}

// During an outage they wait; what was lost by then is not handed over.
void JobFeed::read_granted() {
  for (auto& granted : parts_.leases.take_granted()) unread_.push_back(granted);
  for (; !unread_.empty(); unread_.erase(unread_.begin())) read(unread_.front());
}

// Reads what the machine starts these shards from, and hands it over if they are still held.
void JobFeed::read(const LeaseHolder::Granted& granted) {
  core::ShardsAcquired event{.fence = granted.fence,
                             .random_seed = runtime::random_u64(),
                             .sent_until = parts_.leases.sent_until(granted)};
  std::mutex mutex;
  const auto read =
      parts_.spine.read_shards(granted.shards, [&](std::vector<store::JobPlan>&& plans) {
        std::size_t unreadable = 0;
        std::vector<core::PlannedJob> jobs;
        jobs.reserve(plans.size());
        for (const auto& plan : plans) {
          jobs.push_back(parts_.compiler.compile(plan));
          unreadable += JobCompiler::unreadable(plan, jobs.back()) ? 1 : 0;
        }
        std::lock_guard lock(mutex);
        std::ranges::move(jobs, std::back_inserter(event.jobs));
        zones_unreadable_ += unreadable;
      });
  // Endless: all are read before the threads start.
  if (parts_.leases.endless()) resume_at_ = read.resume_at;
  event.shards.reserve(read.shards.size());
  for (const auto& shard : read.shards) {
    event.shards.push_back({shard.no, shard.cursor, shard.change});
    std::erase_if(seen_, [&](const auto& known) { return known.first == shard.no; });
    seen_.emplace_back(shard.no, shard.change);
  }
  log::info("scheduler", "shards acquired",
            {{"node", parts_.node},
             {"fence", granted.fence},
             {"shards", read.shards.size()},
             {"jobs", event.jobs.size()}});
  parts_.leases.post_acquired(std::move(event));
}

// Compiles the jobs anew when tzdata was replaced under the running server. A job whose schedule
// cannot be read then keeps the rules it has, and is tried again at the next look.
void JobFeed::look_at_zones() {
  const auto now = parts_.clock.steady();
  if (now - zones_looked_at_ < look_at_zones_every) return;
  zones_looked_at_ = now;
  const std::uint64_t replaced = parts_.compiler.zones_replaced();
  if (replaced == zones_replaced_ && zones_unreadable_ == 0) return;
  if (replaced != zones_replaced_) {
    log::info("scheduler", "the rules of time zones were replaced; jobs are planned anew");
  }
  zones_replaced_ = replaced;
  zones_unreadable_ = 0;
  for (const auto& [shard, change] : seen_) zones_unreadable_ += recompile(shard);
  tell_zones();
}

// The number of jobs whose schedules cannot be read.
std::size_t JobFeed::recompile(ShardNo shard) {
  std::size_t unreadable = 0;
  auto changes = parts_.spine.wait_for_changes({{shard, 0}}, Duration::zero());
  core::SchedulesChanged event;
  for (const auto& plan : changes.jobs) {
    if (plan.deleted || plan.zone == "UTC") continue;
    if (parts_.compiler.schedule(plan)) {
      event.jobs.push_back(parts_.compiler.compile(plan));
    } else {
      ++unreadable;
    }
  }
  if (!event.jobs.empty()) parts_.inbox.post(std::move(event));
  if (!changes.requested.empty()) {
    parts_.inbox.post(core::ChangesRead{.requested = std::move(changes.requested)});
  }
  return unreadable;
}

void JobFeed::tell_zones() {
  if (zones_unreadable_ == 0) {
    parts_.health.ok("zones");
    return;
  }
  parts_.health.failing(
      "zones", std::to_string(zones_unreadable_) +
                   " jobs have schedules that cannot be read on this host; install tzdata, or "
                   "change their zones");
}

}  // namespace cronally::scheduler
