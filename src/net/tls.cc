#include "net/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <mutex>

#include "base/check.h"
#include "net/address.h"

namespace cronally::net {
namespace {

// The last of OpenSSL's errors on this thread, in its words.
std::string openssl_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown reason";
}

// What SSL_get_error(3) and errno say afterwards is of the call that follows.
void begin_call() {
  ERR_clear_error();
  errno = 0;
}

int length_of(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

Result<SSL_CTX*> make_context(const std::string& ca_file) {
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  CHECK(context != nullptr, "SSL_CTX_new failed");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // A connection that waits for its next request holds no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  const int read = ca_file.empty()
                       ? SSL_CTX_set_default_verify_paths(context)
                       : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
  if (read == 1) return context;
  SSL_CTX_free(context);
  return fail("no_certificates",
              fmt::format("cannot read the certificates to trust{}: {}",
                          ca_file.empty() ? "" : " in " + ca_file, openssl_error()));
}

}  // namespace

std::string tls_version() { return OpenSSL_version(OPENSSL_VERSION_STRING); }

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const std::string& ca_file) {
  static std::mutex mutex;
  static std::shared_ptr<const TlsContext> of_system;
  std::lock_guard lock{mutex};
  if (ca_file.empty() && of_system) return of_system;
  const auto context = make_context(ca_file);
  if (!context) return fail(context.error());
  std::shared_ptr<const TlsContext> made{new TlsContext{*context}};
  SSL_CTX_sess_set_new_cb(*context, [](SSL* ssl, SSL_SESSION* fresh) {
    auto* const session = static_cast<TlsSession*>(SSL_get_app_data(ssl));
    SSL_SESSION_free(session->session_);
    session->session_ = fresh;
    return 1;  // it is ours to free
  });
  if (ca_file.empty()) of_system = made;
  return made;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

TlsSession::~TlsSession() { SSL_SESSION_free(session_); }

Tls::Tls(const TlsContext& context, int fd, const std::string& host, TlsSession& session)
    : ssl_(SSL_new(context.context_)), host_(host) {
  CHECK(ssl_ != nullptr && SSL_set_fd(ssl_, fd) == 1, "SSL_new failed");
  SSL_set_app_data(ssl_, &session);
  if (session.session_ != nullptr) SSL_set_session(ssl_, session.session_);
  const Addresses address = literal_addresses(host);
  const bool is_address = address && address->size() == 1;
  if (is_address) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), address->front().text().c_str());
  } else {
    // A name may end in a dot; certificates and the name that is sent never do (RFC 6066 §3).
    const std::string name = host.substr(0, host.size() - (host.ends_with('.') ? 1 : 0));
    SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(SSL_set1_host(ssl_, name.c_str()) == 1, "SSL_set1_host failed");
    SSL_set_tlsext_host_name(ssl_, name.c_str());
  }
  SSL_set_connect_state(ssl_);
}

Tls::~Tls() { SSL_free(ssl_); }

IoResult Tls::handshake() {
  begin_call();
  const int code = SSL_do_handshake(ssl_);
  if (code == 1) {
    usable_ = true;
    return {.io = Io::ok};
  }
  const int kind = SSL_get_error(ssl_, code);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return {.io = Io::wait};
  return {.io = Io::failed, .error = handshake_error(kind)};
}

std::string Tls::handshake_error(int kind) const {
  const long verified = SSL_get_verify_result(ssl_);
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    return fmt::format("TLS: the certificate does not match the host {}", host_);
  }
  if (verified != X509_V_OK) {
    return fmt::format("TLS: the certificate of {} is not trusted: {}", host_,
                       X509_verify_cert_error_string(verified));
  }
  if (kind == SSL_ERROR_SYSCALL && ERR_peek_last_error() == 0) {
    return fmt::format("TLS with {}: {}", host_,
                       errno != 0 ? std::strerror(errno) : "the connection closed");
  }
  return fmt::format("TLS with {}: {}", host_, openssl_error());
}

IoResult Tls::read(std::span<char> into) {
  begin_call();
  return result_of(SSL_read(ssl_, into.data(), length_of(into.size())));
}

IoResult Tls::write(std::string_view bytes) {
  begin_call();
  return result_of(SSL_write(ssl_, bytes.data(), length_of(bytes.size())));
}

IoResult Tls::result_of(int code) {
  if (code > 0) return {.io = Io::ok, .count = static_cast<std::size_t>(code)};
  const int failed = errno;
  const int kind = SSL_get_error(ssl_, code);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return {.io = Io::wait};
  if (kind == SSL_ERROR_ZERO_RETURN) return {.io = Io::end};
  usable_ = false;
  if (kind == SSL_ERROR_SYSCALL) {
    return {.io = Io::failed, .error = failed != 0 ? std::strerror(failed) : "it was cut"};
  }
  return {.io = Io::failed, .error = openssl_error()};
}

void Tls::close() {
  if (!usable_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
  usable_ = false;
}

}  // namespace cronally::net
