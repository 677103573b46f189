// From a job as the store keeps it (texts) to a job as the step machine plans it (values).
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/aws_endpoint.h"
#include "core/planner.h"
#include "runtime/zone_loader.h"
#include "store/database.h"

namespace cronally::scheduler {

// Loads zones, parses schedules and numbers destinations. Thread-safe. Numbers are never reused;
// an installation has few destinations, and each costs its text once.
class JobCompiler {
 public:
  // `endpoints`: where the server reaches the services that destinations name ("aws:sns:…").
  explicit JobCompiler(runtime::ZoneLoader& zones, core::AwsEndpoints endpoints = {})
      : zones_(zones), endpoints_(std::move(endpoints)) {}

  // A schedule was checked when the job was written, so a failure here means that this host lacks
  // its zone or that the row was damaged. Codes: those of parse_schedule, "invalid_zone".
  Result<cron::Schedule> schedule(const store::JobPlan& plan) const;
  Result<cron::Schedule> schedule(const store::OwedBefore& owed) const;

  // As schedule(), but a schedule that does not compile becomes Never and one error in the log,
  // so that one job's trouble stops no other.
  core::PlannedJob compile(const store::JobPlan& plan);

  // Whether compile() made `job` Never because its schedule cannot be read on this host.
  static bool unreadable(const store::JobPlan& plan, const core::PlannedJob& job);

  // ZoneLoader::replaced().
  std::uint64_t zones_replaced() const { return zones_.replaced(); }

 private:
  template <class Plan>
  Result<cron::Schedule> read(const Plan& plan) const;
  core::DestinationNo destination(const std::string& stored);

  runtime::ZoneLoader& zones_;
  const core::AwsEndpoints endpoints_;
  std::mutex mutex_;
  std::unordered_map<std::string, core::DestinationNo> destinations_;
};

}  // namespace cronally::scheduler
