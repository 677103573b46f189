// The receiver of `cronally bench`: answers 200 to every request at once, and notes how long after
// its Cronally-Scheduled-At each one arrived. One thread, epoll, 127.0.0.1: as little work for a
// request as can be, so that what is measured is the server.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "runtime/clock.h"
#include "runtime/files.h"

namespace cronally::cli {

struct Arrival {
  Instant scheduled_at;
  Instant at;
};

class BenchReceiver {
 public:
  explicit BenchReceiver(const runtime::Clock& clock) : clock_(clock) {}
  ~BenchReceiver();  // ends its thread
  BenchReceiver(const BenchReceiver&) = delete;
  BenchReceiver& operator=(const BenchReceiver&) = delete;

  // Listens on a free port and starts. Once only. Error "cannot_listen".
  Result<void> start();

  // "http://127.0.0.1:PORT/"
  std::string url() const;

  // Requests so far; any thread.
  std::int64_t count() const { return count_.load(std::memory_order_acquire); }

  // Ends the thread and gives what arrived, in order.
  std::vector<Arrival> stop();

 private:
  void run();
  void accept_all();
  bool serve(int fd);  // false: the connection is over
  void take(std::string_view head);

  const runtime::Clock& clock_;
  runtime::Fd listener_;
  runtime::Fd epoll_;
  runtime::Fd wake_;
  std::uint16_t port_ = 0;
  std::unordered_map<int, std::pair<runtime::Fd, std::string>> connections_;  // and what was read
  std::vector<Arrival> arrivals_;
  std::atomic<std::int64_t> count_ = 0;
  std::thread thread_;
};

// The length of the first request in `text`, 0 when it is not all there. Only what our own server
// sends is understood: a Content-Length, or none and no body.
std::size_t request_length(std::string_view text);

// The value of a header field of a request's head, without the blanks around it; empty when there
// is none. `name` in lower case.
std::string_view header_value(std::string_view head, std::string_view name);

}  // namespace cronally::cli
