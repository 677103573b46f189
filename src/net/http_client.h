// The outgoing HTTP(S) client of deliveries: thousands of requests at a time on one thread of its
// own, connections kept alive, and for each request exactly one honest answer to "did it leave?".
// Hides the connections (connection_pool.h), the loop under them and OpenSSL.
//
// Fixed for every request: HTTP/1.1, http and https only, certificates verified, TLS 1.2 or
// later, redirects not followed, no proxy variables, no cookies, no "Expect".
//
// A request is written once and never again: when a reused connection closes without an answer,
// the attempt's fate is `unknown`.
//
// Addresses that lead to a cloud's metadata service, and all link-local ones, are refused after
// resolution (see egress.h), so that a name cannot hide them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "net/http_header.h"
#include "net/send_gate.h"

namespace cronally::runtime {
class Clock;
}

namespace cronally::net {

// The part of an answer's body that is kept.
inline constexpr std::size_t response_kept_max = 64 * 1024;
// An answer longer than this is cut off: its connection closes, its status counts.
inline constexpr std::size_t response_read_max = 1024 * 1024;

struct HttpRequest {
  std::string method = "POST";
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
  Duration timeout = std::chrono::seconds{30};  // for the whole attempt: name, connect, TLS, answer
  bool fresh_connection = false;                // at most once: no reuse, hence no repeat
  // Asked right before the first byte leaves, on the client's thread; false withdraws. Must not
  // block. Empty: always.
  std::function<bool()> may_send{};
};

enum class Fate : std::uint8_t {
  answered,   // a complete answer came (or one above response_read_max)
  not_sent,   // no byte of the request left
  unknown,    // bytes may have left, and no complete answer came
  withdrawn,  // the gate or may_send kept it back
};

struct HttpResult {
  Fate fate = Fate::unknown;
  int status = 0;                        // 0 unless answered
  std::string body;                      // at most response_kept_max
  bool truncated = false;                // there was more
  std::optional<Duration> retry_after;   // from Retry-After, seconds or date (RFC 9110 §10.2.3)
  std::string error;                     // one line for a person; empty when answered
  std::optional<Instant> first_byte_at;  // wall time right before the first byte left
  Instant ended_at;
};

struct Finished {
  std::uint64_t tag = 0;  // the Submission's, both
  std::uint32_t subtag = 0;
  HttpResult result;
};

// A request as HttpClient::written() wrote it: what its thread still needs of it.
struct WrittenRequest {
  std::string url;
  std::string wire;   // the bytes of the request
  std::string fault;  // not empty: it cannot be written as HTTP; then nobody hears of it
  Duration timeout{};
  bool fresh_connection = false;
  bool head = false;  // the method is HEAD
  std::function<bool()> may_send{};
};

struct Submission {
  std::uint64_t tag = 0;  // the caller's own, given back
  std::uint32_t subtag = 0;
  WrittenRequest request;
  std::shared_ptr<SendGate> gate{};  // serves this request only; null: nobody withdraws it
};

// Gets what finished together, of all that was submitted with this sink, in one call, on the
// client's thread; must not block, and may submit.
using HttpSink = std::function<void(std::vector<Finished>&&)>;

struct HttpClientOptions {
  std::string user_agent;  // for requests that bring none
  Duration connect_timeout = std::chrono::seconds{10};
  long idle_connections_max = 4096;
  long connections_max = 0;  // in all; requests beyond wait for one within their time. 0: no bound
  // Certificates to trust instead of the system's (a PEM file); for tests and private roots.
  std::string ca_file{};
};

struct HttpClientStats {
  std::uint64_t submitted = 0;
  std::uint64_t finished = 0;
  std::uint64_t connections = 0;  // opened
};

// Thread-safe. `clock` must outlive it.
class HttpClient {
 public:
  HttpClient(HttpClientOptions options, const runtime::Clock& clock);

  // Ends every request under way (fate unknown if started, else not_sent), calls the sinks, and
  // joins the thread.
  ~HttpClient();

  // Writes a request for submit(), on the caller's thread: its many texts end where they began,
  // which is cheap, and one goes on.
  WrittenRequest written(HttpRequest request) const;

  // Takes requests over; never blocks. Each yields exactly one Finished at `sink`. How many may
  // be open per destination is the caller's to limit.
  void submit(std::vector<Submission> batch, std::shared_ptr<const HttpSink> sink);

  // Ends what was called back through its gate. What was withdrawn: at once, not when its
  // connection stands. What was cut off: unless the receiver's host (or a proxy before it) has
  // acknowledged every byte of it, its connection is reset, so that nothing of it arrives later,
  // and its fate is unknown. Never blocks.
  void end_withdrawn();

  HttpClientStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cronally::net
