// What befalls the nodes, besides what each exchange and each step risks by itself.
#pragma once

#include <memory>

#include "base/time.h"
#include "tests/sim/model_store.h"

namespace cronally::sim {

class World;
class Node;

class Troubles {
 public:
  explicit Troubles(World& world) : world_(world) {}
  void begin();

 private:
  using Strike = void (Troubles::*)(Node&);
  // `strike` befalls the node again and again, after waits in between.
  void repeat(Node& node, Duration wait_min, Duration wait_max, Strike strike);
  void drain(Node& node);
  void freeze(Node& node);
  void cut(Node& node);
  void step_clock(Node& node);
  void nap(Node& node);
  void one_at_a_time();
  void forget_again();
  void forget(const std::shared_ptr<const ModelStore::Memory>& before, bool promoted);
  void crash_around(Duration at);

  World& world_;
};

}  // namespace cronally::sim
