// bare_post: the peer beside which Cronally's figures stand. It posts to a receiver with
// libcurl and nothing else: no schedule, no claim, no ledger.
//
//   bare_post --url URL --requests 10000 --connections 64          all at once: how long
//   bare_post --url URL --requests 10000 --connections 64 --gap 1ms  one each gap: how late
//
// Each request carries as many bytes as a delivery and names the instant it was due in
// Cronally-Scheduled-At, so that the receiver's log tells its lateness in the same way. Prints one
// JSON line: requests, failed, seconds (first send to last answer).
#include <curl/curl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "runtime/clock.h"

namespace cronally::bench {
namespace {

struct Options {
  std::string url;
  int requests = 10'000;
  int connections = 64;
  Duration gap{};
};

std::size_t ignore(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// One handle of the pool, with the headers of its present request.
struct Slot {
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
};

class Poster {
 public:
  explicit Poster(const Options& options) : options_(options), multi_(curl_multi_init()) {
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options.connections));
    slots_.resize(static_cast<std::size_t>(options.connections));
    for (Slot& slot : slots_) {
      prepare(slot);
      idle_.push_back(&slot);
    }
  }

  ~Poster() {
    for (const Slot& slot : slots_) {
      curl_slist_free_all(slot.headers);
      curl_easy_cleanup(slot.easy);
    }
    curl_multi_cleanup(multi_);
  }

  Poster(const Poster&) = delete;
  Poster& operator=(const Poster&) = delete;

  // Sends everything; returns the number of failed requests.
  int run() {
    start_ = clock_.wall();
    while (done_ < options_.requests) {
      send_what_is_due();
      int running = 0;
      curl_multi_perform(multi_, &running);
      take_answers();
      if (done_ < options_.requests) curl_multi_poll(multi_, nullptr, 0, wait_ms(), nullptr);
    }
    return failed_;
  }

 private:
  void prepare(Slot& slot) {
    slot.easy = curl_easy_init();
    curl_easy_setopt(slot.easy, CURLOPT_URL, options_.url.c_str());
    curl_easy_setopt(slot.easy, CURLOPT_POSTFIELDS, body_.c_str());
    curl_easy_setopt(slot.easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(slot.easy, CURLOPT_PRIVATE, &slot);
    curl_easy_setopt(slot.easy, CURLOPT_PROXY, "");
    curl_easy_setopt(slot.easy, CURLOPT_NOSIGNAL, 1L);
  }

  Instant due(int number) const { return start_ + options_.gap * number; }

  void send_what_is_due() {
    const Instant now = clock_.wall();
    while (sent_ < options_.requests && !idle_.empty() && due(sent_) <= now) {
      send(*idle_.back(), due(sent_));
      idle_.pop_back();
      ++sent_;
    }
  }

  void send(Slot& slot, Instant at) {
    curl_slist_free_all(slot.headers);
    slot.headers = nullptr;
    for (const std::string& header :
         {"Cronally-Scheduled-At: " + format_instant(at), "Cronally-Run: " + std::string(36, '0'),
          "Cronally-Job: " + std::string(36, '0'), "webhook-id: " + std::string(36, '0'),
          "Idempotency-Key: " + std::string(36, '0'), "webhook-signature: " + std::string(47, 'x'),
          "traceparent: " + std::string(55, '0'), std::string("Content-Type: application/json")}) {
      slot.headers = curl_slist_append(slot.headers, header.c_str());
    }
    curl_easy_setopt(slot.easy, CURLOPT_HTTPHEADER, slot.headers);
    curl_multi_add_handle(multi_, slot.easy);
  }

  void take_answers() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Slot* slot = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
      if (message->data.result != CURLE_OK) ++failed_;
      curl_multi_remove_handle(multi_, slot->easy);
      idle_.push_back(slot);
      ++done_;
    }
  }

  int wait_ms() const {
    if (sent_ == options_.requests || idle_.empty()) return 1000;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due(sent_) - clock_.wall());
    return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1000));
  }

  const Options& options_;
  const std::string body_ = std::string(200, 'b');  // about the size of the default body
  runtime::SystemClock clock_;
  CURLM* multi_;
  std::vector<Slot> slots_;
  std::vector<Slot*> idle_;
  Instant start_;
  int sent_ = 0;
  int done_ = 0;
  int failed_ = 0;
};

int post(const Options& options) {
  const runtime::SystemClock clock;
  Poster poster(options);
  const SteadyInstant begun = clock.steady();
  const int failed = poster.run();
  const std::chrono::duration<double> took = clock.steady() - begun;
  fmt::print("{{\"requests\":{},\"failed\":{},\"seconds\":{:.4f}}}\n", options.requests, failed,
             took.count());
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cronally::bench

int main(int argc, char** argv) {
  CLI::App app{"Posts to a receiver with libcurl and nothing else: a peer to measure beside."};
  cronally::bench::Options options;
  std::string gap = "0s";
  app.add_option("--url", options.url)->required();
  app.add_option("--requests", options.requests)->check(CLI::Range(1, 10'000'000));
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 4096));
  app.add_option("--gap", gap, "between two instants, for example 1ms");
  CLI11_PARSE(app, argc, argv);
  const auto parsed = cronally::parse_duration(gap);
  if (!parsed) {
    fmt::print(stderr, "bare_post: {}\n", parsed.error().message);
    return 2;
  }
  options.gap = *parsed;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  const int status = cronally::bench::post(options);
  curl_global_cleanup();
  return status;
}
