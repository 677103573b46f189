#include "core/cluster_time.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant noon = instant_from_us(1'780'000'000'000'000);

SteadyInstant steady(Duration at) { return SteadyInstant{at}; }

TEST(ClusterTime, IsUnknownBeforeTheFirstSample) {
  ClusterTime time;
  EXPECT_FALSE(time.at(steady(1s)));
  EXPECT_EQ(time.error(steady(1s)), Duration::max());
}

TEST(ClusterTime, TakesTheMiddleOfTheRoundTrip) {
  ClusterTime time;
  time.add(steady(10s), steady(10s + 20ms), noon);
  EXPECT_EQ(time.at(steady(10s + 510ms)), noon + 500ms);
  EXPECT_EQ(time.error(steady(10s + 510ms)), 10ms + 53us);
}

TEST(ClusterTime, GoesByTheSmallestRoundTripOfTheLastMinute) {
  ClusterTime time;
  time.add(steady(0s), steady(2ms), noon);
  time.add(steady(10s), steady(10s + 40ms), noon + 10s + 39ms);
  EXPECT_EQ(time.at(steady(20s + 1ms)), noon + 20s);
  time.add(steady(30s), steady(30s + 1ms), noon + 30s);
  EXPECT_EQ(time.at(steady(40s)), noon + 40s - 500us) << "a better one counts at once";
}

TEST(ClusterTime, ForgetsASampleAfterAMinute) {
  ClusterTime time;
  time.add(steady(0s), steady(2ms), noon);
  time.add(steady(59s), steady(59s + 40ms), noon + 59s + 30ms);
  EXPECT_EQ(time.error(steady(59s + 20ms)), 1ms + 5'904us);
  time.add(steady(61s), steady(61s + 60ms), noon + 61s + 30ms);
  EXPECT_EQ(time.error(steady(61s)), 20ms + 202us) << "that of second 59";
}

TEST(ClusterTime, BeginsAnewWhenASampleDisagrees) {
  ClusterTime time;
  time.add(steady(0s), steady(2ms), noon);
  time.add(steady(10s), steady(10s + 40ms), noon + 10s + 20ms + 41ms);
  EXPECT_EQ(time.at(steady(10s + 20ms)), noon + 10s + 19ms + 42ms - 0ms)
      << "within its round trip and the drift: the kept one holds";
  time.add(steady(20s), steady(20s + 40ms), noon + 1h);
  EXPECT_EQ(time.at(steady(20s + 20ms)), noon + 1h) << "the store's clock was stepped";
  time.add(steady(21s), steady(21s + 40ms), noon + 21s);
  EXPECT_EQ(time.at(steady(21s + 20ms)), noon + 21s) << "and back";
}

TEST(ClusterTime, IsNeverFurtherOffThanItSays) {
  const bool holds = rc::check("within error()", [] {
    // The node's steady clock runs up to 90 ppm fast or slow; answers take uneven ways.
    const std::int64_t ppm = *rc::gen::inRange(-90, 91);
    const auto shown = [&](Duration at) { return steady(at + at * ppm / 1'000'000); };
    ClusterTime time;
    Duration at = 1s;
    const auto steps = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::tuple<int, int, int>>>(rc::gen::tuple(
            rc::gen::inRange(0, 20'000), rc::gen::inRange(0, 800), rc::gen::inRange(0, 800))));
    for (const auto& [wait, there, back] : steps) {
      at += std::chrono::milliseconds{wait};
      const Duration asked = at;
      const Instant store = noon + (at += std::chrono::milliseconds{there});
      at += std::chrono::milliseconds{back};
      time.add(shown(asked), shown(at), store);
      for (const Duration later : {Duration{0}, Duration{30s}}) {
        const Duration apart = std::chrono::abs(*time.at(shown(at + later)) - (noon + at + later));
        RC_ASSERT(apart <= time.error(shown(at + later)) + 2us);
      }
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace cronally::core
