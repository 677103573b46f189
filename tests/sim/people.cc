#include "tests/sim/people.h"

#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

namespace {
const AccountNo account{1};
}

void People::begin() {
  for (int i = 0; i < 14; ++i) create_job();
  if (world_.scenario.kind != Kind::deaths) schedule_edit();
}

core::JobDefinition People::draw_definition() {
  auto& dice = world_.dice;
  core::JobDefinition definition;
  definition.schedule = "@every " + std::to_string(dice.between(10, 140) * 100) + "ms";
  definition.target =
      core::HttpTarget{.url = dice.chance(0.5) ? "https://a.example" : "https://b.example"};
  definition.delivery =
      dice.chance(0.3) ? core::DeliveryMode::at_most_once : core::DeliveryMode::at_least_once;
  definition.retry = {.attempts = static_cast<std::int32_t>(dice.between(1, 6)),
                      .backoff_min = 1s,
                      .backoff_max = 20s,
                      .age_max = 5min};
  static constexpr core::CatchUpMode modes[] = {core::CatchUpMode::latest, core::CatchUpMode::all,
                                                core::CatchUpMode::skip};
  definition.catch_up.mode = modes[dice.between(0, 2)];
  definition.catch_up.window =
      dice.chance(0.3) ? dice.between(Duration{1s}, Duration{10s}) : Duration{1h};
  definition.catch_up.limit = static_cast<std::int32_t>(dice.between(1, 12));
  if (definition.delivery == core::DeliveryMode::at_most_once) definition.retry.attempts = 1;
  return definition;
}

std::optional<core::Job> People::draw_job() {
  if (jobs_.empty()) return std::nullopt;
  const auto index = world_.dice.between(0, std::ssize(jobs_) - 1);
  return world_.store.find_job(account, jobs_[static_cast<std::size_t>(index)]);
}

void People::tell_nodes(Duration delay) {
  for (auto& node : world_.nodes) node->told(delay);
}

void People::note_edit(const core::Job& job) {
  unacked_.push_back(edits_.size());
  edits_.push_back({world_.time(), job.no, job.shard, job.revision, job.change, {}});
  auto& dice = world_.dice;
  Duration told = dice.between(Duration{50us}, Duration{3ms});
  if (world_.faulty() && dice.chance(0.1)) told += dice.between(Duration{10ms}, Duration{800ms});
  tell_nodes(told);
}

void People::note_acks() {
  std::erase_if(unacked_, [this](std::size_t index) {
    Edit& edit = edits_[index];
    if (!world_.store.seen(edit.shard, edit.change)) return false;
    edit.acked = world_.time();
    acked_[edit.job] = std::max(acked_[edit.job], edit.revision);
    return true;
  });
}

Revision People::acked(JobNo job) const {
  const auto found = acked_.find(job);
  return found == acked_.end() ? 0 : found->second;
}

std::vector<Edit> People::unacked() const {
  std::vector<Edit> open;
  for (const std::size_t index : unacked_) open.push_back(edits_[index]);
  return open;
}

void People::create_job() {
  auto& dice = world_.dice;
  const JobId id{uuid_v4(dice.next(), dice.next())};
  store::JobDraft draft{id, draw_definition(), {}};
  draft.definition.name = "job " + std::to_string(edits_.size());
  const auto created =
      world_.store.create_jobs(account, {draft}, store::Existing::fail, std::nullopt);
  jobs_.push_back(id);
  note_edit(std::get<std::vector<core::Job>>(*created).front());
  change_mind(id);
}

// Many a job is edited soon after it was made, and once more after that: nobody may own its shard
// all that time.
void People::change_mind(const JobId& id) {
  auto& dice = world_.dice;
  if (world_.scenario.kind == Kind::deaths || !dice.chance(0.5)) return;
  world_.after(dice.between(Duration{0}, Duration{6s}), [this, id] {
    const auto job = world_.store.find_job(account, id);
    if (!job || !world_.troubled() || !world_.clock_settled() || world_.forgetting) return;
    edit(*job);
    change_mind(id);
  });
}

// Every two to three seconds; half of the edits around the instant at which some job is due.
void People::schedule_edit() {
  auto& dice = world_.dice;
  Duration wait = dice.between(Duration{200ms}, Duration{4s});
  if (dice.chance(0.15)) wait = dice.between(Duration{0}, Duration{30ms});
  world_.after(wait, [this] {
    if (!world_.troubled()) return;
    if (world_.clock_settled()) {
      world_.after(draw_aim(), [this] {
        if (world_.troubled() && world_.clock_settled() && !world_.forgetting) edit();
      });
    }
    schedule_edit();
  });
}

Duration People::draw_aim() {
  const auto job = draw_job();
  if (!job || job->definition.paused || !world_.dice.chance(0.5)) return Duration{0};
  const auto schedule = cron::parse_schedule(
      job->definition.schedule, {.zone = cctz::utc_time_zone(), .anchor = job->anchor});
  const auto due = cron::next(*schedule, world_.wall());
  if (!due) return Duration{0};
  return *due - world_.wall() + world_.dice.between(Duration{-1200ms}, Duration{50ms});
}

void People::edit() {
  const auto job = draw_job();
  if (!job || (jobs_.size() < 10 && world_.dice.chance(0.5))) {
    create_job();
    return;
  }
  edit(*job);
}

void People::edit(const core::Job& job) {
  const auto die = world_.dice.between(0, 99);
  if (die < 35) {
    change(job);
  } else if (die < 65) {
    toggle_pause(job);
  } else if (die < 85) {
    request_run(job);
  } else if (die < 93 && jobs_.size() < 22) {
    create_job();
  } else {
    note_edit(*world_.store.delete_job(account, job.id, std::nullopt));
    std::erase(jobs_, job.id);
  }
}

void People::change(const core::Job& job) {
  store::JobDraft draft{job.id, draw_definition(), {}};
  draft.definition.name = job.definition.name;
  draft.definition.paused = job.definition.paused;
  // Often the same instants under another definition: those runs go over to it.
  if (world_.dice.chance(0.3)) draft.definition.schedule = job.definition.schedule;
  const auto changed = world_.store.change_job(account, draft, job.revision);
  if (changed && changed->revision != job.revision) note_edit(*changed);
}

void People::toggle_pause(const core::Job& job) {
  store::JobDraft draft{job.id, job.definition, {}};
  draft.definition.paused = !job.definition.paused;
  note_edit(*world_.store.change_job(account, draft, job.revision));
}

void People::request_run(const core::Job& job) {
  auto& dice = world_.dice;
  const RunId id{uuid_v7(world_.wall(), dice.next(), dice.next())};
  (void)world_.store.request_run(account, job.id, core::RunKind::manual, "manual:" + id.text(), id);
  tell_nodes(dice.between(Duration{50us}, Duration{3ms}));
}

}  // namespace cronally::sim
