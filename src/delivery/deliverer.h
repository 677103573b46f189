// The seam between deciding and sending: everything that takes a run to its target is a
// Deliverer. Tests and simulations put a fake here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/secret.h"
#include "base/time.h"
#include "core/job.h"
#include "core/planner.h"
#include "core/signature.h"
#include "net/send_gate.h"

namespace cronally::delivery {

// Shared by the scheduler, which may withdraw an attempt, and the deliverer, which starts it.
using SendGate = net::SendGate;

struct SecretHeaderValue {
  std::string name;
  SecretText value;
};

// One attempt of one run, with all that it needs.
struct Delivery {
  RunNo run_no;  // with attempt: what the AttemptEnded names
  RunId run;
  JobId job;
  std::int32_t attempt = 1;
  Fence fence;
  Instant scheduled_at;
  std::shared_ptr<const core::JobDefinition> definition;  // the revision to send
  // The secrets of the definition's target (core::secrets_of), unsealed, shared by all attempts of
  // the revision; null: none.
  std::shared_ptr<const std::vector<SecretHeaderValue>> secret_headers;
  std::shared_ptr<const core::SigningKey> signing_key;  // the account's; null: unsigned
  std::shared_ptr<SendGate> gate;                       // pending
  // The lease check, asked on the deliverer's thread right before the first byte leaves; false
  // ends the attempt as withdrawn. Must not block. Empty: always.
  std::function<bool()> may_send{};
};

// Gets what ended together, on a thread of the deliverer; must not block.
using DeliverySink = std::function<void(std::vector<core::AttemptEnded>&&)>;

class Deliverer {
 public:
  virtual ~Deliverer() = default;

  // Takes attempts over, to be sent now; never blocks. Each ends in exactly one AttemptEnded at
  // `sink`, withdrawn ones too. No attempt's first byte leaves twice.
  virtual void deliver(std::vector<Delivery> batch, std::shared_ptr<const DeliverySink> sink) = 0;

  // Ends at once what was withdrawn through its gate and waits for a connection, and what was cut
  // off there before its receiver had it. Never blocks.
  virtual void end_withdrawn() = 0;
};

}  // namespace cronally::delivery
