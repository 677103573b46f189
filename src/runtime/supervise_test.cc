#include "runtime/supervise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stdexcept>

#include "base/error.h"
#include "runtime/log.h"
#include "runtime/metrics.h"

namespace cronally::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Pauses short enough for a test, and a body that never counts as recovered by lasting.
constexpr RestartPolicy quick{.pause_min = 1ms, .pause_max = 2ms, .settle = 1h};

class SuperviseTest : public testing::Test {
 protected:
  std::vector<std::string> lines_;
  log::Capture capture_{[this](std::string_view line) { lines_.emplace_back(line); }};
  Health health_;
  Metrics metrics_;
};

void until_stopped(const std::stop_token& stop) {
  while (wait_or_stop(stop, 1h)) {
  }
}

TEST_F(SuperviseTest, RunsBodiesUntilTheyAreStopped) {
  std::atomic<int> ended = 0;
  std::latch started{3};
  Supervisor supervisor{health_};
  for (const char* name : {"one", "two", "three"}) {
    supervisor.spawn(name, [&](std::stop_token stop) {
      started.count_down();
      until_stopped(stop);
      ++ended;
    });
  }
  started.wait();
  EXPECT_EQ(ended, 0);
  supervisor.stop_and_join();
  EXPECT_EQ(ended, 3);
  supervisor.stop_and_join();
  EXPECT_TRUE(health_.readiness().ready);
}

TEST_F(SuperviseTest, RestartsABodyAfterAnOutage) {
  int tries = 0;
  std::latch recovered{1};
  Supervisor supervisor{health_, &metrics_, quick};
  supervisor.spawn("writer", [&](std::stop_token stop) {
    if (++tries < 3) throw Unavailable("the database is gone");
    recovered.count_down();
    until_stopped(stop);
  });
  recovered.wait();
  // Not yet well: the body has not lasted for `settle`.
  EXPECT_THAT(health_.readiness().items,
              testing::ElementsAre(HealthItem{"writer", false, "the database is gone"}));
  supervisor.stop_and_join();
  EXPECT_EQ(tries, 3);
  EXPECT_TRUE(health_.readiness().ready);
  EXPECT_EQ(metrics_.counter(metric::loop_restarts_total, {{"loop", "writer"}}).value(), 2U);
  EXPECT_THAT(lines_[0], HasSubstr("loop=writer failures=1 reason=\"the database is gone\""));
}

TEST_F(SuperviseTest, ABodyThatLastsIsWellAgain) {
  int tries = 0;
  std::latch well{1};
  RestartPolicy policy = quick;
  policy.settle = 1ms;
  Supervisor supervisor{health_, nullptr, policy};
  supervisor.spawn("writer", [&](std::stop_token stop) {
    if (++tries == 1) throw Unavailable("down");
    while (!health_.readiness().ready && wait_or_stop(stop, 1ms)) {
    }
    well.count_down();
    until_stopped(stop);
  });
  well.wait();
  EXPECT_TRUE(health_.readiness().ready);
}

TEST_F(SuperviseTest, StopsDuringAPause) {
  std::latch failed{1};
  Supervisor supervisor{health_, nullptr, {.pause_min = 1h, .pause_max = 2h, .settle = 1h}};
  supervisor.spawn("writer", [&](std::stop_token) {
    failed.count_down();
    throw Unavailable("down");
  });
  failed.wait();
  supervisor.stop_and_join();  // returns at once, or the test hangs
}

TEST_F(SuperviseTest, AnOutageWhileStoppingIsNoNews) {
  std::latch started{1};
  {
    Supervisor supervisor{health_, nullptr, quick};
    supervisor.spawn("writer", [&](std::stop_token stop) {
      started.count_down();
      until_stopped(stop);
      throw Unavailable("closed under my hands");
    });
    started.wait();
  }
  EXPECT_TRUE(health_.readiness().ready);
  EXPECT_TRUE(lines_.empty());
}

TEST(SuperviseDeathTest, AnythingElseThrownIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    Health health;
    Supervisor supervisor{health};
    supervisor.spawn("writer", [](std::stop_token) { throw std::logic_error("oops"); });
    supervisor.stop_and_join();
  };
  EXPECT_DEATH(run(), "loop=writer reason=oops");
}

TEST(RestartPause, DoublesUpToItsCap) {
  const RestartPolicy policy{.pause_min = 100ms, .pause_max = 10s};
  const double almost = 0.999999;
  EXPECT_NEAR(static_cast<double>(restart_pause(policy, 1, almost).count()), 100e3, 1);
  EXPECT_NEAR(static_cast<double>(restart_pause(policy, 2, almost).count()), 200e3, 1);
  EXPECT_NEAR(static_cast<double>(restart_pause(policy, 7, almost).count()), 6400e3, 10);
  EXPECT_NEAR(static_cast<double>(restart_pause(policy, 8, almost).count()), 10e6, 20);
  EXPECT_NEAR(static_cast<double>(restart_pause(policy, 1'000'000, almost).count()), 10e6, 20);
}

TEST(RestartPause, IsSpreadAndNeverZero) {
  const RestartPolicy policy{.pause_min = 100ms, .pause_max = 10s};
  EXPECT_EQ(restart_pause(policy, 5, 0.5), 800ms);
  EXPECT_EQ(restart_pause(policy, 5, 0.0), 50ms);
  EXPECT_EQ(restart_pause(policy, 0, 0.0), 50ms);
}

TEST_F(SuperviseTest, WorkApartOutlivesWhoStartedIt) {
  auto begun = std::make_shared<std::latch>(1);
  auto ended = std::make_shared<std::latch>(1);
  ASSERT_TRUE(spawn_apart("apart", [begun, ended] {
    begun->wait();
    ended->count_down();
  }));
  EXPECT_FALSE(ended->try_wait());
  begun->count_down();
  ended->wait();
}

}  // namespace
}  // namespace cronally::runtime
