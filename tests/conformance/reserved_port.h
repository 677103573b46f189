// A port of loopback for a server that a test starts. Not of the range that the kernel gives to
// outgoing connections (32768 to 60999, ip(7)): one of those may come to lie on it between any two
// moments at which the server listens. tests/e2e/ports.py does the same.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "base/check.h"

namespace cronally::conformance {

// Nobody else who asks here gets the port while this lives, also while no server listens on it.
class ReservedPort {
 public:
  ReservedPort() {
    constexpr int from = 10'000;
    constexpr int count = 20'000;
    static int asked = ::getpid() * 37;  // processes that start together begin apart
    for (int tries = 0; tries < count; ++tries) {
      number_ = from + ++asked % count;
      if (reserve() && is_free()) return;
      ::close(std::exchange(mark_, -1));
    }
    CHECK(false, "loopback has a free port");
  }
  ~ReservedPort() {
    if (mark_ >= 0) ::close(mark_);
  }
  ReservedPort(ReservedPort&& other) noexcept
      : number_(other.number_), mark_(std::exchange(other.mark_, -1)) {}
  ReservedPort& operator=(ReservedPort&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(mark_, other.mark_);
    return *this;
  }

  int number() const { return number_; }

 private:
  // A name without a file (unix(7), "abstract"): it goes with the process.
  bool reserve() {
    mark_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto name = "cronally-test-port-" + std::to_string(number_);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, address.sun_path + 1);
    const auto size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    return ::bind(mark_, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(size)) == 0;
  }
  bool is_free() const {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;  // as servers do: connections of before may be ending
    ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(number_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return free;
  }

  int number_ = 0;
  int mark_ = -1;
};

}  // namespace cronally::conformance
