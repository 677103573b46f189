// Deliveries over HTTP(S). What a request carries: docs/deliveries.md.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "delivery/deliverer.h"
#include "net/http_client.h"

namespace cronally::runtime {
class Clock;
}

namespace cronally::delivery {

struct HttpDelivererOptions {
  std::string user_agent;  // "Cronally/0.1.0"
};

// The request of one attempt, as a pure function of it and of the attempt's wall time (for
// webhook-timestamp and the signature). Without gate and may_send.
//
// Headers, in this order: webhook-id, Idempotency-Key and Cronally-Run (the run's id),
// Cronally-Job, Cronally-Job-Name (percent-encoded), Cronally-Scheduled-At, Cronally-Attempt,
// Cronally-Fence, webhook-timestamp, webhook-signature (if there is a key), traceparent,
// User-Agent, Content-Type (if there is a body), then the job's own, then its secret ones. A
// job's own Content-Type or User-Agent replaces ours; of the others ours stand.
net::HttpRequest compose_http(const Delivery& delivery, Instant at, const std::string& user_agent);

// `client` and `clock` must outlive it, and the client's results may outlive it.
class HttpDeliverer : public Deliverer {
 public:
  HttpDeliverer(HttpDelivererOptions options, net::HttpClient& client, const runtime::Clock& clock);

  void deliver(std::vector<Delivery> batch, std::shared_ptr<const DeliverySink> sink) override;
  void end_withdrawn() override { client_.end_withdrawn(); }

 private:
  std::shared_ptr<const net::HttpSink> http_sink_of(std::shared_ptr<const DeliverySink> sink);

  const HttpDelivererOptions options_;
  net::HttpClient& client_;
  const runtime::Clock& clock_;
  // One HttpSink for one DeliverySink, so that results of many calls arrive together.
  std::mutex mutex_;
  std::shared_ptr<const DeliverySink> sink_;
  std::shared_ptr<const net::HttpSink> http_sink_;
};

// What net says about a request, in core's words.
core::AttemptResult attempt_result_of(net::HttpResult&& result);

}  // namespace cronally::delivery
