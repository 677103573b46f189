#include "scheduler/overdue_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include "scheduler/fake_spine_test.h"

namespace cronally::scheduler {
namespace {

using namespace std::chrono_literals;

TEST(OverdueWatch, JudgesByWhatIsFurtherBehind) {
  const struct {
    Duration planning;
    Duration sending;
    Duration overdue;
  } rows[] = {
      {0s, 0s, 0s}, {2s, 0s, 0s},  // a cursor may be so old where nothing is due
      {9s, 0s, 7s},                // and so may it be where something is: that much is not known
      {9s, 8s, 8s}, {0s, 100ms, 100ms},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(OverdueWatch::overdue({row.planning, row.sending}, 2s), row.overdue);
  }
}

// A run that was put back late is nobody's until its owner reads once more.
TEST(OverdueWatch, TellsNowAndThenThatRunsAreOverlooked) {
  runtime::ManualClock clock{instant_from_us(1'780'000'000'000'000)};
  FakeSpine spine{clock};
  runtime::Health health;
  runtime::Metrics metrics;
  int told = 0;
  OverdueWatch watch({.spine = spine,
                      .health = health,
                      .metrics = metrics,
                      .cursor_age_max = 60s,
                      .behind_max = 10s,
                      .overlooked = [&] { ++told; }});
  const auto look = [&](store::Behind behind, int times) {
    spine.behind_now = behind;
    for (int i = 0; i < times; ++i) watch.look();
    return std::exchange(told, 0);
  };
  EXPECT_EQ(look({.planning = 90s, .sending = 10s}, 9), 0);
  EXPECT_EQ(look({.sending = 11s}, 1), 1);
  EXPECT_EQ(look({.sending = 13s}, 4), 0);
  EXPECT_EQ(look({.sending = 21s}, 5), 1);
  EXPECT_EQ(look({}, 1), 0);
  EXPECT_EQ(look({.sending = 11s}, 1), 1);
}

}  // namespace
}  // namespace cronally::scheduler
