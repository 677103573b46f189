#include "net/stream.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace cronally::net {
namespace {

IoResult result_of(ssize_t count) {
  if (count > 0) return {.io = Io::ok, .count = static_cast<std::size_t>(count)};
  if (count == 0) return {.io = Io::end};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {.io = Io::wait};
  return {.io = Io::failed, .error = std::strerror(errno)};
}

// A peer that vanished is noticed within minutes, also where its answer may take longer.
void set_options(int fd) {
  constexpr int on = 1;
  constexpr int probe_s = 60;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &probe_s, sizeof probe_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe_s, sizeof probe_s);
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Socket::release() { return std::exchange(fd_, -1); }

void Socket::close() {
  if (fd_ >= 0) ::close(release());
}

Result<Socket> begin_connect(const Address& address) {
  Socket socket{::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!socket) return fail("no_socket", std::strerror(errno));
  set_options(socket.fd());
  if (::connect(socket.fd(), address.get(), address.size()) != 0 && errno != EINPROGRESS) {
    return fail("cannot_connect", std::strerror(errno));
  }
  return socket;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void Stream::start_tls(const TlsContext& context, const std::string& host, TlsSession& session) {
  tls_ = std::make_unique<Tls>(context, fd(), host, session);
}

IoResult Stream::read(std::span<char> into) {
  if (tls_) return tls_->read(into);
  return result_of(::recv(fd(), into.data(), into.size(), 0));
}

IoResult Stream::write(std::string_view bytes) {
  if (tls_) return tls_->write(bytes);
  return result_of(::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

bool Stream::all_acknowledged() const {
  int under_way = 0;  // in bytes, tcp(7)
  return ::ioctl(fd(), SIOCOUTQ, &under_way) == 0 && under_way == 0;
}

void Stream::forget_unsent() {
  const linger hard{.l_onoff = 1, .l_linger = 0};  // socket(7)
  if (open()) ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void Stream::close() {
  if (tls_) tls_->close();
  tls_.reset();
  socket_.close();
}

}  // namespace cronally::net
