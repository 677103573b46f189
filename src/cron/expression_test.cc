#include "cron/expression.h"

#include <gtest/gtest.h>

namespace cronally::cron {
namespace {

std::string canonical(std::string_view text) {
  const auto parsed = Expression::parse(text, "job");
  return parsed ? parsed->to_text() : parsed.error().message;
}

TEST(Expression, PrintsItsCanonicalText) {
  EXPECT_EQ(canonical("*/5 * * * *"), "*/5 * * * *");
  EXPECT_EQ(canonical("0 9 * * MON-FRI"), "0 9 * * 1-5");
}

}  // namespace
}  // namespace cronally::cron
