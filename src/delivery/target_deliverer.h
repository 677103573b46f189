// Each delivery to the deliverer of its target's type: the one that a driver knows.
#pragma once

#include <memory>
#include <vector>

#include "delivery/deliverer.h"

namespace cronally::delivery {

// Both must outlive it. Any thread.
class TargetDeliverer : public Deliverer {
 public:
  TargetDeliverer(Deliverer& http, Deliverer& sns) : http_(http), sns_(sns) {}

  void deliver(std::vector<Delivery> batch, std::shared_ptr<const DeliverySink> sink) override;
  void end_withdrawn() override {
    http_.end_withdrawn();
    sns_.end_withdrawn();
  }

 private:
  Deliverer& http_;
  Deliverer& sns_;
};

}  // namespace cronally::delivery
