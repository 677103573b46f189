// For tests: sockets on loopback that speak bytes, not HTTP.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace cronally::net {

// A blocking client. Every read gives up after 5 s, so that a hang is a failed test.
class RawSocket {
 public:
  explicit RawSocket(int fd) : fd_(fd) {
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  static RawSocket to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    return RawSocket{fd};
  }
  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), kept_(std::move(other.kept_)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() { close(); }

  int descriptor() const { return fd_; }
  // Acknowledges what has come, now: the kernel may wait up to 200 ms for an answer to do it with.
  void acknowledge() {
    constexpr int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Up to and with `end`, or all there is when the peer closes before.
  std::string read_until(std::string_view end) {
    while (kept_.find(end) == std::string::npos && fill()) {
    }
    const std::size_t at = kept_.find(end);
    return take(at == std::string::npos ? kept_.size() : at + end.size());
  }
  std::string read_bytes(std::size_t count) {
    while (kept_.size() < count && fill()) {
    }
    return take(std::min(count, kept_.size()));
  }
  // Until the peer closes; sets `closed` false when it did not within 5 s.
  std::string read_all(bool* closed = nullptr) {
    while (fill()) {
    }
    if (closed != nullptr) *closed = ended_;
    return take(kept_.size());
  }
  // What comes within this time: "" when nothing does.
  std::string read_for(std::chrono::milliseconds time) {
    pollfd wanted{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&wanted, 1, static_cast<int>(time.count())) > 0) fill();
    return take(kept_.size());
  }
  // Reads nothing until the peer resets the connection; false: it did not within 5 s.
  bool await_reset() {
    pollfd unread{.fd = fd_, .events = 0, .revents = 0};
    return ::poll(&unread, 1, 5000) > 0 && (unread.revents & (POLLERR | POLLHUP)) != 0;
  }
  // One answer with Content-Length, or without a body; "" when the peer closed.
  std::string read_answer() {
    std::string head = read_until("\r\n\r\n");
    const std::size_t at = head.find("Content-Length: ");
    if (at == std::string::npos) return head;
    return head + read_bytes(std::stoul(head.substr(at + 16)));
  }

 private:
  bool fill() {
    char scratch[16384];
    const ssize_t got = ::recv(fd_, scratch, sizeof scratch, 0);
    if (got <= 0) {
      ended_ = got == 0 || errno == ECONNRESET;
      return false;
    }
    kept_.append(scratch, static_cast<std::size_t>(got));
    return true;
  }
  std::string take(std::size_t count) {
    std::string out = kept_.substr(0, count);
    kept_.erase(0, count);
    return out;
  }

  int fd_;
  std::string kept_;
  bool ended_ = false;
};

// Accepts connections and gives each, with its number from 0, to `serve` on a thread of its own.
class RawListener {
 public:
  using Serve = std::function<void(RawSocket, int)>;

  // `receive_buffer`: what a connection takes before it is read, in bytes; 0: as the kernel sees
  // fit.
  explicit RawListener(Serve serve, int receive_buffer = 0) : serve_(std::move(serve)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(fd_, 1024);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread{[this] { accept_all(); }};
  }
  ~RawListener() {
    ::shutdown(fd_, SHUT_RDWR);
    accepting_.join();
    ::close(fd_);
    for (auto& thread : serving_) thread.join();
  }

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
  }
  int accepted() const { return accepted_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      serving_.emplace_back([this, fd, number = accepted_++] { serve_(RawSocket{fd}, number); });
    }
  }

  Serve serve_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::vector<std::thread> serving_;  // accepting thread only, until it is joined
  std::thread accepting_;
};

}  // namespace cronally::net
