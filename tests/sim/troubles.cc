#include "tests/sim/troubles.h"

#include <algorithm>

#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

void Troubles::begin() {
  if (world_.scenario.forgets()) {
    forget_again();
    for (auto& node : world_.nodes) repeat(*node, 20s, 90s, &Troubles::nap);
    return;
  }
  if (world_.scenario.kind == Kind::deaths) {
    one_at_a_time();
    return;
  }
  for (auto& node : world_.nodes) {
    repeat(*node, 20s, 150s, &Troubles::drain);
    repeat(*node, 20s, 90s, &Troubles::freeze);
    if (world_.scenario.kind == Kind::cluster) repeat(*node, 20s, 90s, &Troubles::cut);
  }
  if (world_.scenario.steps_clock) {
    repeat(*world_.nodes.front(), 40s, 120s, &Troubles::step_clock);
  }
}

void Troubles::repeat(Node& node, Duration wait_min, Duration wait_max, Strike strike) {
  world_.after(world_.dice.between(wait_min, wait_max), [=, this, &node] {
    if (!world_.troubled()) return;
    if (node.up() && !node.frozen() && world_.clock_settled()) (this->*strike)(node);
    repeat(node, wait_min, wait_max, strike);
  });
}

void Troubles::drain(Node& node) {
  if (!node.draining()) node.drain();
}

// A third of them for longer than any lease lasts.
void Troubles::freeze(Node& node) {
  auto& dice = world_.dice;
  node.freeze(dice.chance(0.3) ? dice.between(Duration{2s}, Duration{15s})
                               : dice.between(Duration{5ms}, Duration{2s}));
}

void Troubles::cut(Node& node) {
  auto& dice = world_.dice;
  const Duration slow = dice.chance(0.5) ? dice.between(Duration{0}, Duration{2s}) : Duration{0};
  node.cut(slow, dice.chance(0.4) ? dice.between(Duration{2s}, Duration{20s})
                                  : dice.between(Duration{5ms}, Duration{2s}));
}

void Troubles::step_clock(Node&) {
  auto& dice = world_.dice;
  world_.step_clock(dice.chance(0.5) ? dice.between(Duration{500ms}, Duration{100s})
                                     : -dice.between(Duration{500ms}, Duration{20s}));
}

// For less than the quiet after the store forgot, and a start within it.
void Troubles::nap(Node& node) { node.freeze(world_.dice.between(Duration{5ms}, Duration{1s})); }

// Sooner or later the store is as it was some time before. Either another server goes on that did
// not have the last commits; or everything is stopped and older files are put in place.
void Troubles::forget_again() {
  auto& dice = world_.dice;
  const bool soon = dice.chance(0.15);
  world_.after(
      soon ? dice.between(Duration{1s}, Duration{6s}) : dice.between(Duration{12s}, Duration{45s}),
      [this] {
        if (!world_.troubled()) return;
        auto& dies = world_.dice;
        const bool promoted = dies.chance(0.6);
        const auto before = std::make_shared<ModelStore::Memory>(world_.store.memory());
        const Duration lost = promoted ? dies.between(Duration{5ms}, Duration{6s})
                                       : dies.between(Duration{3s}, Duration{20s});
        world_.forgetting = true;
        if (promoted) crash_around(lost);
        world_.after(lost, [this, before, promoted] { forget(before, promoted); });
      });
}

// Who dies as the store forgets is back within the quiet.
void Troubles::crash_around(Duration at) {
  for (auto& node : world_.nodes) {
    if (!world_.dice.chance(0.25)) continue;
    world_.after(at + world_.dice.between(Duration{-1s}, Duration{1s}), [&node] {
      if (node->up()) node->crash();
    });
  }
}

// Files in place on the same timeline are found by cursors alone, so whoever starts first has to
// know a newer one.
void Troubles::forget(const std::shared_ptr<const ModelStore::Memory>& before, bool promoted) {
  promoted = promoted || !std::ranges::all_of(world_.nodes, [&](const auto& node) {
               return node->knows_newer(*before);
             });
  ++world_.counted.forgotten;
  if (world_.traced())
    world_.say(promoted ? "another server goes on" : "older files are put in place");
  const auto put_back = [this, before, promoted] {
    world_.store.put_back(*before, promoted);
    world_.forgetting = false;
    forget_again();
  };
  if (promoted) {
    put_back();
    return;
  }
  for (auto& node : world_.nodes) {
    if (node->up()) node->crash();
  }
  world_.after(15ms, put_back);
}

// The bound of P7 is for one death: the next trouble waits until the shards are at home again.
void Troubles::one_at_a_time() {
  auto& dice = world_.dice;
  const Duration wait = world_.scenario.ttl + dice.between(Duration{4s}, Duration{15s});
  world_.after(wait, [this] {
    auto& dies = world_.dice;
    if (world_.time() > Scenario::busy_time - 30s) return;
    const auto which = dies.between(1, std::ssize(world_.nodes) - 1);
    Node& node = *world_.nodes[static_cast<std::size_t>(which)];
    Duration length{};
    if (node.up() && !node.draining()) {
      const auto die = dies.between(0, 2);
      if (die == 1) length = dies.between(Duration{500ms}, Duration{15s});
      world_.checks.incident(die == 2);
      if (die == 0) node.crash();
      if (die == 1) node.freeze(length);
      if (die == 2) node.drain();
    }
    world_.after(length, [this] { one_at_a_time(); });
  });
}

}  // namespace cronally::sim
