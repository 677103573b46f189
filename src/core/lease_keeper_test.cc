#include "core/lease_keeper.h"

#include <gtest/gtest.h>

#include "base/uuid.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr Duration ttl = 5s;
constexpr Instant noon = instant_from_us(1'780'000'000'000'000);

SteadyInstant steady(Duration at) { return SteadyInstant{at}; }

ShardSet set_of(std::initializer_list<std::size_t> shards) {
  ShardSet set;
  for (const std::size_t shard : shards) set.set(shard);
  return set;
}

HeartbeatAnswer grants(std::int64_t fence, std::vector<ShardNo> shards,
                       std::vector<ShardNo> kept = {}) {
  return {.at = noon, .fence = Fence{fence}, .granted = std::move(shards), .kept = std::move(kept)};
}

class Keeper : public ::testing::Test {
 protected:
  // A heartbeat at `asked` whose answer comes a millisecond later.
  LeaseKeeper::News beat(Duration asked, const HeartbeatAnswer& answer) {
    said = keeper.heartbeat(steady(asked));
    return keeper.answered(answer, steady(asked + 1ms));
  }
  LeaseKeeper keeper{NodeId{uuid_v4(1, 2)}, ttl};
  Heartbeat said;
};

TEST_F(Keeper, TrustsFromBeforeTheQuestionLessAFifth) {
  (void)keeper.heartbeat(steady(10s));
  const auto news = keeper.answered(grants(7, {{3}}), steady(10s + 900ms));
  EXPECT_EQ(news.granted, set_of({3}));
  EXPECT_TRUE(keeper.trusts(ShardNo{3}, Fence{7}, steady(12'999'999us)));
  EXPECT_FALSE(keeper.trusts(ShardNo{3}, Fence{7}, steady(13s)));
}

TEST_F(Keeper, NamesWhatItHolds) {
  beat(10s, grants(7, {{3}, {4}}));
  beat(10'500ms, grants(8, {{5}}, {{3}, {4}}));
  EXPECT_EQ(said.holds, (std::vector<Lease>{{{3}, {7}}, {{4}, {7}}}));
  EXPECT_EQ(keeper.heartbeat(steady(11s)).holds,
            (std::vector<Lease>{{{3}, {7}}, {{4}, {7}}, {{5}, {8}}}));
}

TEST_F(Keeper, LosesWhatTheStoreDoesNotKeep) {
  beat(10s, grants(7, {{3}, {4}}));
  const auto news = beat(10'500ms, grants(0, {}, {{4}}));
  EXPECT_EQ(news.lost, set_of({3}));
  EXPECT_EQ(keeper.held(), set_of({4}));
}

TEST_F(Keeper, ForgetsAllWhenItsTrustEnds) {
  beat(10s, grants(7, {{3}, {4}}));
  EXPECT_TRUE(keeper.expired(steady(12s)).none());
  EXPECT_EQ(keeper.expired(steady(13s)), set_of({3, 4}));
  EXPECT_TRUE(keeper.expired(steady(13s)).none()) << "told once";
  EXPECT_TRUE(keeper.heartbeat(steady(15s)).holds.empty()) << "so they come under a new fence";
}

TEST_F(Keeper, DoesNotTakeBackWhatItForgotWhileTheAnswerCame) {
  beat(10s, grants(7, {{3}}));
  (void)keeper.heartbeat(steady(12'500ms));
  EXPECT_EQ(keeper.expired(steady(13s)), set_of({3}));
  const auto news = keeper.answered(grants(0, {}, {{3}}), steady(14'100ms));
  EXPECT_TRUE(news.lost.none());
  EXPECT_TRUE(keeper.held().none());
}

TEST_F(Keeper, TakesAnAnswerThatTookLongForNone) {
  beat(10s, grants(7, {{3}}));
  (void)keeper.heartbeat(steady(11s));
  const auto news = keeper.answered(grants(8, {{4}}, {{3}}), steady(12s + 1us));
  EXPECT_TRUE(news.granted.none());
  EXPECT_FALSE(keeper.trusts(ShardNo{3}, Fence{7}, steady(13s)));
  EXPECT_EQ(keeper.next_at(), steady(12s + 1us + 100ms));
}

// Of a store that is far away: the clock took one round trip, the transaction more.
TEST_F(Keeper, GoesByTheLookAtTheClockAndNotByTheWholeAnswer) {
  (void)keeper.heartbeat(steady(10s));
  auto answer = grants(7, {{3}});
  answer.clock = ClockSample{steady(10'500ms), steady(11'500ms), noon};
  EXPECT_EQ(keeper.answered(answer, steady(13s)).granted, set_of({3}));
  EXPECT_EQ(keeper.trusted_until(), steady(13'500ms)) << "from before the clock was asked for";
  EXPECT_EQ(keeper.next_at(), steady(10'500ms)) << "at once";
}

TEST_F(Keeper, TakesAnAnswerWhoseLookAtTheClockTookLongForNone) {
  (void)keeper.heartbeat(steady(10s));
  auto answer = grants(7, {{3}});
  answer.clock = ClockSample{steady(10s), steady(11s + 1us), noon};
  EXPECT_TRUE(keeper.answered(answer, steady(11s + 2us)).granted.none());
  EXPECT_FALSE(keeper.trusts(steady(11s + 2us)));
}

TEST_F(Keeper, TrustsNothingThatEndedWhileALongAnswerCame) {
  (void)keeper.heartbeat(steady(10s));
  auto answer = grants(7, {{3}});
  answer.clock = ClockSample{steady(10s), steady(10'600ms), noon};
  (void)keeper.answered(answer, steady(13s));
  EXPECT_FALSE(keeper.trusts(ShardNo{3}, Fence{7}, steady(13s)));
  EXPECT_EQ(keeper.expired(steady(13s)), set_of({3}));
}

TEST_F(Keeper, NamesWhatItReleasesUntilTheStoreHasIt) {
  beat(10s, grants(7, {{3}, {4}}));
  const Release release{{{{3}, {7}}}, {}};
  beat(10'500ms, grants(0, {}, {{3}, {4}}));
  EXPECT_EQ(said.holds.size(), 2U);
  keeper.released(release);
  EXPECT_EQ(keeper.held(), set_of({4}));
  beat(11s, grants(9, {{3}}, {{4}}));
  keeper.released(release);
  EXPECT_EQ(keeper.held(), set_of({3, 4})) << "it came back under another fence meanwhile";
}

TEST_F(Keeper, HasLeftWhenTheStoreKnowsThatItDrains) {
  beat(10s, grants(0, {}));
  keeper.drain();
  EXPECT_FALSE(keeper.left()) << "it holds nothing, and would be given its share";
  (void)keeper.heartbeat(steady(11s));
  keeper.gave_up(steady(12s));
  EXPECT_FALSE(keeper.left());
  beat(13s, grants(0, {}));
  EXPECT_TRUE(keeper.left());
}

TEST_F(Keeper, HasNotLeftByAHeartbeatThatWasUnderWay) {
  (void)keeper.heartbeat(steady(10s));
  keeper.drain();
  keeper.answered(grants(0, {}), steady(10'001ms));
  EXPECT_FALSE(keeper.left());
  beat(11s, grants(7, {{3}}));
  EXPECT_FALSE(keeper.left()) << "it holds a shard";
  keeper.released({{{ShardNo{3}, Fence{7}}}, {}});
  EXPECT_TRUE(keeper.left());
}

TEST_F(Keeper, IsAskedOnlyForWhatItHolds) {
  beat(10s, grants(7, {{3}}));
  auto answer = grants(0, {}, {{3}});
  answer.asked = {{3}, {4}};
  EXPECT_EQ(beat(10'500ms, answer).asked, set_of({3}));
}

TEST_F(Keeper, BeatsMoreOftenWhileItIsLacking) {
  auto answer = grants(7, {{3}});
  beat(10s, answer);
  EXPECT_EQ(keeper.next_at(), steady(10'500ms));
  answer.lacking = 2;
  beat(10'500ms, answer);
  EXPECT_EQ(keeper.next_at(), steady(10'600ms));
  (void)keeper.heartbeat(steady(10'600ms));
  EXPECT_FALSE(keeper.next_at()) << "one at a time";
}

TEST_F(Keeper, NeverStopsToTrustALock) {
  auto answer = grants(7, {{3}});
  answer.endless = true;
  beat(10s, answer);
  EXPECT_TRUE(keeper.expired(steady(10h)).none());
  EXPECT_TRUE(keeper.trusts(ShardNo{3}, Fence{7}, steady(10h)));
  EXPECT_FALSE(keeper.next_at());
}

}  // namespace
}  // namespace cronally::core
