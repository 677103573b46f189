#include "delivery/target_deliverer.h"

#include <utility>

namespace cronally::delivery {

void TargetDeliverer::deliver(std::vector<Delivery> batch,
                              std::shared_ptr<const DeliverySink> sink) {
  std::vector<Delivery> to_http;
  std::vector<Delivery> to_sns;
  to_http.reserve(batch.size());
  for (Delivery& one : batch) {
    const bool http = std::holds_alternative<core::HttpTarget>(one.definition->target);
    (http ? to_http : to_sns).push_back(std::move(one));
  }
  if (!to_sns.empty()) sns_.deliver(std::move(to_sns), sink);
  if (!to_http.empty()) http_.deliver(std::move(to_http), std::move(sink));
}

}  // namespace cronally::delivery
