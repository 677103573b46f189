#include "runtime/random.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/token.h"

namespace cronally::runtime {
namespace {

TEST(Random, DoesNotRepeat) {
  std::set<std::uint64_t> numbers;
  std::set<Uuid> ids;
  for (int i = 0; i < 1000; ++i) {
    numbers.insert(random_u64());
    ids.insert(random_uuid_v4());
  }
  EXPECT_EQ(numbers.size(), 1000U);
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(Random, UnitStaysBelowOne) {
  for (int i = 0; i < 1000; ++i) {
    const double value = random_unit();
    EXPECT_GE(value, 0.0);
    EXPECT_LT(value, 1.0);
  }
}

TEST(Random, GivesAsManyBytesAsAsked) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(33).size(), 33U);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

TEST(Random, IdsOfVersionSevenCarryTheirInstant) {
  const Instant at = instant_from_us(1'796'115'600'250'000);
  EXPECT_EQ(uuid_v7_instant(random_uuid_v7(at)), at);
}

TEST(Token, HasItsShapeAndIsNewEachTime) {
  const std::string token = make_token().reveal();
  EXPECT_EQ(token.size(), 52U);
  EXPECT_TRUE(token.starts_with("cronally_"));
  EXPECT_TRUE(is_token_shaped(token));
  EXPECT_NE(token, make_token().reveal());
}

TEST(Token, OtherTextsAreNotTokens) {
  const std::string token = make_token().reveal();
  EXPECT_FALSE(is_token_shaped(""));
  EXPECT_FALSE(is_token_shaped("cronally_"));
  EXPECT_FALSE(is_token_shaped(token.substr(9)));
  EXPECT_FALSE(is_token_shaped(token + "A"));
  EXPECT_FALSE(is_token_shaped(token.substr(0, 51)));
  EXPECT_FALSE(is_token_shaped(token + "\n"));
}

TEST(Token, OnlyItsHashIsKept) { EXPECT_EQ(token_digest("cronally_x"), sha256("cronally_x")); }

}  // namespace
}  // namespace cronally::runtime
