// Brings jobs to the machine: those of the shards that were granted, their changes, runs asked for
// by hand, and new rules of zones. The driver's changes thread; it decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <utility>
#include <vector>

#include "runtime/clock.h"
#include "runtime/health.h"
#include "scheduler/inbox.h"
#include "scheduler/job_compiler.h"
#include "scheduler/lease_holder.h"
#include "store/database.h"

namespace cronally::scheduler {

// What it works with; all of it outlives the feed.
struct JobFeedParts {
  NodeId node;
  store::Spine& spine;
  JobCompiler& compiler;
  const runtime::Clock& clock;
  runtime::Health& health;
  LeaseHolder& leases;
  Inbox& inbox;
};

// One thread: start() first, then run().
class JobFeed {
 public:
  explicit JobFeed(const JobFeedParts& parts) : parts_(parts) {}

  // Reads and posts the jobs of the shards that were granted by now. Blocks, throws Unavailable.
  void start();
  // Waits for grants and changes, and posts them, until the stop. Throws Unavailable; run again, it
  // goes on where it was: what was granted waits, and what is lost by then is not posted.
  void run(const std::stop_token& stop);

  // Where leases are endless: until when the wall clock may not show what a server before has seen.
  Instant resume_at() const { return resume_at_; }

 private:
  void read_granted();
  void read(const LeaseHolder::Granted& granted);
  void look_at_zones();
  std::size_t recompile(ShardNo shard);
  void tell_zones();

  const JobFeedParts parts_;
  Instant resume_at_{};  // set by start()
  std::vector<std::pair<ShardNo, std::int64_t>> seen_;
  std::vector<LeaseHolder::Granted> unread_;
  std::uint64_t zones_replaced_ = 0;
  std::size_t zones_unreadable_ = 0;
  SteadyInstant zones_looked_at_{};
};

}  // namespace cronally::scheduler
