#include "cli/bench_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cronally::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<Duration> one_to(int last) {
  std::vector<Duration> values;
  for (int value = last; value >= 1; --value) values.emplace_back(value);
  return values;
}

TEST(BenchFigures, LatenessIsTheMiddleTheNinetyNinthAndTheWorst) {
  const auto hundred = lateness_of(one_to(100));
  EXPECT_EQ(hundred.p50, Duration{50});
  EXPECT_EQ(hundred.p99, Duration{99});
  EXPECT_EQ(hundred.max, Duration{100});
  EXPECT_EQ(lateness_of(one_to(1)).p50, Duration{1});
  EXPECT_EQ(lateness_of(one_to(1)).p99, Duration{1});
  EXPECT_EQ(lateness_of(one_to(3)).p50, Duration{2});
  EXPECT_EQ(lateness_of({}).max, Duration{0});
}

TEST(BenchFigures, AreShownWithTheirUnits) {
  BenchFigures figures{.directory = "/data/x"};
  figures.herd =
      HerdFigures{.jobs = 2000,
                  .delivered = 2000,
                  .creation = milliseconds{150},
                  .last = milliseconds{123},
                  .processor = milliseconds{100},
                  .at_receiver = {Duration{60'000}, Duration{110'250}, Duration{123'000}}};
  const auto text = text_of(figures, false);
  EXPECT_THAT(text, HasSubstr("2000 jobs due at one instant"));
  EXPECT_THAT(text, HasSubstr("0.123 s"));
  EXPECT_THAT(text, HasSubstr("p50 60.00 ms, p99 110.25 ms, max 123.00 ms"));
  EXPECT_THAT(text, HasSubstr("0.050 s for 1,000 runs"));
  EXPECT_THAT(text, Not(HasSubstr("steady")));
}

TEST(BenchFigures, AreMicrosecondsInJson) {
  BenchFigures figures{.directory = "/data/x"};
  figures.steady = SteadyFigures{.jobs = 10,
                                 .length = milliseconds{2000},
                                 .due = 20,
                                 .delivered = 19,
                                 .first_byte = {Duration{200}, {}, {}}};
  const auto object = json_of(figures);
  EXPECT_FALSE(object.contains("herd"));
  const auto& steady = object.at("steady").as_object();
  EXPECT_EQ(steady.at("due").as_int64(), 20);
  EXPECT_EQ(steady.at("delivered").as_int64(), 19);
  EXPECT_EQ(steady.at("late_at_first_byte").at("p50_us").as_int64(), 200);
}

}  // namespace
}  // namespace cronally::cli
