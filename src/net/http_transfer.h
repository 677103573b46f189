// One request on libcurl, in a handle that is used again and again. Internal to http_client.
//
// Everything that decides what became of the request is here: the gate before the first byte, the
// repeat that libcurl tries, the caps on the answer, the egress guard.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http_client.h"

namespace cronally::net {

struct TransferCounters {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> repeats_prevented{0};
};

// One thread at a time. Not movable: libcurl holds its address.
class Transfer {
 public:
  Transfer(const HttpClientOptions& options, const runtime::Clock& clock,
           TransferCounters& counters);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Makes the handle ready to be added to a multi. False when the request cannot be written as
  // HTTP (a line break in a header): finish() then says so.
  bool begin(Submission submission, std::shared_ptr<const HttpSink> sink);

  // What became of it; after the handle was removed from its multi. Drops the request.
  Finished finish(CURLcode code);

  // Whether the handle may serve another request. libcurl before 8.0 keeps a pointer to the last
  // header of an answer that it has freed, and writes through it when the next answer begins with
  // a folded line: any receiver could do that.
  bool reusable() const;

  CURL* easy() const { return easy_; }
  const std::shared_ptr<const HttpSink>& sink() const { return sink_; }

  static Transfer& of(CURL* easy);

 private:
  void set_fixed_options();
  bool set_header_lines();
  void set_method_and_body();

  bool may_start();
  curl_socket_t open_socket(const curl_sockaddr& address);
  std::size_t take_header(std::string_view line);
  std::size_t take_body(const char* bytes, std::size_t size);

  int status() const;
  Fate fate_of(CURLcode code) const;
  std::string error_of(CURLcode code) const;

  const HttpClientOptions& options_;
  const runtime::Clock& clock_;
  TransferCounters& counters_;
  CURL* easy_;
  char error_buffer_[CURL_ERROR_SIZE] = {};

  Submission submission_;
  std::shared_ptr<const HttpSink> sink_;
  std::string lines_;               // header lines, each ended by NUL
  std::vector<curl_slist> fields_;  // points into lines_

  bool malformed_ = false;
  bool started_ = false;  // the first byte may have left
  bool withdrawn_ = false;
  bool repeated_ = false;      // libcurl wanted to send again
  bool refused_ = false;       // by the egress guard
  bool header_whole_ = false;  // the blank line of the last answer came
  bool cut_off_ = false;       // the answer was too long
  int socket_error_ = 0;       // errno of the last socket(2) that failed
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  std::string body_;
  std::optional<Instant> first_byte_at_;
};

}  // namespace cronally::net
