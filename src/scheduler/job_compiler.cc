#include "scheduler/job_compiler.h"

#include "runtime/log.h"

namespace cronally::scheduler {

template <class Plan>
Result<cron::Schedule> JobCompiler::read(const Plan& plan) const {
  auto zone = zones_.load(plan.zone);
  if (!zone) return fail(zone.error());
  return cron::parse_schedule(
      plan.schedule, {.zone = *zone, .dst = plan.dst, .name = plan.name, .anchor = plan.anchor});
}

Result<cron::Schedule> JobCompiler::schedule(const store::JobPlan& plan) const {
  return read(plan);
}

Result<cron::Schedule> JobCompiler::schedule(const store::OwedBefore& owed) const {
  return read(owed);
}

core::PlannedJob JobCompiler::compile(const store::JobPlan& plan) {
  core::PlannedJob job{.no = plan.no,
                       .shard = plan.shard,
                       .revision = plan.revision,
                       .schedule = cron::Never{},
                       .changed_at = plan.changed_at,
                       .change = plan.change,
                       .planned = plan.planned,
                       .paused = plan.paused,
                       .deleted = plan.deleted,
                       .last_change = plan.last_change,
                       .delivery = plan.delivery,
                       .retry = plan.retry,
                       .catch_up = plan.catch_up,
                       .destination = destination(plan.destination),
                       .id = plan.id};
  for (const auto& owed : plan.owed_before) {
    // What cannot be read here is not run; who looks finds it in the log of the newest revision.
    if (auto compiled = schedule(owed)) {
      job.owed_before.push_back(
          {owed.revision, std::move(*compiled), owed.from, owed.until, owed.withdrawn});
    }
  }
  if (plan.deleted) return job;
  if (auto compiled = schedule(plan)) {
    job.schedule = std::move(*compiled);
  } else {
    runtime::log::error("scheduler", "a job's schedule cannot be read on this host; it is not run",
                        {{"job", plan.id.text()},
                         {"schedule", plan.schedule},
                         {"zone", plan.zone},
                         {"error", compiled.error().message}});
  }
  return job;
}

bool JobCompiler::unreadable(const store::JobPlan& plan, const core::PlannedJob& job) {
  return !plan.deleted && plan.schedule != "@never" &&
         std::holds_alternative<cron::Never>(job.schedule);
}

core::DestinationNo JobCompiler::destination(const std::string& stored) {
  std::string origin = endpoints_.origin(stored);
  std::lock_guard lock(mutex_);
  if (const auto known = destinations_.find(origin); known != destinations_.end()) {
    return known->second;
  }
  const auto next = static_cast<core::DestinationNo>(destinations_.size());
  return destinations_.try_emplace(std::move(origin), next).first->second;
}

}  // namespace cronally::scheduler
