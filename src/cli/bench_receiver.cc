#include "cli/bench_receiver.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace cronally::cli {
namespace {

constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view head_end = "\r\n\r\n";
constexpr int backlog = 4096;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

std::string_view header_value(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos && at + 2 < head.size();) {
    const std::size_t begin = at + 2;
    at = head.find("\r\n", begin);
    std::string_view line = head.substr(begin, at - begin);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::ranges::equal(line.substr(0, name.size()), name, {}, lower)) continue;
    line.remove_prefix(name.size() + 1);
    const std::size_t first = line.find_first_not_of(' ');
    return first == std::string_view::npos ? std::string_view{} : line.substr(first);
  }
  return {};
}

std::size_t request_length(std::string_view text) {
  const std::size_t end = text.find(head_end);
  if (end == std::string_view::npos) return 0;
  const std::string_view length = header_value(text.substr(0, end), "content-length");
  std::size_t body = 0;
  std::from_chars(length.data(), length.data() + length.size(), body);
  const std::size_t whole = end + head_end.size() + body;
  return whole <= text.size() ? whole : 0;
}

BenchReceiver::~BenchReceiver() { stop(); }

std::string BenchReceiver::url() const { return fmt::format("http://127.0.0.1:{}/", port_); }

Result<void> BenchReceiver::start() {
  listener_ = runtime::Fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  epoll_ = runtime::Fd{::epoll_create1(EPOLL_CLOEXEC)};
  wake_ = runtime::Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  if (!listener_ || !epoll_ || !wake_ || ::bind(listener_.get(), where, size) != 0 ||
      ::listen(listener_.get(), backlog) != 0 ||
      ::getsockname(listener_.get(), where, &size) != 0 || !watch(epoll_.get(), listener_.get()) ||
      !watch(epoll_.get(), wake_.get())) {
    return fail("cannot_listen", fmt::format("no receiver on 127.0.0.1: {}", std::strerror(errno)));
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
  return {};
}

std::vector<Arrival> BenchReceiver::stop() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  return std::move(arrivals_);
}

void BenchReceiver::run() {
  std::array<epoll_event, 256> events;
  for (;;) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == wake_.get()) return;
      if (fd == listener_.get()) {
        accept_all();
      } else if (!serve(fd)) {
        connections_.erase(fd);
      }
    }
  }
}

void BenchReceiver::accept_all() {
  for (;;) {
    runtime::Fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (!fd) return;
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!watch(epoll_.get(), fd.get())) continue;
    const int number = fd.get();
    connections_.insert_or_assign(number, std::pair{std::move(fd), std::string{}});
  }
}

bool BenchReceiver::serve(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return true;
  std::array<char, 16 * 1024> piece;
  const ssize_t got = ::recv(fd, piece.data(), piece.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  std::string& text = found->second.second;
  text.append(piece.data(), static_cast<std::size_t>(got));
  while (const std::size_t length = request_length(text)) {
    take(std::string_view{text}.substr(0, length));
    text.erase(0, length);
    // An answer is far smaller than a socket's buffer, and only one is under way.
    if (::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
  }
  return true;
}

void BenchReceiver::take(std::string_view head) {
  const Instant now = clock_.wall();
  const auto scheduled = parse_instant(header_value(head, "cronally-scheduled-at"));
  if (!scheduled) return;
  arrivals_.push_back({*scheduled, now});
  count_.fetch_add(1, std::memory_order_release);
}

}  // namespace cronally::cli
