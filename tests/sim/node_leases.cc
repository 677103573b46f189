#include "tests/sim/node.h"
#include "tests/sim/trace.h"
#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration drain_timeout = 25s;
// For the answer to a heartbeat's transaction.
constexpr Duration answer_awaited = 2500ms;

std::size_t index_of(ShardNo shard) { return static_cast<std::size_t>(shard.value); }

}  // namespace

bool Node::leased() const { return world_.scenario.holders() == Holders::several; }

// ---- A lock: all shards at once, and nothing to renew
// --------------------------------------------

void Node::take_lock() {
  auto answer = world_.store.heartbeat({.node = process_->id});
  const auto news = [&] {
    (void)process_->keeper.heartbeat(steady());
    return process_->keeper.answered(answer, steady());
  }();
  auto read = world_.store.read_shards(news.granted);
  own(news.fence, read, instant_min);
}

// ---- Leases -----------------------------------------------------------------------------------

void Node::beat() {
  ++process_->beats;
  auto said = std::make_shared<core::Heartbeat>(process_->keeper.heartbeat(steady()));
  tell_memory(*said);
  auto answer = std::make_shared<core::HeartbeatAnswer>();
  auto clock = std::make_shared<core::ClockSample>(steady());
  const Act lost = [this] {
    process_->keeper.gave_up(steady());
    shed();
    if (process_) beat_later();
  };
  const Act transact = [this, said, answer, clock, lost] {
    clock->answered = steady();
    // Far away, or in a line behind others: several round trips. Not where the store forgets: who
    // hears of it when the quiet is over puts back too late, which docs/design/journal.md says.
    Duration slow{};
    if (world_.isolating() && world_.dice.chance(0.03)) {
      slow = world_.dice.between(Duration{0}, Duration{5s});
    }
    later(slow / 2, [this, said, answer, clock, lost, slow] {
      ask([this, said, answer] { *answer = world_.store.heartbeat(*said); },
          [this, answer, clock, slow] {
            answer->clock = *clock;
            later(slow / 2, [this, answer] { heard(*answer); });
          },
          lost, answer_awaited);
    });
  };
  ask([this, clock] { clock->at = world_.wall(); }, transact, lost, core::LeaseKeeper::answer_max);
}

void Node::beat_later() {
  const auto at = process_->keeper.next_at();
  if (!at) return;
  later(std::max(Duration{0}, *at - steady()), [this, beats = process_->beats] {
    if (beats == process_->beats) beat();
  });
}

void Node::heard(const core::HeartbeatAnswer& answer) {
  const std::uint64_t process = number_;
  const SteadyInstant at = steady();
  hear_memory(answer);
  if (const core::ClockSample& clock = *answer.clock; core::LeaseKeeper::counts(clock)) {
    process_->time.add(clock.asked, clock.answered, clock.at);
    if (world_.canary && world_.canary->trusts_from_answer()) {
      process_->trust_extra = at - clock.asked;
    }
  }
  shed();
  if (process != number_ || !process_) return;
  auto news = process_->keeper.answered(answer, at);
  if (world_.traced() && (news.lost | news.granted | news.asked).any()) {
    say("heartbeat: granted " + news.granted.to_string() + " lost " + news.lost.to_string() +
        " asked " + news.asked.to_string());
  }
  beat_later();
  end_drained();
  if (process != number_ || !process_) return;
  if (news.lost.any()) lose(news.lost);
  if (process != number_ || !process_) return;
  if (news.granted.any()) read_granted(news.fence, news.granted, news.at);
  if (news.asked.none()) return;
  if (world_.canary && world_.canary->releases_at_once()) {
    core::Release release;
    for (const auto& [shard, fence] : process_->owned) {
      if (news.asked.test(index_of(shard))) release.shards.push_back({shard, fence});
    }
    give_back(release);
  } else {
    step(core::ShardsAsked{news.asked});
  }
}

bool Node::trusts() const {
  if (world_.canary && world_.canary->trusts_for_ever()) return true;
  return process_->keeper.trusts(steady() - process_->trust_extra);
}

bool Node::trusts(const core::OpenRun& run) const {
  if (world_.canary && world_.canary->trusts_for_ever()) return true;
  return process_->keeper.trusts(run.shard, run.fence, steady() - process_->trust_extra);
}

void Node::shed() {
  if (!leased() || trusts()) return;
  const ShardSet gone = process_->keeper.expired(steady() - process_->trust_extra);
  if (gone.any()) lose(gone);
}

void Node::lose(const ShardSet& which) {
  if (world_.traced()) say("lost " + which.to_string());
  if (world_.canary && world_.canary->deaf_to_losses()) return;
  std::erase_if(process_->since,
                [&](const auto& known) { return which.test(index_of(known.first)); });
  process_->machines &= ~which;
  std::erase_if(process_->owned,
                [&](const auto& held) { return which.test(index_of(held.first)); });
  step_machine(core::ShardsLost{which});
}

void Node::read_granted(Fence fence, const ShardSet& shards, Instant granted_at) {
  auto read = std::make_shared<store::ShardsRead>();
  const auto apply = [this, read, shards] { *read = world_.store.read_shards(shards); };
  ask(
      apply, [this, read, fence, granted_at] { own(fence, *read, granted_at); },
      [this, fence, shards, granted_at] { read_granted(fence, shards, granted_at); }, 1s);
}

// What was granted and is still held.
void Node::own(Fence fence, const store::ShardsRead& read, Instant granted_at) {
  shed();
  if (!process_) return;
  core::ShardsAcquired event{.fence = fence, .random_seed = world_.dice.next()};
  if (leased()) event.sent_until = granted_at + core::LeaseKeeper::clock_error_max;
  for (const auto& shard : read.shards) {
    if (!process_->keeper.trusts(shard.no, fence, steady())) continue;
    event.shards.push_back({shard.no, shard.cursor, shard.change});
    process_->since[shard.no] = shard.change;
    process_->owned[shard.no] = fence;
  }
  for (const auto& plan : read.jobs) {
    const auto owned = process_->owned.find(plan.shard);
    if (owned != process_->owned.end() && owned->second == fence)
      event.jobs.push_back(compile(plan));
  }
  if (event.shards.empty()) return;
  const std::uint64_t process = number_;
  ShardSet untold;  // a canary kept the machine from hearing that these went
  for (const auto& grant : event.shards) untold.set(index_of(grant.shard));
  untold &= process_->machines;
  if (untold.any()) step_machine(core::ShardsLost{untold});
  if (process != number_ || !process_) return;
  for (const auto& grant : event.shards) process_->machines.set(index_of(grant.shard));
  world_.counted.handovers += static_cast<int>(event.shards.size());
  step(std::move(event));
  if (process == number_ && process_) later(1ms, [this] { poll(); });
}

void Node::perform(core::Release& action) {
  for (const auto& lease : action.shards) process_->machines.reset(index_of(lease.shard));
  give_back(action);
}

void Node::give_back(const core::Release& action) {
  if (world_.traced()) say("release " + std::to_string(action.shards.size()) + " shards");
  for (const auto& lease : action.shards) {
    const auto owned = process_->owned.find(lease.shard);
    if (owned == process_->owned.end() || owned->second != lease.fence) continue;  // said again
    process_->since.erase(lease.shard);
    process_->owned.erase(owned);
  }
  ++process_->releasing;
  const core::Release release = action;
  const auto done = [this, release] {
    process_->keeper.released(release);
    --process_->releasing;
    end_drained();
  };
  const auto again = [this, release] {
    --process_->releasing;
    give_back(release);
  };
  ask(
      [this, release, id = process_->id] {
        world_.store.release(id, release);
        for (const auto& left : release.left) world_.checks.left(index_, left);
      },
      done, again, 1s);
}

// ---- The end ----------------------------------------------------------------------------------

// What takes longer than the time-out is cut off.
void Node::drain() {
  ++world_.counted.drains;
  if (world_.traced()) say("drain");
  process_->draining = true;
  process_->keeper.drain();
  later(drain_timeout, [this] { end_process(); });
  const std::uint64_t process = number_;
  step(core::DrainStarted{});
  if (leased() && process_ && process == number_ && process_->keeper.next_at()) beat();
}

void Node::perform(core::Drained&) {
  process_->drained = true;
  later(Duration{0}, [this] { end_drained(); });
}

void Node::end_drained() {
  const bool left = !leased() || process_->keeper.left();
  if (process_->drained && process_->releasing == 0 && left) end_process();
}

}  // namespace cronally::sim
