// One HTTP/1.1 answer as its bytes come, without any I/O (RFC 9112): clients feed it what they
// read, in whatever pieces. The sibling of net/http_reader.h, which reads requests.
//
// A server must be strict, for what it takes differently from a proxy before it can be abused; a
// client serves its user best by taking what old servers send, as long as one thing is beyond
// doubt: where the answer ends. So bare LF ends a line, folded lines, fields without a colon and a
// missing reason are let pass; lengths that contradict each other, a broken chunk and anything
// that is not HTTP/1.x are faults. Interim answers (1xx) are read over.
//
//   AnswerReader reader;
//   std::size_t used = reader.take("HTTP/1.1 200 OK\r\nConte");  // 0: no whole header
//   used = reader.take("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");  // all 40
//   reader.state() == AnswerReader::State::done; reader.status() == 200; reader.body() == "ok"
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_header.h"

namespace cronally::net {

struct AnswerLimits {
  // Status lines and fields, those of interim answers, the trailer and extensions of chunks too.
  std::size_t header_max = std::size_t{256} * 1024;
  std::size_t body_kept_max = std::size_t{64} * 1024;    // at a time: body() may be moved from
  std::size_t body_read_max = std::size_t{1024} * 1024;  // a longer one is cut off
  bool keep_headers = false;                             // for headers()
};

class AnswerReader {
 public:
  enum class State : std::uint8_t { header, body, done, broken };

  explicit AnswerReader(AnswerLimits limits = {}) : limits_(limits) {}

  // Ready for the next answer; `to_head`: of a HEAD, which has no body (RFC 9110 §9.3.2).
  void reset(bool to_head);

  // Reads on. `bytes` begins behind what was taken so far; returns how many of them it took, never
  // one that follows the answer. The others must be given again, with more behind them. After
  // `done` and `broken` it takes nothing.
  std::size_t take(std::string_view bytes);

  // The peer will send no more: the end of a body that lasts until then, else a fault.
  void end();

  State state() const { return state_; }
  // With `broken`, one line for a person: "the answer's header is too long".
  std::string_view fault() const { return fault_; }

  // From State::body on.
  int status() const { return status_; }                // 100 to 999; never an interim one but 101
  std::optional<std::string_view> retry_after() const;  // as it was written
  const HttpHeaders& headers() const { return headers_; }  // empty without keep_headers

  std::string& body() { return body_; }
  bool truncated() const { return body_bytes_ > body_kept_; }  // more came than was kept
  // With `done`: whether another request may follow on the connection (RFC 9112 §9.3).
  bool keep_alive() const { return keep_alive_; }

 private:
  enum class Part : std::uint8_t { length, chunk_size, chunk_data, chunk_end, trailer, until_end };

  std::size_t take_header(std::string_view bytes);
  std::size_t header_length(std::string_view bytes);
  void read_header(std::string_view block);
  std::string_view read_status_line(std::string_view block);
  bool read_field(std::string_view line);
  bool read_length(std::string_view value);
  void begin_body();
  std::size_t take_body(std::string_view bytes);
  std::size_t take_data(std::string_view bytes);
  std::size_t take_chunk_size(std::string_view bytes);
  std::size_t take_chunk_end(std::string_view bytes);
  std::size_t take_trailer(std::string_view bytes);
  void keep(std::string_view bytes);
  void finish();
  void break_off(std::string_view fault);

  AnswerLimits limits_;
  State state_ = State::header;
  Part part_ = Part::length;
  std::string_view fault_;  // a literal
  bool to_head_ = false;

  // Of the header.
  std::size_t seen_ = 0;          // bytes that were searched for its end in an earlier call
  std::size_t header_bytes_ = 0;  // of all headers so far, and the trailer
  int status_ = 0;
  bool http11_ = true;
  bool keep_alive_ = true;
  bool asks_close_ = false;
  bool asks_keep_alive_ = false;
  bool chunked_ = false;
  bool other_coding_ = false;  // a transfer coding that only the end of the connection ends
  std::optional<std::uint64_t> length_;
  std::string retry_after_;
  HttpHeaders headers_;

  // Of the body.
  std::uint64_t expected_ = 0;  // still to come of it, or of the chunk
  std::uint64_t body_bytes_ = 0;
  std::uint64_t body_kept_ = 0;
  std::string body_;
};

}  // namespace cronally::net
