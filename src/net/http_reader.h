// One HTTP/1.1 request as its bytes come, without any I/O (RFC 9112): the server's connections
// feed it what they read, in whatever pieces.
//
// It is stricter than a server must be: what two readers could take for different messages is
// refused, never repaired (§2.2, §5.1, §5.2, §6.3, §7.1). It stores no more than the limits of
// ServerOptions, and asks for no more than 16 KiB in one piece (a header, a trailer).
//
//   RequestReader reader(options);
//   std::size_t used = reader.take("PUT /a HTTP/1.1\r\nHost: h\r\nConte");  // 0: no whole header
//   used = reader.take("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET");  // 49
//   reader.state() == RequestReader::State::done; reader.request().body == "hi"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_framing.h"
#include "net/http_server.h"

namespace cronally::net {

class RequestReader {
 public:
  enum class State : std::uint8_t { header, body, done, refused };

  // `options` must outlive it.
  explicit RequestReader(const ServerOptions& options) : options_(options) {}

  // Reads on. `bytes` begins behind what was taken so far; returns how many of them it took, never
  // one that belongs to the next request. The others must be given again, with more behind them.
  // After `done` and `refused` it takes nothing.
  std::size_t take(std::string_view bytes);

  State state() const { return state_; }
  const Refusal& refusal() const { return refusal_; }  // with State::refused

  // Whole with State::done; without a body from State::body on. `remote` and `received_at` are the
  // connection's to set.
  Request& request() { return request_; }

  // From State::body on.
  bool http11() const { return http11_; }
  bool keep_alive() const { return keep_alive_; }
  bool head() const { return head_; }                      // came as HEAD
  bool wants_continue() const { return wants_continue_; }  // Expect: 100-continue

 private:
  enum class Part : std::uint8_t { length, chunk_size, chunk_data, chunk_end, trailer };

  std::size_t take_header(std::string_view bytes);
  void read_head(std::string_view block);
  bool read_request_line(std::string_view line);
  bool read_field(std::string_view line, std::size_t number);
  void begin_body();
  std::size_t take_body(std::string_view bytes);
  std::size_t take_data(std::string_view bytes, Part next);
  std::size_t take_chunk_size(std::string_view bytes);
  std::size_t take_chunk_end(std::string_view bytes);
  std::size_t take_trailer(std::string_view bytes);
  void refuse(Refusal refusal);
  void refuse(std::string detail);  // 400 malformed_request

  const ServerOptions& options_;
  State state_ = State::header;
  Refusal refusal_;
  Request request_;
  bool http11_ = true;
  bool keep_alive_ = true;
  bool head_ = false;
  bool wants_continue_ = false;

  std::size_t judged_ = 0;  // bytes of the head that were looked at in an earlier call
  Part part_ = Part::length;
  std::size_t body_max_ = 0;
  std::size_t expected_ = 0;  // bytes still to come of the body or chunk
};

}  // namespace cronally::net
