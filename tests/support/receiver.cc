#include "receiver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "runtime/clock.h"

namespace cronally::support {
namespace {

struct Connection {
  int fd = -1;
  std::string in;
  std::string out;
  bool waiting = false;  // a slow answer is pending: nothing further is read from `in`
  bool closing = false;  // after `out` has left
  bool resetting = false;
  bool touched = false;      // on the list of this turn
  bool watches_out = false;  // EPOLLOUT is on
};

std::string answer(int status, std::optional<int> retry_after_s, bool keep_alive) {
  if (status == 200 && keep_alive) return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  std::string out = fmt::format("HTTP/1.1 {} Status\r\n", status);
  if (retry_after_s) out += fmt::format("Retry-After: {}\r\n", *retry_after_s);
  if (!keep_alive) out += "Connection: close\r\n";
  if (status != 204 && status != 304) out += "Content-Length: 0\r\n";
  return out + "\r\n";
}

Result<int> listen_on(const std::string& host, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    ::close(fd);
    return fail("cannot_listen", fmt::format("{} is not an IPv4 address", host));
  }
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 4096) != 0) {
    const int error = errno;
    ::close(fd);
    return fail("cannot_listen",
                fmt::format("cannot listen on {}:{}: {}", host, port, std::strerror(error)));
  }
  return fd;
}

}  // namespace

class Receiver::Impl {
 public:
  Impl(ReceiverOptions options, int listener, int log)
      : options_(std::move(options)), listener_(listener), log_(log) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll_ >= 0, "epoll_create1 failed");
    watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
  }

  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), wait_ms());
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      answer_slow_ones();
      write_log();  // before any answer of this turn leaves
      for (const int fd : std::exchange(touched_, {})) settle(fd);
    }
  }

 private:
  void watch(int fd, std::uint32_t what, int operation) const {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, operation, fd, &event);
  }

  int wait_ms() const {
    if (slow_.empty()) return -1;
    const Duration left = slow_.begin()->first - clock_.steady();
    return static_cast<int>(
        std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
  }

  void handle(const epoll_event& event) {
    if (event.data.fd == listener_) return accept_all();
    const auto found = connections_.find(event.data.fd);
    if (found == connections_.end()) return;
    touch(found->second);
    if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(found->second);
  }

  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[fd].fd = fd;
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void touch(Connection& connection) {
    if (connection.touched) return;
    connection.touched = true;
    touched_.push_back(connection.fd);
  }

  void receive(Connection& connection) {
    const ssize_t got = ::recv(connection.fd, scratch_.data(), scratch_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      connection.closing = true;
      connection.in.clear();
      return;
    }
    connection.in.append(scratch_.data(), static_cast<std::size_t>(got));
    take_requests(connection);
  }

  void take_requests(Connection& connection) {
    std::size_t used = 0;
    while (!connection.waiting && !connection.closing) {
      Incoming request;
      const std::string_view left = std::string_view{connection.in}.substr(used);
      const Parsed parsed = parse_incoming(left, request);
      if (parsed == Parsed::more) break;
      if (parsed == Parsed::malformed) {
        connection.out += answer(400, std::nullopt, false);
        connection.closing = true;
        break;
      }
      used += request.size;
      take(connection, request);
    }
    connection.in.erase(0, used);
  }

  std::string_view judge_signature(const Incoming& request) const {
    if (!options_.signing_key || request.webhook_signature.empty()) return "none";
    return core::verify(*options_.signing_key, request.webhook_id, request.webhook_timestamp,
                        request.body, request.webhook_signature)
               ? "ok"
               : "bad";
  }

  void take(Connection& connection, const Incoming& request) {
    Behaviour behaviour = behaviour_of_path(request.path, options_.behaviour);
    const std::string_view sig = judge_signature(request);
    if (behaviour.verify && sig != "ok") behaviour.status = 401;
    if (behaviour.fail_first > 0) {
      int& seen = seen_[std::string{request.webhook_id}];
      if (seen < behaviour.fail_first) {
        ++seen;
        behaviour.status = 500;
      }
    }
    const bool answers = behaviour.act == Act::answer;
    if (log_ >= 0) {
      log_buffer_ += log_line(request, clock_.wall(), answers ? behaviour.status : 0, sig);
    }
    act(connection, behaviour, request.keep_alive);
  }

  void act(Connection& connection, const Behaviour& behaviour, bool keep_alive) {
    switch (behaviour.act) {
      case Act::answer:
        if (behaviour.delay > Duration::zero()) {
          connection.waiting = true;
          slow_.emplace(
              clock_.steady() + behaviour.delay,
              Slow{connection.fd, answer(behaviour.status, behaviour.retry_after_s, true)});
          return;
        }
        connection.out += answer(behaviour.status, behaviour.retry_after_s, keep_alive);
        connection.closing = !keep_alive;
        return;
      case Act::read_then_close: connection.closing = true; return;
      case Act::garbage:
        connection.out += "\x01\x02 this is not HTTP \xff\r\n\r\n";
        connection.closing = true;
        return;
      case Act::reset:
        connection.closing = true;
        connection.resetting = true;
        return;
      case Act::hang: connection.waiting = true; return;
    }
  }

  void answer_slow_ones() {
    if (slow_.empty()) return;
    const SteadyInstant now = clock_.steady();
    while (!slow_.empty() && slow_.begin()->first <= now) {
      Slow slow = std::move(slow_.begin()->second);
      slow_.erase(slow_.begin());
      const auto found = connections_.find(slow.fd);
      if (found == connections_.end() || !found->second.waiting) continue;
      found->second.out += slow.text;
      found->second.waiting = false;
      touch(found->second);
      take_requests(found->second);
    }
  }

  void write_log() {
    std::string_view left = log_buffer_;
    while (!left.empty()) {
      const ssize_t wrote = ::write(log_, left.data(), left.size());
      if (wrote < 0 && errno == EINTR) continue;
      CHECK(wrote > 0, "the receiver's log cannot be written");
      left.remove_prefix(static_cast<std::size_t>(wrote));
    }
    log_buffer_.clear();
  }

  // Sends what there is, and closes if that was the last.
  void settle(int fd) {
    Connection& connection = connections_.at(fd);
    connection.touched = false;
    while (!connection.out.empty()) {
      const ssize_t sent = ::send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) {
        if (!connection.watches_out) watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        connection.watches_out = true;
        return;
      }
      if (sent < 0) return close(connection);
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
    if (connection.closing) return close(connection);
    if (connection.watches_out) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
    connection.watches_out = false;
  }

  void close(Connection& connection) {
    const int fd = connection.fd;
    if (connection.resetting) {
      const linger hard{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    ::close(fd);
    connections_.erase(fd);
    std::erase_if(slow_, [fd](const auto& entry) { return entry.second.fd == fd; });
  }

  struct Slow {
    int fd = -1;
    std::string text;
  };

  const ReceiverOptions options_;
  const int listener_;
  const int log_;
  int epoll_ = -1;
  runtime::SystemClock clock_;
  std::unordered_map<int, Connection> connections_;
  std::multimap<SteadyInstant, Slow> slow_;
  std::unordered_map<std::string, int> seen_;  // failures given, by webhook-id
  std::vector<int> touched_;
  std::string log_buffer_;
  std::array<char, 256 * 1024> scratch_;
};

Result<std::unique_ptr<Receiver>> Receiver::open(ReceiverOptions options) {
  int log = -1;
  if (options.log_file == "-") {
    log = STDOUT_FILENO;
  } else if (!options.log_file.empty()) {
    log = ::open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0) {
      return fail("cannot_write",
                  fmt::format("cannot open {}: {}", options.log_file, std::strerror(errno)));
    }
  }
  auto listener = listen_on(options.address, options.port);
  if (!listener) return fail(listener.error());
  auto impl = std::make_unique<Impl>(std::move(options), *listener, log);
  return std::unique_ptr<Receiver>(new Receiver(std::move(impl)));
}

Receiver::Receiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Receiver::~Receiver() = default;
std::uint16_t Receiver::port() const { return impl_->port(); }
void Receiver::run() { impl_->run(); }

}  // namespace cronally::support
