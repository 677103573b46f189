#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

namespace {
const AccountNo account{1};
}

core::JobDefinition World::draw_definition() {
  core::JobDefinition definition;
  definition.schedule = "@every " + std::to_string(dice_.between(10, 140) * 100) + "ms";
  definition.target =
      core::HttpTarget{.url = dice_.chance(0.5) ? "https://a.example" : "https://b.example"};
  definition.delivery =
      dice_.chance(0.3) ? core::DeliveryMode::at_most_once : core::DeliveryMode::at_least_once;
  definition.retry = {.attempts = static_cast<std::int32_t>(dice_.between(1, 6)),
                      .backoff_min = 1s,
                      .backoff_max = 20s,
                      .age_max = 5min};
  static constexpr core::CatchUpMode modes[] = {core::CatchUpMode::latest, core::CatchUpMode::all,
                                                core::CatchUpMode::skip};
  definition.catch_up.mode = modes[dice_.between(0, 2)];
  definition.catch_up.window =
      dice_.chance(0.3) ? dice_.between(Duration{1s}, Duration{10s}) : Duration{1h};
  definition.catch_up.limit = static_cast<std::int32_t>(dice_.between(1, 12));
  if (definition.delivery == core::DeliveryMode::at_most_once) definition.retry.attempts = 1;
  return definition;
}

std::optional<core::Job> World::draw_job() {
  if (jobs_.empty()) return std::nullopt;
  const auto index = dice_.between(0, std::ssize(jobs_) - 1);
  return store_.find_job(account, jobs_[static_cast<std::size_t>(index)]);
}

void World::note_edit(const core::Job& job) {
  unacked_.push_back(edits_.size());
  edits_.push_back({time_, job.no, job.shard, job.revision, job.change, {}});
  Duration told = dice_.between(Duration{50us}, Duration{3ms});
  if (faults_ && dice_.chance(0.1)) told += dice_.between(Duration{10ms}, Duration{800ms});
  after(told, [this] {
    if (planner_) poll_changes();
  });
}

void World::create_job() {
  const JobId id{uuid_v4(dice_.next(), dice_.next())};
  store::JobDraft draft{id, draw_definition(), {}};
  draft.definition.name = "job " + std::to_string(edits_.size());
  const auto created = store_.create_jobs(account, {draft}, store::Existing::fail, std::nullopt);
  jobs_.push_back(id);
  note_edit(std::get<std::vector<core::Job>>(*created).front());
}

// Every two to three seconds; half of the edits around the instant at which some job is due.
void World::schedule_edit() {
  Duration wait = dice_.between(Duration{200ms}, Duration{4s});
  if (dice_.chance(0.15)) wait = dice_.between(Duration{0}, Duration{30ms});
  after(wait, [this] {
    if (!faults_) return;
    if (time_ >= steady_until_) {
      const auto job = draw_job();
      const bool aimed = job && !job->definition.paused && dice_.chance(0.5);
      Duration aim{0};
      if (aimed) {
        const auto schedule = cron::parse_schedule(
            job->definition.schedule, {.zone = cctz::utc_time_zone(), .anchor = job->anchor});
        const auto due = cron::next(*schedule, wall());
        if (due) aim = *due - wall() + dice_.between(Duration{-1200ms}, Duration{50ms});
      }
      after(std::max(aim, Duration{0}), [this] {
        if (faults_ && time_ >= steady_until_) edit();
      });
    }
    schedule_edit();
  });
}

void World::edit() {
  const auto job = draw_job();
  if (!job || (jobs_.size() < 5 && dice_.chance(0.5))) {
    create_job();
    return;
  }
  store::JobDraft draft{job->id, job->definition, {}};
  const auto die = dice_.between(0, 99);
  if (die < 35) {
    draft.definition = draw_definition();
    draft.definition.name = job->definition.name;
    draft.definition.paused = job->definition.paused;
    // Often the same instants under another definition: those runs go over to it.
    if (dice_.chance(0.3)) draft.definition.schedule = job->definition.schedule;
    if (const auto changed = store_.change_job(account, draft, job->revision);
        changed && changed->revision != job->revision) {
      note_edit(*changed);
    }
  } else if (die < 65) {
    draft.definition.paused = !job->definition.paused;
    note_edit(*store_.change_job(account, draft, job->revision));
  } else if (die < 85) {
    const RunId id{uuid_v7(wall(), dice_.next(), dice_.next())};
    (void)store_.request_run(account, job->id, core::RunKind::manual, "manual:" + id.text(), id);
    after(dice_.between(Duration{50us}, Duration{3ms}), [this] {
      if (planner_) poll_changes();
    });
  } else if (die < 93 && jobs_.size() < 14) {
    create_job();
  } else {
    note_edit(*store_.delete_job(account, job->id, std::nullopt));
    std::erase(jobs_, job->id);
  }
}

}  // namespace cronally::sim
