// A connected socket that does not block, plain or with TLS, and the way to one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/address.h"
#include "net/io_result.h"
#include "net/tls.h"

namespace cronally::net {

// A file descriptor that closes with its owner.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  int fd() const { return fd_; }  // -1: none
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void close();

 private:
  int fd_ = -1;
};

// Begins to connect to an address with its port: no waiting, no Nagle, keep-alive probes, closed
// in other programs. Error "no_socket" or "cannot_connect": the reason, from errno.
Result<Socket> begin_connect(const Address& address);

// How the connecting ended, once the socket is writable or failed: 0 or an errno.
int connect_error(int fd);

class Stream {
 public:
  Stream() = default;
  explicit Stream(Socket socket) : socket_(std::move(socket)) {}

  bool open() const { return static_cast<bool>(socket_); }
  int fd() const { return socket_.fd(); }

  // From here on with TLS; then handshake() until it is ok. See Tls.
  void start_tls(const TlsContext& context, const std::string& host, TlsSession& session);
  bool tls() const { return tls_ != nullptr; }
  IoResult handshake() { return tls_->handshake(); }

  // Plain: `failed` from write() means that none of these bytes left.
  IoResult read(std::span<char> into);
  IoResult write(std::string_view bytes);

  // Whether the peer's host has acknowledged all that was written: none of it is under way.
  bool all_acknowledged() const;

  void close();
  // The next close() takes back what the kernel has not delivered yet, and resets the connection.
  // Without it the kernel goes on sending for minutes what its process has given up.
  void forget_unsent();

 private:
  Socket socket_;
  std::unique_ptr<Tls> tls_;
};

}  // namespace cronally::net
