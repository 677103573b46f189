#include "scheduler/overdue_watch.h"

#include <gtest/gtest.h>

#include <chrono>

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

}  // namespace
}  // namespace cronally::scheduler
