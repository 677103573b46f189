#include "scheduler/lease_holder.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/uuid.h"
#include "runtime/clock_manual.h"
#include "scheduler/fake_spine_test.h"

namespace cronally::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Instant noon = instant_from_us(1'780'000'000'000'000);

class Holder : public ::testing::Test {
 protected:
  void beat(std::int64_t fence, std::vector<ShardNo> granted, std::vector<ShardNo> kept = {}) {
    spine.answer.fence = Fence{fence};
    spine.answer.granted = std::move(granted);
    spine.answer.kept = std::move(kept);
    holder.beat();
  }
  std::vector<core::Event> posted() { return inbox.take({}, Duration::zero()); }

  runtime::ManualClock clock{noon};
  FakeSpine spine{clock};
  Inbox inbox;
  LeaseHolder holder{NodeId{uuid_v4(1, 2)}, 5s, spine, clock, inbox};
};

TEST_F(Holder, KeepsWhatWasGrantedForWhoReadsIt) {
  spine.answer.at = noon + 1h;
  beat(7, {{3}, {4}});
  const auto granted = holder.take_granted();
  ASSERT_EQ(granted.size(), 1U);
  EXPECT_EQ(granted[0].fence, Fence{7});
  EXPECT_EQ(granted[0].shards.count(), 2U);
  EXPECT_EQ(holder.sent_until(granted[0]), noon + 1h + core::LeaseKeeper::clock_error_max);
  EXPECT_TRUE(holder.take_granted().empty());
  EXPECT_TRUE(posted().empty());
}

TEST_F(Holder, PostsOnlyShardsThatAreStillHeld) {
  beat(7, {{3}, {4}});
  beat(0, {}, {{4}});
  (void)posted();
  core::ShardsAcquired event{.fence = Fence{7}};
  event.shards = {{ShardNo{3}, noon, 0}, {ShardNo{4}, noon, 0}};
  event.jobs = {{.no = JobNo{1}, .shard = ShardNo{3}}, {.no = JobNo{2}, .shard = ShardNo{4}}};
  holder.post_acquired(event);
  auto events = posted();
  ASSERT_EQ(events.size(), 1U);
  auto& acquired = std::get<core::ShardsAcquired>(events[0]);
  ASSERT_EQ(acquired.shards.size(), 1U);
  EXPECT_EQ(acquired.shards[0].shard, ShardNo{4});
  EXPECT_EQ(acquired.jobs.size(), 1U);
  clock.advance(5s);
  holder.retain_held(acquired);
  EXPECT_TRUE(acquired.shards.empty()) << "it waited in the inbox for too long";
}

TEST_F(Holder, PostsWhatIsLostAndWhatIsAskedFor) {
  beat(7, {{3}, {4}});
  spine.answer.asked = {{4}};
  beat(0, {}, {{4}});
  const auto events = posted();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(std::get<core::ShardsLost>(events[0]).shards.test(3));
  EXPECT_TRUE(std::get<core::ShardsAsked>(events[1]).shards.test(4));
}

TEST_F(Holder, LetsNothingLeaveUnderALeaseThatIsOver) {
  beat(7, {{3}});
  EXPECT_TRUE(holder.may_send({{3}, {7}}));
  EXPECT_FALSE(holder.may_send({{4}, {7}}));
  clock.advance(4s);
  EXPECT_FALSE(holder.may_send({{3}, {7}}));
  EXPECT_TRUE(holder.expired().test(3));
  beat(8, {{3}});
  EXPECT_FALSE(holder.may_send({{3}, {7}})) << "the machine may not have heard of the loss yet";
  EXPECT_TRUE(holder.may_send({{3}, {8}}));
}

TEST_F(Holder, TellsHowLongItIsTrusted) {
  EXPECT_EQ(holder.trusted_for(), Duration::max()) << "it holds nothing";
  beat(7, {{3}});
  EXPECT_EQ(holder.trusted_for(), 3s - spine.took) << "from before the heartbeat";
  clock.advance(5s);
  EXPECT_LT(holder.trusted_for(), 0s);
  EXPECT_TRUE(holder.expired().test(3));
  EXPECT_EQ(holder.trusted_for(), Duration::max());
}

TEST_F(Holder, DoesNotTrustAgainWhatEndedWhileTheAnswerCame) {
  beat(7, {{3}});
  clock.advance(3'900ms);
  spine.took = 200ms;
  beat(0, {}, {{3}});
  const auto events = posted();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_TRUE(std::get<core::ShardsLost>(events[0]).shards.test(3));
  EXPECT_FALSE(holder.may_send({{3}, {7}}));
}

TEST_F(Holder, ShowsTheClockOfTheStore) {
  EXPECT_EQ(holder.now().wall, noon) << "the host's, before there is another";
  spine.answer.at = noon + 1h;
  beat(7, {{3}});
  EXPECT_EQ(holder.now().wall, noon + 1h + 1ms) << "half of the way back is over";
}

TEST_F(Holder, GoesByALookAtTheClockOfItsOwn) {
  const auto asked = clock.steady();
  spine.took = 40ms;
  spine.answer.at = noon + 1h;
  spine.answer.clock = core::ClockSample{asked, asked + 2ms, noon + 2h};
  beat(7, {{3}});
  EXPECT_EQ(holder.now().wall, noon + 2h + 39ms);
}

TEST_F(Holder, CountsAnAnswerFromFarAwayFromItsLookAtTheClock) {
  const auto asked = clock.steady();
  spine.took = 3s;
  spine.answer.at = noon + 1h;
  spine.answer.clock = core::ClockSample{asked + 1s, asked + 1'600ms, noon + 1h};
  beat(7, {{3}});
  EXPECT_EQ(holder.now().wall, noon + 1h + 1'700ms);
  EXPECT_EQ(holder.standing().heartbeat_age, 2s);
  clock.advance(999ms);
  EXPECT_TRUE(holder.may_send({{3}, {7}}));
  clock.advance(1ms);
  EXPECT_FALSE(holder.may_send({{3}, {7}}));
}

TEST_F(Holder, GivesAHeartbeatUpWhenTheStoreIsAway) {
  spine.away = true;
  EXPECT_THROW(holder.beat(), Unavailable);
  spine.away = false;
  beat(7, {{3}});
  EXPECT_TRUE(holder.may_send({{3}, {7}}));
}

TEST_F(Holder, SaysThatItDrains) {
  beat(7, {{3}});
  EXPECT_FALSE(spine.said.draining);
  holder.drain();
  beat(0, {}, {{3}});
  EXPECT_TRUE(spine.said.draining);
}

TEST_F(Holder, LeadsWhileItIsTrustedWithTheFirstShard) {
  beat(7, {{3}});
  EXPECT_FALSE(holder.leads());
  beat(8, {{0}}, {{3}});
  EXPECT_TRUE(holder.leads());
  clock.advance(4s);
  EXPECT_FALSE(holder.leads());
}

TEST_F(Holder, CountsWhatItLostAndNotWhatItGaveBack) {
  beat(7, {{3}, {4}, {5}});
  holder.released({{{ShardNo{3}, Fence{7}}}, {}});
  EXPECT_EQ(holder.standing().held, 2);
  EXPECT_EQ(holder.standing().lost, 0U);
  beat(0, {}, {{4}});
  EXPECT_EQ(holder.standing().held, 1);
  EXPECT_EQ(holder.standing().lost, 1U);
  EXPECT_EQ(holder.standing().heartbeat_age, 2ms);
  EXPECT_TRUE(holder.standing().trusted);
  clock.advance(5s);
  EXPECT_FALSE(holder.standing().trusted);
  EXPECT_EQ(holder.standing().heartbeat_age, 5s + 2ms);
  (void)holder.expired();
  EXPECT_EQ(holder.standing().lost, 2U);
}

TEST_F(Holder, WaitsUntilAllIsGivenBack) {
  beat(7, {{3}});
  holder.drain();
  beat(0, {}, {{3}});
  holder.await_released(1ms);
  EXPECT_EQ(holder.standing().held, 1);
  holder.released({{{ShardNo{3}, Fence{7}}}, {}});
  holder.await_released(1h);
  EXPECT_EQ(holder.standing().held, 0);
}

TEST_F(Holder, GoesByTheHostWhereLeasesAreEndless) {
  spine.answer.endless = true;
  spine.answer.at = noon + 1h;
  beat(7, {{3}});
  EXPECT_TRUE(holder.endless());
  EXPECT_EQ(holder.now().wall, clock.wall());
  clock.advance(10h);
  EXPECT_TRUE(holder.expired().none());
  EXPECT_EQ(holder.trusted_for(), Duration::max());
  EXPECT_TRUE(holder.may_send({{3}, {7}}));
  EXPECT_EQ(holder.standing().heartbeat_age, 0s);
  EXPECT_EQ(holder.sent_until({Fence{7}, {}, noon + 1h}), instant_min);
}

#ifdef CRONALLY_TEST_HOOKS
TEST_F(Holder, TrustsALeaseThatIsOverWhereTheProofsControlAsksForIt) {
  ::setenv("CRONALLY_TEST_UNFENCED", "1", 1);
  LeaseHolder unfenced{NodeId{uuid_v4(1, 2)}, 5s, spine, clock, inbox};
  ::unsetenv("CRONALLY_TEST_UNFENCED");
  spine.answer.fence = Fence{7};
  spine.answer.granted = {{3}};
  unfenced.beat();
  clock.advance(1h);
  EXPECT_TRUE(unfenced.expired().none());
  EXPECT_TRUE(unfenced.may_send({{3}, {7}}));
}
#endif

}  // namespace
}  // namespace cronally::scheduler
