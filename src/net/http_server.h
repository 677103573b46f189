// The HTTP/1.1 server: sockets, framing, limits and time-outs end here, and a handler sees whole,
// well-formed requests only. Hides Asio.
//
// One thread does all socket work; handlers run on a pool of threads and may block (the store
// does). A connection has at most one request under way, so pipelined requests are answered in
// order and the work queued is bounded by the number of connections.
//
// Refused before any handler sees it, as application/problem+json (RFC 9457) with a stable
// `code`, and the connection closes afterwards:
//
//   400 malformed_request    not HTTP/1.x, ambiguous framing (Content-Length beside
//                            Transfer-Encoding, two Content-Lengths, a coding other than
//                            "chunked": RFC 9112 §6.3), no or two Hosts, a bare CR or NUL
//   408 request_timeout      a header or body that was begun and did not come in time
//   413 body_too_large       above body_max(method, path)
//   414 url_too_long         request target above 8 KiB
//   431 headers_too_large    header block above 16 KiB or more than 100 fields
//
// A connection that is idle for too long, or does not read its answer, is closed without a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "net/http_header.h"

namespace cronally::runtime {
class Clock;
}

namespace cronally::net {

struct Request {
  std::string method;  // as sent; a HEAD arrives as GET, and the server drops the answer's body
  std::string target;  // as sent, for example "/v2/jobs/a%2Fb?limit=1"; absolute-form: without
                       // scheme and authority
  std::string path;    // target up to '?', not decoded, so that %2F stays inside its segment
  std::string query;   // after '?', not decoded
  HttpHeaders headers;
  std::string body;
  std::string remote;         // address of the peer, for example "127.0.0.1" or "::1"
  SteadyInstant received_at;  // when the request was complete: what a long poll counts from
  bool head = false;          // it was a HEAD
};

struct Response {
  int status = 200;
  // Content-Length, Transfer-Encoding, Connection and Date are the server's own.
  HttpHeaders headers;
  std::string body;
  // When set, sent after `body` with chunked coding: called on a pool thread until it returns
  // false, it fills `chunk` (empty chunks are skipped). An exception cuts the connection, so that
  // the receiver sees a broken transfer and not a short file. At HEAD it is never called.
  std::function<bool(std::string& chunk)> stream{};
};

// "Not yet": the handler is called again with the same Request after this time. Holds no thread
// meanwhile. At least 1 ms.
struct Later {
  Duration poll_after{};
};

using Reply = std::variant<Response, Later>;

// Called on pool threads, several at a time. An exception answers 503 (Unavailable, with its
// text) or 500 (any other, without), as a problem; neither closes the connection.
using Handler = std::function<Reply(const Request&)>;

struct ServerOptions {
  int workers = 8;
  // Above it the oldest connection without a complete request is closed; if there is none, the one
  // that has not read its answer for the longest time, stall_min or more; else the new one.
  std::size_t connections_max = 1024;
  std::size_t header_max = 16 * 1024;
  std::size_t header_count_max = 100;
  std::size_t url_max = 8 * 1024;
  // The largest body in bytes; decides before the body is read. Called on the socket thread.
  std::function<std::size_t(std::string_view method, std::string_view path)> body_max{};  // 1 MiB
  Duration header_timeout = std::chrono::seconds{10};  // from a request's first byte
  Duration body_timeout = std::chrono::seconds{30};    // from the end of its header
  Duration idle_timeout = std::chrono::seconds{75};    // between requests, before the first
  Duration write_timeout = std::chrono::seconds{60};   // for one answer, or one chunk of it
  Duration stall_min = std::chrono::seconds{5};        // see connections_max
};

inline constexpr std::size_t body_max_default = 1024 * 1024;

// A problem answer: {"type":"about:blank","title":…,"status":…,"code":…,"detail":…}.
Response problem(int status, std::string_view code, std::string_view detail);

struct ServerStats {
  std::size_t connections = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;   // closed for the connection limit
  std::uint64_t requests = 0;  // handed to the handler
};

// Thread-safe. `clock` must outlive it.
class HttpServer {
 public:
  HttpServer(ServerOptions options, Handler handler, const runtime::Clock& clock);
  ~HttpServer();  // stop(0)

  // Binds and starts to serve; port 0 picks a free one. `host` is an address in numbers or
  // "localhost". Returns the port. Once only. Error "cannot_listen" names address and reason.
  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port);

  // Stops accepting, closes idle connections, lets requests under way finish for at most `grace`
  // (a Later counts as under way: the handler should answer once it knows of the stop), then cuts
  // the rest. Returns when every handler has returned. Idempotent.
  void stop(Duration grace);

  ServerStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cronally::net
