// The driver: carries the step machine's words to and from the world. It decides nothing.
//
// Threads (each with a name, ended by stop()):
//   machine   takes events from the inbox, steps the planner, performs its actions
//   reader    gives shards back, reads open runs and definitions, hands over the sends that waited
//             for theirs (scheduler/errands)
//   changes   waits for changed jobs and requested runs; reads the shards that were granted
//             (scheduler/job_feed)
//   leases    heartbeats, where leases end (scheduler/lease_holder)
//   journal, memory   the journal's loops, where there is one (scheduler/journal)
// The store's writer and the deliverer call back into the inbox.
#pragma once

#include <chrono>
#include <memory>

#include "base/ids.h"
#include "core/planner.h"
#include "delivery/deliverer.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/metrics.h"
#include "runtime/supervise.h"
#include "runtime/vault.h"
#include "scheduler/job_compiler.h"
#include "scheduler/journal.h"
#include "store/database.h"

namespace cronally::scheduler {

struct DriverOptions {
  NodeId node;
  core::PlannerOptions planner;
  Duration lease_ttl = core::lease_ttl_default;  // where several nodes share the store
  runtime::RestartPolicy restart{};              // of its threads, after an outage
};

// What a driver works with; all of it outlives the driver.
struct DriverParts {
  store::Database& database;
  delivery::Deliverer& deliverer;
  JobCompiler& compiler;
  const runtime::Vault& vault;
  const runtime::Clock& clock;
  runtime::Health& health;
  runtime::Metrics& metrics;
  Journal* journal = nullptr;  // where the store can forget what it committed
};

class Driver {
 public:
  Driver(const DriverOptions& options, const DriverParts& parts);
  ~Driver();  // as stop()

  // Takes the shards over, reads and compiles the jobs, and starts the threads. Unavailable: it has
  // not started, and can only be ended.
  void start();

  // Reads the open runs anew: the store may have some that were put back behind what was read. Any
  // thread.
  void look_again();

  // Of all nodes of this store, the one that does what is to be done once. Any thread.
  bool leads() const;

  // Stops claiming, lets requests in flight finish and their outcomes commit; true when all did
  // within `timeout`. What did not is left to the next start, as after a crash. Where several nodes
  // share the store, the shards have gone to the others before.
  bool drain(Duration timeout);

  // Ends the threads. Call after drain(), or without it to die on the spot.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cronally::scheduler
