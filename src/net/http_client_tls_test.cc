// Certificates are verified, always: against a server that this test makes.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>

#include "net/http_client.h"
#include "net/raw_socket_test.h"
#include "runtime/clock.h"

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

template <auto free>
struct Freer {
  template <class T>
  void operator()(T* value) const {
    free(value);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freer<SSL_free>>;

// Self-signed, for `name` ("IP:127.0.0.1"), good from `from_s` to `to_s` seconds from now.
Certificate certificate_for(EVP_PKEY* key, const std::string& name, long from_s, long to_s) {
  Certificate out{X509_new()};
  X509_set_version(out.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), from_s);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), to_s);
  X509_set_pubkey(out.get(), key);
  X509_NAME* const subject = X509_get_subject_name(out.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(out.get(), subject);
  X509_EXTENSION* const names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
  X509_add_ext(out.get(), names, -1);
  X509_EXTENSION_free(names);
  X509_sign(out.get(), key, EVP_sha256());
  return out;
}

// Speaks TLS as `version` with a certificate for `name`, and counts the requests it saw.
class TlsListener {
 public:
  TlsListener(const std::string& name, long from_s, long to_s, int version = TLS1_3_VERSION,
              bool reads = true)
      : reads_(reads),
        key_(EVP_EC_gen("P-256")),
        certificate_(certificate_for(key_.get(), name, from_s, to_s)),
        context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    SSL_CTX_use_certificate(context_.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
  }
  std::string url() const { return fmt::format("https://127.0.0.1:{}/", listener_.port()); }
  int requests() const { return requests_; }
  int resumed() const { return resumed_; }  // sessions that went on from an earlier one

  // The certificate as a file to trust; removed with this.
  std::string ca_file() {
    file_ = std::filesystem::temp_directory_path() /
            fmt::format("cronally-tls-{}-{}.pem", ::getpid(), listener_.port());
    std::FILE* const out = std::fopen(file_.c_str(), "w");
    PEM_write_X509(out, certificate_.get());
    std::fclose(out);
    return file_;
  }
  ~TlsListener() {
    if (!file_.empty()) std::filesystem::remove(file_);
  }

 private:
  void serve(RawSocket socket) {
    sigset_t pipe;  // OpenSSL writes with write(2), and clients that refuse us are gone by then
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    const Session session{SSL_new(context_.get())};
    SSL_set_fd(session.get(), socket.descriptor());
    if (SSL_accept(session.get()) != 1) return;
    resumed_ += SSL_session_reused(session.get());
    if (!reads_) {
      EXPECT_TRUE(socket.await_reset());
      return;
    }
    char scratch[4096];
    while (SSL_read(session.get(), scratch, sizeof scratch) > 0) {
      ++requests_;
      constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      SSL_write(session.get(), ok.data(), static_cast<int>(ok.size()));
    }
  }

  const bool reads_;  // requests
  Key key_;
  Certificate certificate_;
  Context context_;
  std::string file_;
  std::atomic<int> requests_{0};
  std::atomic<int> resumed_{0};
  RawListener listener_{[this](RawSocket socket, int) { serve(std::move(socket)); },
                        reads_ ? 0 : 4096};
};

HttpResult exchange(const std::string& url, HttpClientOptions options) {
  const runtime::SystemClock clock;
  std::promise<HttpResult> result;
  HttpClient client{std::move(options), clock};
  std::vector<Submission> batch;
  batch.push_back({.request = client.written({.url = url, .timeout = 5s})});
  client.submit(std::move(batch),
                std::make_shared<const HttpSink>([&](std::vector<Finished>&& finished) {
                  result.set_value(std::move(finished.at(0).result));
                }));
  return result.get_future().get();
}

TEST(HttpClientTls, SendsToATrustedCertificateOfThatName) {
  TlsListener listener{"IP:127.0.0.1", -60, 3600};
  const HttpResult result = exchange(listener.url(), {.ca_file = listener.ca_file()});
  EXPECT_EQ(result.fate, Fate::answered) << result.error;
  EXPECT_EQ(result.status, 200);
}

TEST(HttpClientTls, SendsNothingToAnyOther) {
  struct Row {
    std::string_view hazard;
    std::string_view error;
    bool trusted;
    std::string name;
    long from_s, to_s;
    int version;
  };
  for (const Row& row : {
           Row{"untrusted", "self-signed certificate", false, "IP:127.0.0.1", -60, 3600,
               TLS1_3_VERSION},
           Row{"other name", "does not match the host 127.0.0.1", true, "DNS:example.com", -60,
               3600, TLS1_3_VERSION},
           Row{"expired", "certificate has expired", true, "IP:127.0.0.1", -3600, -60,
               TLS1_3_VERSION},
           Row{"not yet good", "not yet valid", true, "IP:127.0.0.1", 600, 3600, TLS1_3_VERSION},
           Row{"TLS 1.1", "version", true, "IP:127.0.0.1", -60, 3600, TLS1_1_VERSION},
       }) {
    TlsListener listener{row.name, row.from_s, row.to_s, row.version};
    HttpClientOptions options;
    if (row.trusted) options.ca_file = listener.ca_file();
    const HttpResult result = exchange(listener.url(), options);
    EXPECT_EQ(result.fate, Fate::not_sent) << row.hazard;
    EXPECT_NE(result.error.find(row.error), std::string::npos) << result.error;
    EXPECT_FALSE(result.first_byte_at) << row.hazard;
    EXPECT_EQ(listener.requests(), 0) << row.hazard;
  }
}

TEST(HttpClientTls, ASecondConnectionResumesTheSessionOfTheFirst) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsListener listener{"IP:127.0.0.1", -60, 3600, version};
    const runtime::SystemClock clock;
    HttpClient client{{.ca_file = listener.ca_file()}, clock};
    for (const bool fresh : {false, true, false}) {  // the third goes on the first connection
      std::promise<HttpResult> result;
      std::vector<Submission> batch;
      batch.push_back(
          {.request = client.written({.url = listener.url(), .fresh_connection = fresh})});
      client.submit(std::move(batch),
                    std::make_shared<const HttpSink>([&](std::vector<Finished>&& finished) {
                      result.set_value(std::move(finished.at(0).result));
                    }));
      EXPECT_EQ(result.get_future().get().fate, Fate::answered);
    }
    EXPECT_EQ(client.stats().connections, 2u);
    EXPECT_EQ(listener.requests(), 3);
    EXPECT_EQ(listener.resumed(), 1) << "as the server counts";
  }
}

TEST(HttpClientTls, WhatIsCutOffBeforeItsReceiverHasItArrivesNoMore) {
  TlsListener listener{"IP:127.0.0.1", -60, 3600, TLS1_3_VERSION, false};
  const runtime::SystemClock clock;
  HttpClient client{{.ca_file = listener.ca_file()}, clock};
  const auto gate = std::make_shared<SendGate>();
  std::promise<HttpResult> result;
  std::vector<Submission> batch;
  batch.push_back(
      {.request = client.written({.url = listener.url(), .body = std::string(64u << 10, 'x')}),
       .gate = gate});
  client.submit(std::move(batch),
                std::make_shared<const HttpSink>([&](std::vector<Finished>&& finished) {
                  result.set_value(std::move(finished.at(0).result));
                }));
  while (gate->state() == SendGate::State::pending) std::this_thread::yield();
  gate->cut_off();
  client.end_withdrawn();
  const HttpResult ended = result.get_future().get();
  EXPECT_EQ(ended.fate, Fate::unknown);
  EXPECT_TRUE(ended.error.starts_with("cut off")) << ended.error;
}

TEST(HttpClientTls, WithoutTheCertificatesToTrustNothingIsSent) {
  TlsListener listener{"IP:127.0.0.1", -60, 3600};
  const HttpResult result = exchange(listener.url(), {.ca_file = "/nowhere/ca.pem"});
  EXPECT_EQ(result.fate, Fate::not_sent);
  EXPECT_NE(result.error.find("/nowhere/ca.pem"), std::string::npos) << result.error;
}

}  // namespace
}  // namespace cronally::net
