// What a receiver answers, whatever it is, ends as one attempt: a known fate within the time-out,
// at most 64 KiB of its body, a Retry-After within a year, and a ledger entry that is JSON. A real
// client asks a listener on loopback that gives the input back and closes. Before that the reader
// of answers alone takes the input in whatever pieces, and means the same each time.
#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "base/check.h"
#include "core/manifest.h"
#include "delivery/http_deliverer.h"
#include "net/answer_reader.h"
#include "net/http_client.h"
#include "net/raw_socket_test.h"
#include "runtime/clock.h"

using namespace cronally;

namespace {

using namespace std::chrono_literals;

class Exchange {
 public:
  static Exchange& instance() {
    static Exchange only;
    return only;
  }

  Exchange() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 16);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    serving_ = std::thread{[this] { serve(); }};
  }
  ~Exchange() {
    ::shutdown(listener_, SHUT_RDWR);
    serving_.join();
    ::close(listener_);
  }

  net::HttpResult answer_with(std::string_view bytes) {
    {
      std::lock_guard lock{mutex_};
      answer_ = bytes;
      result_.reset();
    }
    std::vector<net::Submission> batch;
    batch.push_back(
        {.request = client_.written({.url = url_, .timeout = 2s, .fresh_connection = true})});
    client_.submit(std::move(batch), sink_);
    std::unique_lock lock{mutex_};
    CHECK(changed_.wait_for(lock, 5s, [this] { return result_.has_value(); }),
          "an attempt did not end in its time");
    return *std::move(result_);
  }

 private:
  // One connection after the other: each is one attempt, closed behind its answer.
  void serve() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      net::RawSocket socket{fd};
      socket.read_until("\r\n\r\n");
      std::string answer;
      {
        std::lock_guard lock{mutex_};
        answer = answer_;
      }
      socket.send(answer);
    }
  }

  runtime::SystemClock clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string answer_;
  std::optional<net::HttpResult> result_;
  std::shared_ptr<const net::HttpSink> sink_ =
      std::make_shared<const net::HttpSink>([this](std::vector<net::Finished>&& batch) {
        std::lock_guard lock{mutex_};
        CHECK(batch.size() == 1 && !result_, "an attempt ended twice");
        result_ = std::move(batch.front().result);
        changed_.notify_all();
      });
  const int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string url_;
  std::thread serving_;
  net::HttpClient client_{{.user_agent = "fuzz"}, clock_};
};

void check_ledger(core::AttemptResult result) {
  core::Run run;
  core::Attempt attempt;
  attempt.number = 1;
  attempt.result = std::move(result);
  run.attempts.push_back(std::move(attempt));
  for (const std::size_t limit : {0u, 1u, 1024u, 65536u}) {
    const std::string text = boost::json::serialize(core::write_run(run, limit));
    boost::system::error_code error;
    boost::json::parse(text, error);
    CHECK(!error, "a run in the ledger is no JSON");
  }
}

// The input in pieces of so many bytes, then the end.
net::AnswerReader read(std::string_view bytes, std::size_t piece) {
  using State = net::AnswerReader::State;
  net::AnswerReader reader;
  std::string kept;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    if (reader.state() == State::done || reader.state() == State::broken) break;
    kept += bytes.substr(at, piece);
    const std::size_t taken = reader.take(kept);
    CHECK(taken <= kept.size(), "the reader took more than there was");
    kept.erase(0, taken);
  }
  reader.end();
  CHECK(reader.state() == State::done || reader.state() == State::broken,
        "an answer has neither ended nor broken");
  return reader;
}

void check_reader(std::string_view bytes) {
  net::AnswerReader whole = read(bytes, std::max<std::size_t>(bytes.size(), 1));
  const bool broken = whole.state() == net::AnswerReader::State::broken;
  CHECK(broken == !whole.fault().empty(), "a fault without a reason, or a reason without a fault");
  CHECK(whole.body().size() <= net::response_kept_max, "too much of a body was kept");
  CHECK(broken || (whole.status() >= 100 && whole.status() <= 999), "a status of other digits");
  for (const std::size_t piece : {1u, 7u}) {
    net::AnswerReader sliced = read(bytes, piece);
    CHECK(sliced.state() == whole.state() && sliced.keep_alive() == whole.keep_alive(),
          "pieces change how an answer ends");
    CHECK(broken || (sliced.status() == whole.status() && sliced.body() == whole.body() &&
                     sliced.retry_after() == whole.retry_after() &&
                     sliced.truncated() == whole.truncated()),
          "pieces change what an answer says");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_reader(bytes);
  net::HttpResult result = Exchange::instance().answer_with(bytes);
  CHECK(result.body.size() <= net::response_kept_max, "too much of a body was kept");
  CHECK(result.fate == net::Fate::answered || result.fate == net::Fate::unknown,
        "a request that was sent has another fate");
  CHECK((result.status == 0) == (result.fate != net::Fate::answered), "a status without an answer");
  CHECK(!result.retry_after || (*result.retry_after >= 0s && *result.retry_after <= 365 * 24h),
        "a Retry-After is out of its bounds");
  CHECK(result.error.find_first_of("\r\n") == std::string::npos, "an error of two lines");
  check_ledger(delivery::attempt_result_of(std::move(result)));
  return 0;
}
