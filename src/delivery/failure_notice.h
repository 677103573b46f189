// The account's failure webhook: one POST that tells of the runs that failed.
//
// Body: {"type":"cronally.failures","count":n,"since":"…","runs":["…"]}; at most 100 runs are
// named, `count` tells them all. Signed and identified as a delivery is (Standard Webhooks): the
// same webhook-id on every attempt.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/run.h"
#include "core/signature.h"
#include "delivery/deliverer.h"
#include "net/http_client.h"
#include "runtime/clock.h"

namespace cronally::delivery {

struct FailureNotice {
  RunId id;  // the webhook-id
  std::int64_t count = 0;
  Instant since;
  std::vector<RunId> runs;
  std::string url;
  std::vector<SecretHeaderValue> secret_headers;
  core::SigningKey signing_key;
};

inline constexpr Duration notice_timeout = std::chrono::seconds{30};

// The request, as a pure function of the notice and the attempt's wall time.
net::HttpRequest compose_notice(const FailureNotice& notice, Instant at,
                                const std::string& user_agent);

// Sends notices for whoever decides about them. May be used from one thread at a time; `client`
// and `clock` outlive it.
class NoticeSender {
 public:
  NoticeSender(net::HttpClient& client, const runtime::Clock& clock, std::string user_agent)
      : client_(client), clock_(clock), user_agent_(std::move(user_agent)) {}

  // Sends all of them at the same time and waits until each has ended: at most notice_timeout.
  // Results in the order of the notices.
  std::vector<core::AttemptResult> send(const std::vector<FailureNotice>& notices);

 private:
  net::HttpClient& client_;
  const runtime::Clock& clock_;
  const std::string user_agent_;
};

}  // namespace cronally::delivery
