#include "scheduler/refusal_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cronally::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Refusals : public ::testing::Test {
 protected:
  static core::BatchFate refused() { return core::BatchRefused{{"unavailable", "it is away"}}; }
  static core::BatchFate committed() { return core::BatchCommitted{}; }
  static core::BatchFate unknown() { return core::BatchUnknown{}; }

  std::vector<std::string> lines;
  runtime::log::Capture capture{[this](std::string_view line) { lines.emplace_back(line); }};
  RefusalLog log;
};

TEST_F(Refusals, AreSaidOnceHoweverOftenTheBatchIsRepeated) {
  for (int tries = 0; tries < 50; ++tries) {
    log.note(true, refused());
    log.note(false, refused());
    log.note(true, unknown());
  }
  EXPECT_THAT(lines, ElementsAre(HasSubstr("it is away")));
}

TEST_F(Refusals, AreSaidToBeOverWhenAllThatWasRefusedIsCommitted) {
  log.note(true, refused());
  log.note(false, refused());
  log.note(true, committed());
  log.note(true, committed());
  EXPECT_EQ(lines.size(), 1U) << "the other kind is refused yet";
  log.note(false, committed());
  log.note(false, committed());
  EXPECT_THAT(lines, ElementsAre(HasSubstr("refused"), HasSubstr("again")));
  log.note(true, refused());
  EXPECT_EQ(lines.size(), 3U) << "another outage";
}

TEST_F(Refusals, AreNotSaidWhereThereAreNone) {
  log.note(true, committed());
  log.note(false, unknown());
  EXPECT_THAT(lines, IsEmpty());
}

}  // namespace
}  // namespace cronally::scheduler
