// A client under test and what became of its requests.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http_client.h"
#include "net/raw_socket_test.h"
#include "runtime/clock.h"

namespace cronally::net {

using namespace std::chrono_literals;

inline constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// A client and all that finished, by tag.
class Sending {
 public:
  explicit Sending(HttpClientOptions options = {}) : client(std::move(options), clock) {}

  void submit(HttpRequest request, std::shared_ptr<SendGate> gate = nullptr) {
    std::vector<Submission> batch;
    batch.push_back(
        {.tag = next_++, .request = client.written(std::move(request)), .gate = std::move(gate)});
    client.submit(std::move(batch), sink_);
  }
  HttpResult wait(std::uint64_t tag) {
    std::unique_lock lock{mutex_};
    EXPECT_TRUE(changed_.wait_for(lock, 10s, [&] { return results_.contains(tag); }));
    return results_[tag];
  }
  HttpResult exchange(HttpRequest request, std::shared_ptr<SendGate> gate = nullptr) {
    const std::uint64_t tag = next_;
    submit(std::move(request), std::move(gate));
    return wait(tag);
  }

  runtime::SystemClock clock;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, HttpResult> results_;
  std::uint64_t next_ = 0;
  std::shared_ptr<const HttpSink> sink_ =
      std::make_shared<const HttpSink>([this](std::vector<Finished>&& batch) {
        std::lock_guard lock{mutex_};
        for (Finished& finished : batch) {
          EXPECT_FALSE(results_.contains(finished.tag)) << "told twice";
          results_[finished.tag] = std::move(finished.result);
        }
        changed_.notify_all();
      });

 public:
  HttpClient client;  // last: it tells the sink until it is gone
};

// Reads one request with Content-Length or without a body.
inline std::string read_request(RawSocket& socket) { return socket.read_answer(); }

// Answers every request of every connection with `answer`.
inline RawListener::Serve answering(std::string answer) {
  return [answer = std::move(answer)](RawSocket socket, int) {
    while (!read_request(socket).empty()) socket.send(answer);
  };
}

}  // namespace cronally::net
