#include "runtime/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/text.h"
#include "runtime/clock_manual.h"
#include "runtime/deadline.h"
#include "runtime/test_directory.h"

namespace cronally::runtime {
namespace {

using namespace std::chrono_literals;

TEST(SystemClock, TheSteadyClockNeverGoesBack) {
  const SystemClock clock;
  SteadyInstant last = clock.steady();
  for (int i = 0; i < 1000; ++i) {
    const SteadyInstant next = clock.now().steady;
    ASSERT_GE(next, last);
    last = next;
  }
}

TEST(SystemClock, TheWallClockIsOfThisCentury) {
  const SystemClock clock;
  EXPECT_GT(clock.wall(), *parse_instant("2025-01-01T00:00:00Z"));
  EXPECT_LT(clock.wall(), instant_max);
}

TEST(SystemClock, NamesTheBootItsSteadyTimeCountsFrom) {
  EXPECT_THAT(SystemClock{}.boot(), testing::SizeIs(36)) << "a UUID of the kernel";
  EXPECT_EQ(SystemClock{}.boot(), SystemClock{}.boot());
}

#ifdef CRONALLY_TEST_HOOKS
TEST(SystemClock, TheTestHookShiftsTheWallClockOnly) {
  const SystemClock plain;
  for (const auto& [text, shift] : {std::pair{"2h", 120min}, std::pair{"-90m", -90min}}) {
    ::setenv("CRONALLY_TEST_CLOCK_OFFSET", text, 1);
    const SystemClock shifted;
    ::unsetenv("CRONALLY_TEST_CLOCK_OFFSET");
    const Now before = plain.now();
    const Now there = shifted.now();
    const Now after = plain.now();
    EXPECT_GE(there.wall, before.wall + shift);
    EXPECT_LE(there.wall, after.wall + shift + 1s);
    EXPECT_GE(there.steady, before.steady);
    EXPECT_LE(there.steady, after.steady);
  }
}

TEST(SystemClock, AFileMovesItsClocksWhileTheyRun) {
  const TestDirectory directory;
  const auto file = directory.path() / "clock";
  const auto write = [&](const char* words) {
    std::ofstream(file.string() + ".new") << words;
    std::filesystem::rename(file.string() + ".new", file);
    std::this_thread::sleep_for(5ms);  // it is looked at every 2 ms
  };
  write("");
  ::setenv("CRONALLY_TEST_CLOCK_FILE", file.c_str(), 1);
  const SystemClock clock;
  const SystemClock plain{SystemClock::Hooks::ignore};
  ::unsetenv("CRONALLY_TEST_CLOCK_FILE");
  const auto ahead = [&] {
    const Now there = clock.now();
    const Now here = plain.now();
    return std::pair{there.wall - here.wall, there.steady - here.steady};
  };
  const auto near = [](Duration found, Duration wanted) {
    return found <= wanted && found > wanted - 1s;
  };
  EXPECT_TRUE(near(ahead().first, 0s));
  write("offset=-1h");
  EXPECT_TRUE(near(ahead().first, -1h));
  EXPECT_TRUE(near(ahead().second, 0s));
  write("ahead=10m");
  EXPECT_TRUE(near(ahead().first, 10min));
  EXPECT_TRUE(near(ahead().second, 10min));
  write("rate=1000");
  (void)ahead();  // from here on
  EXPECT_EQ(clock.sleep_for(2s), 2ms);
  std::this_thread::sleep_for(5ms);
  const auto [wall, steady] = ahead();
  EXPECT_GT(steady, 1s) << "5 ms and more, a thousand times as fast";
  write("");
  EXPECT_GE(ahead().second, steady) << "what has passed has passed";
}
#endif

TEST(ManualClock, StandsStillUntilItIsMoved) {
  const Instant start = *parse_instant("2026-03-29T00:59:59Z");
  ManualClock clock{start};
  const SteadyInstant steady = clock.steady();
  EXPECT_EQ(clock.wall(), start);
  clock.advance(1s);
  EXPECT_EQ(clock.wall(), start + 1s);
  EXPECT_EQ(clock.steady(), steady + 1s);
  clock.step_wall(-1h);
  EXPECT_EQ(clock.wall(), start + 1s - 1h);
  EXPECT_EQ(clock.steady(), steady + 1s);
}

TEST(Deadline, RemainsUntilItHasPassed) {
  const SteadyInstant now{1h};
  const auto deadline = Deadline::after(now, 2s);
  EXPECT_EQ(deadline.remaining(now), 2s);
  EXPECT_EQ(deadline.remaining(now + 1999ms), 1ms);
  EXPECT_FALSE(deadline.passed(now + 1999999us));
  EXPECT_TRUE(deadline.passed(now + 2s));
  EXPECT_EQ(deadline.remaining(now + 1h), 0s);
  EXPECT_LT(deadline, Deadline::after(now, 3s));
}

TEST(DeadlineScope, IsOfItsThreadAndEndsWithTheBlock) {
  const Deadline outer{SteadyInstant{1h}};
  const Deadline inner{SteadyInstant{2h}};
  EXPECT_EQ(DeadlineScope::current(), std::nullopt);
  {
    const DeadlineScope scope(outer);
    {
      const DeadlineScope within(inner);
      EXPECT_EQ(DeadlineScope::current(), inner);
    }
    EXPECT_EQ(DeadlineScope::current(), outer);
    std::thread([] { EXPECT_EQ(DeadlineScope::current(), std::nullopt); }).join();
  }
  EXPECT_EQ(DeadlineScope::current(), std::nullopt);
}

}  // namespace
}  // namespace cronally::runtime
