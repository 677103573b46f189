#include "base/uuid.h"

#include <gtest/gtest.h>

#include <set>

#include "base/ids.h"

namespace cronally {
namespace {

TEST(Uuid, IsReadAndWritten) {
  const auto id = parse_uuid("919108F7-52d1-4320-9bac-f847db4148a8");
  ASSERT_TRUE(id);
  EXPECT_EQ(format_uuid(*id), "919108f7-52d1-4320-9bac-f847db4148a8");
  EXPECT_EQ(id->bytes[0], 0x91);
  EXPECT_EQ(id->bytes[15], 0xa8);
  EXPECT_EQ(format_uuid(Uuid{}), "00000000-0000-0000-0000-000000000000");
}

TEST(Uuid, RefusesEveryOtherForm) {
  for (const char* text : {
           "",
           "919108f752d143209bacf847db4148a8",
           "{919108f7-52d1-4320-9bac-f847db4148a8}",
           "919108f7-52d1-4320-9bac-f847db4148a",
           "919108f7-52d1-4320-9bac-f847db4148a80",
           "919108f7-52d1-4320-9bac-f847db4148ag",
           "919108f7052d1-4320-9bac-f847db4148a8",
           "919108f75-2d1-4320-9bac-f847db4148a8",
           " 19108f7-52d1-4320-9bac-f847db4148a8",
           "-19108f7-52d1-4320-9bac-f847db4148a8",
       }) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

// RFC 9562, appendix A.3 and A.6.
TEST(Uuid, MatchesTheVectorsOfTheRfc) {
  EXPECT_EQ(format_uuid(uuid_v4(0x919108f752d1'0320ULL, 0x1bacf847db4148a8ULL)),
            "919108f7-52d1-4320-9bac-f847db4148a8");
  const Instant at = instant_from_us(0x017F22E279B0LL * 1000);
  const Uuid v7 = uuid_v7(at, 0xCC3, 0x18C4DC0C0C07398FULL);
  EXPECT_EQ(format_uuid(v7), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  EXPECT_EQ(uuid_v7_instant(v7), at);
}

TEST(Uuid, RandomBitsNeverReachVersionOrVariant) {
  for (const std::uint64_t bits : {0ULL, ~0ULL}) {
    const Uuid v4 = uuid_v4(bits, bits);
    const Uuid v7 = uuid_v7(instant_from_us(1'700'000'000'123'999), bits, bits);
    EXPECT_EQ(v4.bytes[6] >> 4, 4);
    EXPECT_EQ(v7.bytes[6] >> 4, 7);
    EXPECT_EQ(v4.bytes[8] >> 6, 2);
    EXPECT_EQ(v7.bytes[8] >> 6, 2);
    EXPECT_EQ(uuid_v7_instant(v7), instant_from_us(1'700'000'000'123'000));
    EXPECT_EQ(uuid_v7_instant(v4), std::nullopt);
  }
}

TEST(Uuid, LaterMillisecondsCompareGreater) {
  const Uuid earlier = uuid_v7(instant_from_us(1'700'000'000'000'999), ~0ULL, ~0ULL);
  const Uuid later = uuid_v7(instant_from_us(1'700'000'000'001'000), 0, 0);
  EXPECT_LT(earlier, later);
  EXPECT_LT(format_uuid(earlier), format_uuid(later));
}

TEST(UuidDeathTest, VersionSevenHasNoTimeBefore1970) {
  EXPECT_DEATH(uuid_v7(instant_from_us(-1), 0, 0), "48 bits");
}

TEST(Ids, TheShardOfAJobNeverChanges) {
  // printf 000102030405060708090a0b0c0d0e0f | xxd -r -p | sha256sum: be45cb2605bf36be...
  const JobId job{*parse_uuid("00010203-0405-0607-0809-0a0b0c0d0e0f")};
  EXPECT_EQ(shard_of(job).value, 0x3e);
  EXPECT_EQ(job.text(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
}

TEST(Ids, ShardsFillEvenly) {
  std::array<int, shard_count> jobs{};
  for (std::uint64_t i = 0; i < 6400; ++i) {
    const auto shard = shard_of(JobId{uuid_v4(i * 0x9E3779B97F4A7C15ULL, i)}).value;
    ASSERT_GE(shard, 0);
    ASSERT_LT(shard, shard_count);
    ++jobs[shard];
  }
  for (const int count : jobs) {
    EXPECT_GT(count, 50);
    EXPECT_LT(count, 150);
  }
}

}  // namespace
}  // namespace cronally
