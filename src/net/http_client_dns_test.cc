// A name server that never answers must not stop the deliveries to everybody else. To show it,
// this file stands in for getaddrinfo(3): names that end in ".silent.test" are never resolved.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string_view>

#include "net/http_client.h"
#include "net/raw_socket_test.h"
#include "runtime/clock.h"

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

// Holds whoever asks for a silent name until it is opened.
struct Silence {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  int asking = 0;
};
Silence& silence() {
  static auto* const one = new Silence;  // outlives every resolver thread
  return *one;
}

void wait_in_silence() {
  Silence& it = silence();
  std::unique_lock lock{it.mutex};
  ++it.asking;
  it.changed.wait(lock, [&] { return it.over; });
  --it.asking;
  it.changed.notify_all();
}

}  // namespace
}  // namespace cronally::net

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  if (name != nullptr && std::string_view{name}.ends_with(".silent.test")) {
    cronally::net::wait_in_silence();
    return EAI_AGAIN;
  }
  static const auto real =
      reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(name, service, hints, result);
}

namespace cronally::net {
namespace {

TEST(HttpClientDns, ASilentNameServerDelaysNobodyElse) {
  RawListener listener{[](RawSocket socket, int) {
    while (!socket.read_answer().empty()) {
      socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  }};
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, HttpResult> results;
  auto sink = std::make_shared<const HttpSink>([&](std::vector<Finished>&& batch) {
    std::lock_guard lock{mutex};
    for (Finished& each : batch) results[each.tag] = std::move(each.result);
    changed.notify_all();
  });
  const auto wait = [&](std::uint64_t tag) {
    std::unique_lock lock{mutex};
    EXPECT_TRUE(changed.wait_for(lock, 5s, [&] { return results.contains(tag); })) << tag;
    return results[tag];
  };
  const runtime::SystemClock clock;
  {
    HttpClient client{{}, clock};
    const auto submit = [&](std::uint64_t tag, std::string url, Duration timeout) {
      std::vector<Submission> batch;
      batch.push_back(
          {.tag = tag, .request = client.written({.url = std::move(url), .timeout = timeout})});
      client.submit(std::move(batch), sink);
    };
    submit(1, "http://a.silent.test/", 30ms);
    submit(2, "http://b.silent.test/", 60s);  // under way when the client ends
    EXPECT_EQ(wait(1).fate, Fate::not_sent) << "given up while its thread still asks";
    submit(3, listener.url(), 5s);
    EXPECT_EQ(wait(3).fate, Fate::answered);
  }
  EXPECT_EQ(wait(2).fate, Fate::not_sent);
  Silence& it = silence();
  std::unique_lock lock{it.mutex};
  it.over = true;
  it.changed.notify_all();
  EXPECT_TRUE(it.changed.wait_for(lock, 5s, [&] { return it.asking == 0; }));
}

}  // namespace
}  // namespace cronally::net
