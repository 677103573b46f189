// TLS of clients, by OpenSSL: 1.2 or later, certificates and the host's name (or address, RFC 9110
// §4.3.5) verified, always. Hides OpenSSL.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/io_result.h"

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace cronally::net {

// OpenSSL's version, "3.0.15": for `version` and bug reports.
std::string tls_version();

// Whom to trust, for any number of connections on any threads.
class TlsContext {
 public:
  // `ca_file` (PEM), or the system's certificates where it is empty. Those are read once in a
  // process. Error "no_certificates": they cannot be read.
  static Result<std::shared_ptr<const TlsContext>> make(const std::string& ca_file);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class Tls;
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* const context_;
};

// What a server gave to make the next handshake with it shorter (RFC 8446 §2.2).
class TlsSession {
 public:
  TlsSession() = default;
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

 private:
  friend class Tls;
  friend class TlsContext;
  ssl_session_st* session_ = nullptr;
};

// The client's side of one connection over a connected socket that does not block. One thread,
// with SIGPIPE blocked or ignored: OpenSSL writes with write(2).
class Tls {
 public:
  // `session` must outlive it; it is used and renewed. `fd` stays the caller's.
  Tls(const TlsContext& context, int fd, const std::string& host, TlsSession& session);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // ok: done. wait: once more when the socket is ready. failed: the error says what is wrong with
  // the certificate, or with the exchange.
  IoResult handshake();

  // As Stream's. `end` only where the peer said so; a connection that is cut is `failed`.
  IoResult read(std::span<char> into);
  IoResult write(std::string_view bytes);

  // Says that nothing more will come, without waiting; after a failure nothing is said.
  void close();

 private:
  IoResult result_of(int code);
  std::string handshake_error(int kind) const;

  ssl_st* const ssl_;
  const std::string host_;
  bool usable_ = false;  // the handshake is done, and nothing failed
};

}  // namespace cronally::net
