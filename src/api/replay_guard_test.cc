#include "api/replay_guard.h"

#include <gtest/gtest.h>

namespace cronally::api {
namespace {

using namespace std::chrono_literals;
using Verdict = ReplayGuard::Verdict;

constexpr SteadyInstant start{1h};

TEST(ReplayGuard, TakesARequestOnceUntilItsTimeIsOver) {
  ReplayGuard guard;
  EXPECT_EQ(Verdict::fresh, guard.take("a", start, start + 11min));
  EXPECT_EQ(Verdict::taken, guard.take("a", start + 10min, start + 21min));
  EXPECT_EQ(Verdict::fresh, guard.take("b", start, start + 11min));
  EXPECT_EQ(Verdict::fresh, guard.take("a", start + 11min, start + 22min));
  EXPECT_EQ(Verdict::taken, guard.take("a", start + 12min, start + 23min));
}

TEST(ReplayGuard, TakesAgainWhatItForgot) {
  ReplayGuard guard;
  EXPECT_EQ(Verdict::fresh, guard.take("a", start, start + 11min));
  guard.forget("a");
  EXPECT_EQ(Verdict::fresh, guard.take("a", start, start + 11min));
  EXPECT_EQ(Verdict::taken, guard.take("a", start, start + 11min));
  guard.forget("b");
}

TEST(ReplayGuard, IsBounded) {
  ReplayGuard guard;
  for (std::size_t i = 0; i < ReplayGuard::entries_max; ++i)
    ASSERT_EQ(Verdict::fresh, guard.take(std::to_string(i), start, start + 11min));
  EXPECT_EQ(Verdict::full, guard.take("one more", start, start + 11min));
  EXPECT_EQ(Verdict::taken, guard.take("5", start, start + 11min));
  EXPECT_EQ(Verdict::fresh, guard.take("one more", start + 11min, start + 22min));
}

}  // namespace
}  // namespace cronally::api
