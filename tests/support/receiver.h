// A receiver of deliveries: answers as told, and logs each request before it answers, so that
// the log holds whatever a sender may believe. One thread, epoll.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/signature.h"
#include "receiver_request.h"

namespace cronally::support {

struct ReceiverOptions {
  std::string address = "127.0.0.1";  // of this host, IPv4
  std::uint16_t port = 0;             // 0 picks one
  Behaviour behaviour;                // where the path does not say otherwise
  std::string log_file;               // appended to; "-": standard output; empty: none
  std::optional<core::SigningKey> signing_key;
};

class Receiver {
 public:
  // Error "cannot_listen" (an address that is not this host's too) or "cannot_write".
  static Result<std::unique_ptr<Receiver>> open(ReceiverOptions options);
  ~Receiver();

  std::uint16_t port() const;

  // Serves until the process ends.
  [[noreturn]] void run();

 private:
  class Impl;
  explicit Receiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cronally::support
