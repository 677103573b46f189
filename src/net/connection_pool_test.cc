#include "net/connection_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

#include "net/raw_socket_test.h"

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

// A pool on a loop that the test itself turns.
class Pooling {
 public:
  explicit Pooling(PoolOptions options)
      : pool_(loop_, clock_, tls_, options,
              [this](Exchange&, Ending ending) { ended_ = ending.fate; }) {}

  Fate exchange(std::string_view url, bool fresh = false) {
    Exchange exchange;
    exchange.wire = "GET / HTTP/1.1\r\n\r\n";
    exchange.timeout = 10s;
    exchange.fresh = fresh;
    EXPECT_TRUE(pool_.enter(exchange, url));
    pool_.start(exchange);
    pool_.turn();
    for (int i = 0; !ended_ && i < 10'000; ++i) turn_once();
    EXPECT_TRUE(ended_);
    return std::exchange(ended_, std::nullopt).value_or(Fate::withdrawn);
  }
  void turn_once() {
    loop_.wait();
    loop_.fire_timers();
    pool_.turn();
  }
  std::uint64_t opened() const { return pool_.opened(); }

 private:
  runtime::SystemClock clock_;
  EventLoop loop_;
  const Result<std::shared_ptr<const TlsContext>> tls_ =
      fail("no_certificates", "none in this test");
  std::optional<Fate> ended_;
  ConnectionPool pool_;
};

TEST(ConnectionPool, AnIdleConnectionClosesAtItsAge) {
  std::atomic<int> closed = 0;
  RawListener listener{[&](RawSocket socket, int) {
    while (!socket.read_answer().empty()) socket.send("HTTP/1.1 204 No Content\r\n\r\n");
    ++closed;
  }};
  Pooling pooling{{.idle_age_max = 20ms}};
  EXPECT_EQ(pooling.exchange(listener.url()), Fate::answered);
  EXPECT_EQ(pooling.exchange(listener.url()), Fate::answered);
  pooling.turn_once();  // nothing else to do: it waits for the age
  while (closed == 0) std::this_thread::yield();
  EXPECT_EQ(pooling.opened(), 1u);
  EXPECT_EQ(pooling.exchange(listener.url()), Fate::answered);
  EXPECT_EQ(pooling.opened(), 2u);
}

TEST(ConnectionPool, WhatIsFreshIsNeitherReusedNorKept) {
  RawListener listener{[&](RawSocket socket, int) {
    while (!socket.read_answer().empty()) socket.send("HTTP/1.1 204 No Content\r\n\r\n");
  }};
  Pooling pooling{{}};
  for (const bool fresh : {false, true, true, false}) {
    EXPECT_EQ(pooling.exchange(listener.url(), fresh), Fate::answered);
  }
  EXPECT_EQ(pooling.opened(), 3u);
}

TEST(ConnectionPool, WhatTheKernelTookNoByteOfWasNotSent) {
  std::atomic<bool> heard = false, reset = false;
  RawListener rude{[&](RawSocket socket, int) {
    socket.read_answer();
    socket.send("HTTP/1.1 204 No Content\r\n\r\n");
    while (!heard) std::this_thread::yield();
    socket.reset();
    reset = true;
  }};
  Pooling pooling{{}};
  EXPECT_EQ(pooling.exchange(rude.url()), Fate::answered);
  heard = true;
  while (!reset) std::this_thread::yield();
  // The loop has not heard of it yet; the kernel has.
  EXPECT_EQ(pooling.exchange(rude.url()), Fate::not_sent);
}

TEST(ConnectionPool, WithoutCertificatesToTrustNothingIsSent) {
  RawListener listener{[&](RawSocket socket, int) { socket.read_all(); }};
  Pooling pooling{{}};
  std::string url = listener.url();
  EXPECT_EQ(pooling.exchange(url.replace(0, 4, "https")), Fate::not_sent);
}

}  // namespace
}  // namespace cronally::net
