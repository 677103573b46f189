// A connection for programs that wait: Stream with a deadline over all of it. Internal to
// http_call.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "net/stream.h"
#include "runtime/clock.h"

namespace cronally::net {

// Errors are "unreachable", with one line for a person. After one, nothing more is to be asked.
class BlockingStream {
 public:
  // Zero: no limit, but for the ten seconds that name, connect and TLS may take.
  explicit BlockingStream(Duration timeout);

  // Tries a host's addresses in turn, each for its share of the time.
  Result<void> connect(const std::string& host, std::uint16_t port);
  Result<void> start_tls(const std::string& host);

  Result<void> write(std::string_view bytes);
  // At least one byte, or none at the end.
  Result<std::size_t> read(std::span<char> into);

 private:
  using Limit = std::optional<SteadyInstant>;

  Result<Addresses> resolve(const std::string& host) const;
  Result<void> connect_to(const Address& address, SteadyInstant until);
  // False: the time is over.
  bool wait(short events, Limit until) const;
  std::unexpected<Error> too_late() const;

  const runtime::SystemClock clock_{runtime::SystemClock::Hooks::ignore};
  const Duration timeout_;
  const Limit deadline_;
  const SteadyInstant connect_deadline_;
  TlsSession session_;
  Stream stream_;
};

// While it lives, this thread gets no SIGPIPE: OpenSSL writes with write(2).
class SigpipeGuard {
 public:
  SigpipeGuard();
  ~SigpipeGuard();
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  bool blocked_ = false;  // by this one
};

}  // namespace cronally::net
