#include "net/blocking_stream.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <future>

#include "runtime/supervise.h"

namespace cronally::net {
namespace {

constexpr Duration connect_max = std::chrono::seconds{10};

std::unexpected<Error> unreachable(std::string why) { return fail("unreachable", std::move(why)); }

sigset_t only_sigpipe() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGPIPE);
  return out;
}

}  // namespace

BlockingStream::BlockingStream(Duration timeout)
    : timeout_(timeout),
      deadline_(timeout > Duration{0} ? Limit{clock_.steady() + timeout} : std::nullopt),
      connect_deadline_(clock_.steady() +
                        (timeout > Duration{0} ? std::min(timeout, connect_max) : connect_max)) {}

// ---- To a connection --------------------------------------------------------------------------

// On another thread, since getaddrinfo(3) knows no deadline.
Result<Addresses> BlockingStream::resolve(const std::string& host) const {
  if (Addresses known = literal_addresses(host)) return known;
  auto promise = std::make_shared<std::promise<Result<Addresses>>>();
  std::future<Result<Addresses>> answer = promise->get_future();
  if (!runtime::spawn_apart("resolver", [promise, host] { promise->set_value(look_up(host)); })) {
    return look_up(host);
  }
  const Duration left = std::max(connect_deadline_ - clock_.steady(), Duration{0});
  if (answer.wait_for(left) != std::future_status::ready) {
    return unreachable(fmt::format("cannot resolve {}: no name server answers in time", host));
  }
  return answer.get();
}

Result<void> BlockingStream::connect(const std::string& host, std::uint16_t port) {
  const auto addresses = resolve(host);
  if (!addresses) return unreachable(addresses.error().message);
  Result<void> tried;
  auto left = static_cast<int>((*addresses)->size());
  for (const Address& address : **addresses) {
    const SteadyInstant now = clock_.steady();
    tried = connect_to(address.with_port(port), now + (connect_deadline_ - now) / left--);
    if (tried) return tried;
    tried.error().message = fmt::format("cannot connect to {} port {}: {}", address.text(), port,
                                        tried.error().message);
  }
  return tried;
}

Result<void> BlockingStream::connect_to(const Address& address, SteadyInstant until) {
  auto socket = begin_connect(address);
  if (!socket) return unreachable(socket.error().message);
  Stream stream{std::move(*socket)};
  std::swap(stream, stream_);
  if (!wait(POLLOUT, until)) return unreachable("no answer in time");
  const int error = connect_error(stream_.fd());
  if (error != 0) return unreachable(std::strerror(error));
  return {};
}

Result<void> BlockingStream::start_tls(const std::string& host) {
  const auto context = TlsContext::make("");
  if (!context) return unreachable(context.error().message);
  stream_.start_tls(**context, host, session_);
  for (;;) {
    IoResult shaken = stream_.handshake();
    if (shaken.io == Io::ok) return {};
    if (shaken.io != Io::wait) return unreachable(std::move(shaken.error));
    if (!wait(POLLIN, connect_deadline_)) return too_late();
  }
}

// ---- On it ------------------------------------------------------------------------------------

Result<void> BlockingStream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const IoResult wrote = stream_.write(bytes);
    if (wrote.io == Io::ok) {
      bytes.remove_prefix(wrote.count);
    } else if (wrote.io != Io::wait) {
      return unreachable("the connection closed: " + wrote.error);
    } else if (!wait(POLLOUT, deadline_)) {
      return too_late();
    }
  }
  return {};
}

Result<std::size_t> BlockingStream::read(std::span<char> into) {
  for (;;) {
    IoResult got = stream_.read(into);
    if (got.io == Io::ok) return got.count;
    if (got.io == Io::end) return std::size_t{0};
    if (got.io == Io::failed) return unreachable("the connection closed: " + got.error);
    if (!wait(POLLIN, deadline_)) return too_late();
  }
}

bool BlockingStream::wait(short events, Limit until) const {
  for (;;) {
    int ms = -1;
    if (until) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - clock_.steady());
      ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }
    pollfd wanted{.fd = stream_.fd(), .events = events, .revents = 0};
    const int ready = ::poll(&wanted, 1, ms);
    if (ready > 0) return true;
    if (until && clock_.steady() >= *until) return false;
  }
}

std::unexpected<Error> BlockingStream::too_late() const {
  if (timeout_ <= Duration{0}) return unreachable("timed out");
  return unreachable(fmt::format("timed out after {} ms",
                                 std::chrono::ceil<std::chrono::milliseconds>(timeout_).count()));
}

// ---- SIGPIPE ----------------------------------------------------------------------------------

SigpipeGuard::SigpipeGuard() {
  const sigset_t pipe = only_sigpipe();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  blocked_ = sigismember(&before, SIGPIPE) == 0;
}

SigpipeGuard::~SigpipeGuard() {
  if (!blocked_) return;
  const sigset_t pipe = only_sigpipe();
  constexpr timespec at_once{};
  while (::sigtimedwait(&pipe, nullptr, &at_once) == SIGPIPE) {  // one that came meanwhile
  }
  ::pthread_sigmask(SIG_UNBLOCK, &pipe, nullptr);
}

}  // namespace cronally::net
