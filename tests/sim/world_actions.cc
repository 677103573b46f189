#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

// Mostly a quick disk; sometimes a slow one, now and then one that hangs for longer than a lead.
Duration World::commit_delay() {
  if (faults_ && dice_.chance(0.004)) return dice_.between(Duration{500ms}, Duration{6s});
  if (faults_ && dice_.chance(0.05)) return dice_.between(Duration{5ms}, Duration{200ms});
  return dice_.between(Duration{200us}, Duration{5ms});
}

void World::perform(core::Commit& action) {
  core::Batch content = action.content;
  const bool early = canary_ && canary_->confirms_early();
  if (early) confirm_early(action);
  if (canary_) canary_->on_commit(content);
  const bool refused = faults_ && dice_.chance(0.004);
  const bool doubtful = faults_ && dice_.chance(0.02);
  const bool applied = !refused && !(doubtful && dice_.chance(0.5));
  const bool outlives = dice_.chance(0.6);  // its process, on the way to the disk
  const Duration submitted = time_;
  applied_until_ = std::max(applied_until_ + 1us, time_ + commit_delay());
  const auto apply = [this, content, refused, doubtful, applied, outlives, submitted, early,
                      batch = action.batch, process = process_] {
    const bool alive = process == process_ && planner_;
    if (!alive && !outlives) return;
    core::BatchFate fate = core::BatchUnknown{};
    if (refused) fate = core::BatchRefused{{"disk_full", "the disk is full", {}}};
    if (applied) {
      core::BatchFate committed = store_.apply(content);
      if (traced_) say_batch(content, std::get<core::BatchCommitted>(committed), doubtful);
      note_acks();
      if (!doubtful) fate = std::move(committed);
    }
    doubts_ += doubtful ? 1 : 0;
    if (!alive || early) return;
    const Duration way = dice_.between(Duration{10us}, Duration{2ms});
    after_in_process(way, [this, batch, fate, took = time_ + way - submitted] {
      step(core::BatchDone{batch, fate, took});
    });
  };
  // A batch on its way at a death may arrive long after the successor has begun.
  const Duration late =
      faults_ && dice_.chance(0.02) ? dice_.between(Duration{1s}, Duration{4s}) : Duration{0};
  if (late > Duration{0}) applied_until_ += late;
  after(applied_until_ - time_, apply);
}

void World::say_batch(const core::Batch& batch, const core::BatchCommitted& committed,
                      bool doubtful) const {
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const auto* advance = std::get_if<core::Advance>(&batch.items[i]);
    if (advance && store_.shard(advance->shard).change == 0) continue;  // no job lives there
    say((doubtful ? "doubtful: " : "committed: ") +
        describe(batch.items[i], &committed.outcomes[i], base_));
  }
}

// What a machine would be told that does not wait for the store.
void World::confirm_early(const core::Commit& action) {
  core::BatchCommitted committed{.at = wall()};
  std::int64_t invented = 1'000'000 + static_cast<std::int64_t>(action.batch) * 10'000;
  for (const auto& item : action.content.items) {
    core::ItemOutcome outcome;
    if (std::holds_alternative<core::Claim>(item)) outcome.run = RunNo{++invented};
    committed.outcomes.push_back(outcome);
  }
  after_in_process(1us, [this, committed, batch = action.batch] {
    step(core::BatchDone{batch, committed, Duration{1us}});
  });
}

void World::perform(core::ReadOpenRuns& action) {
  const Duration there = dice_.between(Duration{50us}, Duration{2ms});
  Duration back = dice_.between(Duration{50us}, Duration{2ms});
  if (faults_ && dice_.chance(0.05)) back += dice_.between(Duration{10ms}, Duration{1500ms});
  after_in_process(there, [this, action, back] {
    core::RunsRead event{action.read, store_.read_open_runs(action.until, action.limit), true};
    event.complete = event.runs.size() < action.limit;
    after_in_process(back, [this, event] { step(event); });
  });
}

void World::perform(core::Send& action) {
  if (traced_) say("send " + describe(action.run, base_));
  const RequestKey key{action.run.no, action.run.attempt};
  requests_[key] = {Request::State::queued, wall(), action};
  Duration queued = dice_.between(Duration{20us}, Duration{2ms});
  if (faults_ && dice_.chance(0.1)) queued += dice_.between(Duration{5ms}, Duration{400ms});
  if (faults_ && dice_.chance(0.02)) {  // no permit: given back without a byte
    after_in_process(queued, [this, key] {
      Request& request = requests_.at(key);
      if (request.state != Request::State::queued) return;
      request.state = Request::State::withdrawn;
      end_attempt(key, {.fate = core::Fate::withdrawn, .ended_at = wall()});
    });
    return;
  }
  after_in_process(queued, [this, key] { leave(key); });
}

// The last moment: the request leaves, unless it was called back.
void World::leave(RequestKey key) {
  Request& request = requests_.at(key);
  if (request.state != Request::State::queued) return;
  request.state = Request::State::out;
  if (faults_ && dice_.chance(0.03)) {
    end_attempt(key, {.fate = core::Fate::not_sent, .error = "refused", .ended_at = wall()});
    return;
  }
  const core::Send& send = request.send;
  bytes_.push_back({time_, request.sent_wall, send.run, send.revision, send.at_most_once});
  check_first_byte(bytes_.back());
  Duration working = dice_.between(Duration{500us}, Duration{5ms});
  if (faults_ && dice_.chance(0.1)) working = dice_.between(Duration{50ms}, Duration{15s});
  after_in_process(working, [this, key, at = wall()] { answer(key, at); });
}

void World::answer(RequestKey key, Instant first_byte_at) {
  core::AttemptResult result{.fate = core::Fate::answered,
                             .status = 200,
                             .first_byte_at = first_byte_at,
                             .ended_at = wall()};
  if (faults_ && dice_.chance(0.15)) {
    static constexpr int statuses[] = {500, 500, 503, 404, 410, 302};
    result.status = statuses[dice_.between(0, 5)];
    if (result.status == 503) result.retry_after = dice_.between(Duration{1s}, Duration{60s});
  } else if (faults_ && dice_.chance(0.05)) {
    result.fate = core::Fate::unknown;
    result.status = 0;
    result.error = "timed out";
  }
  end_attempt(key, std::move(result));
}

void World::end_attempt(RequestKey key, core::AttemptResult result) {
  const Duration way = dice_.between(Duration{10us}, Duration{1ms});
  after_in_process(
      way, [this, key, result] { step(core::AttemptEnded{key.first, key.second, result}); });
}

void World::perform(core::Withdraw& action) {
  const auto found = requests_.find({action.run, action.attempt});
  if (found == requests_.end() || found->second.state != Request::State::queued) return;
  found->second.state = Request::State::withdrawn;
  end_attempt(found->first, {.fate = core::Fate::withdrawn, .ended_at = wall()});
}

void World::perform(core::WakeAt& action) {
  wake_at_ = action.at;
  set_wake();
}

}  // namespace cronally::sim
