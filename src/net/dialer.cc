#include "net/dialer.h"

#include <fmt/format.h>

#include <cstring>

#include "net/egress.h"

namespace cronally::net {
namespace {

// RFC 8305 §5, "Connection Attempt Delay".
constexpr auto attempt_delay = std::chrono::milliseconds{250};

}  // namespace

void Dialer::dial(Addresses addresses, std::uint16_t port) {
  addresses_ = std::move(addresses);
  port_ = port;
  try_next();
}

void Dialer::stop() {
  loop_.cancel(*this);
  for (Attempt& attempt : attempts_) attempt.socket.close();
  open_ = 0;
}

void Dialer::try_next() {
  while (next_ < addresses_->size()) {
    if (!begin((*addresses_)[next_++])) continue;
    if (next_ < addresses_->size()) loop_.set(*this, loop_.now() + attempt_delay);
    return;
  }
  if (open_ == 0) listener_.on_not_connected(error_);
}

bool Dialer::begin(const Address& address) {
  if (!egress_allowed(address.get())) {
    error_ = "the address is link-local or a cloud's metadata service; deliveries never go there";
    return false;
  }
  ++opened_;
  auto socket = begin_connect(address.with_port(port_));
  if (!socket) {
    if (socket.error().code == "no_socket") {
      error_ = fmt::format("no socket: {}; raise the limit of open files", socket.error().message);
    } else {
      note(address.text(), socket.error().message);
    }
    return false;
  }
  Attempt& attempt = attempts_.emplace_back(*this, std::move(*socket), address.text());
  if (!loop_.add(attempt.socket.fd(), attempt)) {
    attempt.socket.close();
    note(attempt.address, "no room in epoll; raise fs.epoll.max_user_watches");
    return false;
  }
  ++open_;
  return true;
}

void Dialer::on_ready(Attempt& attempt, Ready ready) {
  if (!attempt.socket || !(ready.out || ready.closed)) return;
  const int error = connect_error(attempt.socket.fd());
  --open_;
  Socket socket = std::move(attempt.socket);
  if (error == 0) {
    stop();
    return listener_.on_connected(std::move(socket));
  }
  socket.close();
  note(attempt.address, std::strerror(error));
  loop_.cancel(*this);
  try_next();
}

void Dialer::note(std::string_view address, std::string_view reason) {
  error_ = fmt::format("cannot connect to {} port {}: {}", address, port_, reason);
}

}  // namespace cronally::net
