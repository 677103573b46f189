#include "runtime/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/log.h"

namespace cronally::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class HealthTest : public testing::Test {
 protected:
  std::vector<std::string> lines_;
  log::Capture capture_{[this](std::string_view line) { lines_.emplace_back(line); }};
  Health health_;
};

TEST_F(HealthTest, AnEmptyBoardIsNotReady) { EXPECT_FALSE(health_.readiness().ready); }

TEST_F(HealthTest, IsReadyWhenEveryComponentIsWell) {
  health_.expect("store");
  health_.ok("clock");
  EXPECT_FALSE(health_.readiness().ready);
  EXPECT_THAT(health_.readiness().items,
              ElementsAre(HealthItem{"clock", true}, HealthItem{"store", false, "starting"}));
  health_.ok("store");
  EXPECT_TRUE(health_.readiness().ready);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(HealthTest, TellsWhyAndUntilWhen) {
  const Instant later = instant_from_us(1'796'115'600'000'000);
  health_.ok("store");
  health_.failing("clock", "the wall clock went back by 1h", later);
  const auto readiness = health_.readiness();
  EXPECT_FALSE(readiness.ready);
  EXPECT_EQ(readiness.items[0],
            (HealthItem{"clock", false, "the wall clock went back by 1h", later}));
  health_.ok("clock");
  EXPECT_TRUE(health_.readiness().ready);
  EXPECT_EQ(health_.readiness().items[0], (HealthItem{"clock", true}));
}

TEST_F(HealthTest, WhatIsWellMayHaveSomethingToSay) {
  health_.ok("leases", "holds 21 of 64 shards");
  health_.ok("leases", "holds 22 of 64 shards");
  EXPECT_TRUE(health_.readiness().ready);
  EXPECT_EQ(health_.readiness().items[0], (HealthItem{"leases", true, "holds 22 of 64 shards"}));
  EXPECT_TRUE(lines_.empty());
}

TEST_F(HealthTest, LogsChangesOnly) {
  for (int i = 0; i < 3; ++i) health_.failing("store", "disk full");
  for (int i = 0; i < 3; ++i) health_.ok("store");
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_THAT(lines_[0], HasSubstr("component is failing component=store reason=\"disk full\""));
  EXPECT_THAT(lines_[1], HasSubstr("well again component=store"));
}

TEST_F(HealthTest, ExpectingDoesNotUndoAPost) {
  health_.ok("store");
  health_.expect("store");
  EXPECT_TRUE(health_.readiness().ready);
  health_.expect("clock");
  health_.remove("clock");
  health_.remove("never there");
  EXPECT_TRUE(health_.readiness().ready);
}

}  // namespace
}  // namespace cronally::runtime
