#include "tests/sim/troubles.h"

#include "tests/sim/world.h"

namespace cronally::sim {

using namespace std::chrono_literals;

void Troubles::begin() {
  if (world_.scenario.forgets()) {
    forget();
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

// The store is as it was a moment before: less than a moment that no journal holds.
void Troubles::forget() {
  auto& dice = world_.dice;
  world_.after(dice.between(Duration{12s}, Duration{45s}), [this] {
    if (!world_.troubled()) return;
    const auto before = std::make_shared<ModelStore::Memory>(world_.store.memory());
    const Duration lost = world_.dice.between(Duration{5ms}, Duration{6s});
    world_.after(lost, [this, before] {
      ++world_.counted.forgotten;
      if (world_.traced()) world_.say("the store forgets");
      world_.store.put_back(*before);
      forget();
    });
  });
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
