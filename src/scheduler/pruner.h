// Keeps the ledger within its bounds, in the background: portion by portion, with a rest between
// them, so that commits of claims and outcomes stand between.
#pragma once

#include <functional>
#include <stop_token>
#include <utility>

#include "store/database.h"

namespace cronally::scheduler {

class Pruner {
 public:
  // `leads`: of several nodes one prunes.
  Pruner(store::Retention& retention, const store::Keep& keep, std::function<bool()> leads)
      : retention_(retention), keep_(keep), leads_(std::move(leads)) {}

  // A supervised loop's body: a round every 10 s. One line in the log for each round that removed
  // something.
  void run(const std::stop_token& stop);

 private:
  bool round(const std::stop_token& stop);  // false: it is to stop

  store::Retention& retention_;
  const store::Keep keep_;
  const std::function<bool()> leads_;
};

}  // namespace cronally::scheduler
