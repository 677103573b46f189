#include "cli/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace cronally::cli {
namespace {

TEST(Progress, DrawsOnALineOfItsOwnAndWipesIt) {
  std::ostringstream out;
  {
    Progress progress(out, true, "applying", 4000);
    progress.show(1000);
    progress.show(5000);
  }
  EXPECT_EQ(out.str(),
            "\rapplying [....................] 0/4000"
            "\rapplying [#####...............] 1000/4000"
            "\rapplying [####################] 5000/4000"
            "\r\x1b[K");
}

TEST(Progress, SaysNothingElsewhere) {
  std::ostringstream out;
  {
    Progress(out, false, "applying", 4000).show(1000);
  }
  {
    Progress(out, true, "applying", 1).show(1);
  }
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace cronally::cli
