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
  std::uint16_t port = 0;  // 0 picks one; always on 127.0.0.1
  Behaviour behaviour;     // where the path does not say otherwise
  std::string log_file;    // appended to; "-": standard output; empty: none
  std::optional<core::SigningKey> signing_key;
};

class Receiver {
 public:
  // Error "cannot_listen" or "cannot_write".
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
