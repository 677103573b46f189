#include "core/run.h"

#include <gtest/gtest.h>

namespace cronally::core {
namespace {

template <class T, class Parse>
void words_read_back(T last, Parse parse) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    auto value = static_cast<T>(i);
    EXPECT_EQ(parse(text_of(value)), value) << text_of(value);
  }
  EXPECT_EQ(parse("no such word"), std::nullopt);
}

TEST(RunWords, EachReadsBackAsWhatItStandsFor) {
  words_read_back(RunKind::retry, run_kind_of);
  words_read_back(RunState::ended, run_state_of);
  words_read_back(Verdict::skipped, verdict_of);
  words_read_back(Reason::restored, reason_of);
}

}  // namespace
}  // namespace cronally::core
