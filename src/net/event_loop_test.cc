#include "net/event_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

struct Letter final : Timer {
  Letter(std::string& to, char what) : out(to), letter(what) {}
  void on_time() override { out += letter; }
  std::string& out;
  char letter;
};

TEST(EventLoop, TimesComeInTheirOrderAndOnce) {
  EventLoop loop;
  std::string out;
  Letter a{out, 'a'}, b{out, 'b'}, c{out, 'c'}, d{out, 'd'};
  const SteadyInstant now = loop.now();
  loop.set(c, now + 3ms);
  loop.set(a, now + 1h);
  loop.set(b, now + 2ms);
  loop.set(a, now + 1ms);  // set anew
  loop.set(d, now + 1ms);
  loop.cancel(d);
  {
    Letter gone{out, 'x'};
    loop.set(gone, now + 1ms);
  }
  for (int i = 0; out.size() < 3 && i < 100; ++i) {
    loop.wait();
    loop.fire_timers();
  }
  EXPECT_EQ(out, "abc");
  EXPECT_GE(loop.now(), now + 3ms);
}

TEST(EventLoop, AnybodyWakesItAndNoWakeUpIsLost) {
  EventLoop loop;
  loop.wake();
  loop.wait();  // returns at once
  std::thread other{[&] { loop.wake(); }};
  loop.wait();
  other.join();
}

struct Told final : Watcher {
  void on_ready(Ready ready) override { seen = ready, ++times; }
  Ready seen;
  int times = 0;
};

TEST(EventLoop, ASocketTellsOfEachChangeOnce) {
  EventLoop loop;
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  Told first, second;
  ASSERT_TRUE(loop.add(pair[0], first));
  loop.wait();
  EXPECT_TRUE(first.seen.out && !first.seen.in && !first.seen.closed);
  ASSERT_EQ(::write(pair[1], "x", 1), 1);
  loop.wait();
  EXPECT_TRUE(first.seen.in && !first.seen.closed);
  loop.wake();
  loop.wait();
  EXPECT_EQ(first.times, 2) << "what was told is not told again";
  loop.hand_over(pair[0], second);
  loop.wait();
  EXPECT_TRUE(second.seen.in) << "but to another watcher it is";
  ::close(pair[1]);
  loop.wait();
  EXPECT_TRUE(second.seen.closed);
  EXPECT_EQ(first.times, 2);
  ::close(pair[0]);
}

}  // namespace
}  // namespace cronally::net
