#include "tests/sim/node.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

bool Node::is_cut() const { return cut_from_ <= world_.time() && world_.time() < cut_until_; }

// One way between a node and the store.
Duration Node::draw_way() {
  auto& dice = world_.dice;
  const bool failing = world_.time() < cut_from_;
  if (failing || (world_.isolating() && leased() && dice.chance(0.03))) {
    return dice.between(Duration{10ms}, Duration{900ms});
  }
  return dice.between(Duration{50us}, Duration{2ms});
}

// To the store and back. `apply` happens there, whatever becomes of the process meanwhile; of the
// two that follow one happens here, unless the process dies.
void Node::ask(const Act& apply, const Act& answered, const Act& lost, Duration deadline) {
  const Duration there = draw_way();
  const Duration back = draw_way();
  const auto failed = std::make_shared<bool>(is_cut());
  if (!*failed) {
    world_.after(there, [this, failed, apply] {
      *failed = is_cut();
      if (!*failed) apply();
    });
  }
  later(there + back, [this, failed, answered, lost, left = deadline - there - back] {
    if (*failed || is_cut()) {
      later(left, lost);
    } else {
      answered();
    }
  });
}

// ---- Batches ----------------------------------------------------------------------------------

// Mostly a quick disk; sometimes a slow one, now and then one that hangs for longer than a lead.
Duration Node::commit_delay() {
  auto& dice = world_.dice;
  if (world_.faulty() && dice.chance(0.004)) return dice.between(Duration{500ms}, Duration{6s});
  if (world_.faulty() && dice.chance(0.05)) return dice.between(Duration{5ms}, Duration{200ms});
  return dice.between(Duration{200us}, Duration{5ms});
}

// A batch may be refused; or its fate be unknown, whether it is applied or not, and then over a
// network it may be applied long after somebody gave it up. On its way at a death it may arrive
// when the successor has begun.
void Node::perform(core::Commit& action) {
  auto& dice = world_.dice;
  auto content = std::make_shared<core::Batch>(action.content);
  const bool early = world_.canary && world_.canary->confirms_early();
  if (early) confirm_early(action);
  if (world_.canary) world_.canary->on_commit(*content);
  const auto notes = std::make_shared<core::BatchNotes>(note(*content));
  const bool refused = world_.faulty() && dice.chance(0.004);
  const bool cut = is_cut();
  const bool doubtful = cut || (world_.faulty() && dice.chance(0.02));
  const bool applied = !refused && !cut && !(doubtful && dice.chance(0.5));
  const bool outlives = dice.chance(0.6);
  const Duration submitted = world_.time();
  Duration& applied_until = process_->applied_until.at(leased() && content->plans() ? 1 : 0);
  applied_until = std::max(applied_until + 1us, submitted + commit_delay());
  if (world_.faulty() && dice.chance(0.02)) {
    applied_until += dice.between(Duration{1s}, Duration{4s});
  }
  Duration at = applied_until - submitted;
  if (doubtful && leased() && dice.chance(0.3)) at += dice.between(Duration{0}, Duration{6s});
  world_.counted.doubts += doubtful ? 1 : 0;
  const auto fate = std::make_shared<core::BatchFate>(core::BatchUnknown{});
  if (refused) *fate = core::BatchRefused{{"disk_full", "the disk is full", {}}};
  const auto apply = [this, content, fate, applied, doubtful, outlives, process = number_,
                      server = world_.store.servers()] {
    const bool alive = process == number_ && process_;
    if (!applied || (!alive && !outlives) || server != world_.store.servers()) return;
    core::BatchFate committed = world_.store.apply(*content);
    if (world_.traced()) say_batch(*content, std::get<core::BatchCommitted>(committed));
    world_.people.note_acks();
    if (!doubtful) *fate = std::move(committed);
  };
  world_.after(at, apply);
  if (early) return;
  const Duration way = dice.between(Duration{10us}, Duration{2ms});
  const Duration given_up = leased() ? dice.between(Duration{0}, Duration{5s}) : at;
  later((doubtful ? given_up : at) + way, [this, fate, notes, submitted, batch = action.batch] {
    const bool answered = !leased() || !is_cut();
    if (answered) follow(*notes, *fate);
    tell_fate(batch, answered ? *fate : core::BatchUnknown{}, submitted);
  });
}

void Node::tell_fate(std::uint64_t batch, const core::BatchFate& fate, Duration submitted) {
  step(core::BatchDone{batch, fate, world_.time() - submitted});
}

// What a machine would be told that does not wait for the store.
void Node::confirm_early(const core::Commit& action) {
  core::BatchCommitted committed{.at = now().wall};
  std::int64_t invented = 1'000'000 + static_cast<std::int64_t>(action.batch) * 10'000;
  for (const auto& item : action.content.items) {
    core::ItemOutcome outcome;
    if (std::holds_alternative<core::Claim>(item)) outcome.run = RunNo{++invented};
    committed.outcomes.push_back(outcome);
  }
  later(1us, [this, committed, batch = action.batch] {
    step(core::BatchDone{batch, committed, Duration{1us}});
  });
}

void Node::say_batch(const core::Batch& batch, const core::BatchCommitted& committed) const {
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const auto* advance = std::get_if<core::Advance>(&batch.items[i]);
    if (advance && world_.store.shard(advance->shard).change == 0) continue;  // no job lives there
    say("committed: " + describe(batch.items[i], &committed.outcomes[i], world_.base()));
  }
}

// ---- Reads ------------------------------------------------------------------------------------

void Node::perform(core::ReadOpenRuns& action) {
  auto event = std::make_shared<core::RunsRead>();
  const auto refused = std::make_shared<bool>(false);
  const auto apply = [this, event, refused, action] {
    event->read = action.read;
    event->runs = world_.store.read_open_runs(action.shards, action.until, action.limit);
    event->complete = event->runs.size() < action.limit;
    *refused = world_.store.doubted();
  };
  const auto again = [this, action] {
    core::ReadOpenRuns once_more = action;
    perform(once_more);
  };
  Duration slow{};
  auto& dice = world_.dice;
  if (world_.faulty() && dice.chance(0.05)) slow = dice.between(Duration{10ms}, Duration{1500ms});
  ask(
      apply,
      [this, event, refused, again, slow] {
        if (*refused) {
          later(100ms, again);
        } else {
          later(slow, [this, event] { step(*event); });
        }
      },
      again, 5s);
}

void Node::told(Duration delay) {
  if (process_) later(delay, [this] { poll(); });
}

void Node::poll_every_second() {
  later(1s, [this] {
    poll();
    poll_every_second();
  });
}

// One look for changes is under way at a time.
void Node::poll() {
  if (process_->polling) {
    process_->poll_again = true;
    return;
  }
  process_->polling = true;
  process_->poll_again = false;
  const std::vector<std::pair<ShardNo, std::int64_t>> since(process_->since.begin(),
                                                            process_->since.end());
  auto changes = std::make_shared<store::Changes>();
  ask([this, since, changes] { *changes = world_.store.peek_changes(since); },
      [this, changes] {
        process_->polling = false;
        hear_changes(std::move(*changes));
      },
      [this] { process_->polling = false; }, 5s);
}

void Node::hear_changes(store::Changes changes) {
  const std::uint64_t process = number_;
  core::ChangesRead event;
  for (const auto& [shard, seen] : changes.seen) {
    const auto known = process_->since.find(shard);
    if (known == process_->since.end()) continue;
    known->second = std::max(known->second, seen);
    event.seen.emplace_back(shard, seen);
  }
  for (const auto& plan : changes.jobs) {
    if (process_->since.contains(plan.shard)) event.jobs.push_back(compile(plan));
  }
  for (const auto& run : changes.requested) {
    const auto owned = process_->owned.find(run.shard);
    if (owned == process_->owned.end()) continue;
    Fence& told = process_->requested_told[run.no];
    if (told != owned->second) event.requested.push_back(run);
    told = owned->second;
  }
  if (!event.jobs.empty() || !event.requested.empty() || !event.seen.empty()) step(event);
  if (process_ && process == number_ && process_->poll_again) poll();
}

}  // namespace cronally::sim
