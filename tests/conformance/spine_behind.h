// How far the work is behind: what another node judges a node by.
#pragma once

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class SpineBehind : public StoreTest {
 protected:
  void advance_all(Instant cursor) {
    std::vector<core::Item> items;
    for (const auto& shard : grant.shards) items.push_back(core::Advance{shard.no, cursor, 0});
    for (const auto& outcome : commit(items)) EXPECT_EQ(outcome.status, ItemStatus::done);
  }
  // Time passes, and the shards' owner lives.
  void pass(Duration length) {
    for (; length > 0s; length -= 1s) {
      world->clock().advance(1s);
      std::vector<core::Lease> held;
      for (const auto& shard : grant.shards) held.push_back({shard.no, fence});
      spine().heartbeat({node, core::lease_ttl_default, false, std::move(held)});
    }
  }
};

TEST_P(SpineBehind, IsNothingWhereTheCursorsAreAhead) {
  EXPECT_EQ(spine().behind().planning, 0s);
  EXPECT_EQ(spine().behind().sending, 0s);
  advance_all(at(2s));
  pass(1s);
  EXPECT_EQ(spine().behind().planning, 0s);
}

TEST_P(SpineBehind, InPlanningIsTheOldestCursor) {
  pass(7s);
  EXPECT_EQ(spine().behind().planning, 7s);
  advance_all(at(7s));
  EXPECT_EQ(spine().behind().planning, 0s);
  pass(2s);
  EXPECT_EQ(commit_one(core::Advance{ShardNo{3}, at(9s), 0}), ItemStatus::done);
  EXPECT_EQ(spine().behind().planning, 2s) << "the other shards";
}

TEST_P(SpineBehind, InSendingIsNotWhatItsOwnerKnows) {
  claimed(create("report"), at(1s));
  pass(3s);
  EXPECT_EQ(spine().behind().sending, 0s);
}

TEST_P(SpineBehind, InSendingIsWhatTheNextOwnerHasNotTakenOver) {
  auto run = claimed(create("report"), at(1s));
  claimed(create("another"), at(2s));
  pass(3s);
  acquire();
  EXPECT_EQ(spine().behind().sending, 2s);
  EXPECT_EQ(commit_one(core::Takeover{run.no, run.shard, 1, true}), ItemStatus::done);
  EXPECT_EQ(spine().behind().sending, 1s);
}

TEST_P(SpineBehind, InSendingIsNotWhatAPauseHolds) {
  auto job = create("report");
  claimed(job, at(1s));
  pass(3s);
  pause(job);
  acquire();
  EXPECT_EQ(spine().behind().sending, 0s);
}

TEST_P(SpineBehind, InSendingIsWhatWasAskedForAndNotTakenOn) {
  auto job = create("report");
  auto run = request(job, "manual:1");
  pass(2s);
  EXPECT_EQ(spine().behind().sending, world->clock().wall() - run.due);
  EXPECT_EQ(commit_one(core::Accept{run.no, job.shard}), ItemStatus::done);
  EXPECT_EQ(spine().behind().sending, 0s);
}

TEST_P(SpineBehind, InSendingIsWhatAnOwnerThatDiedLeft) {
  claimed(create("report"), at(1s));
  world->clock().advance(10s);
  const auto before = spine().behind().sending;
  const auto next = spine().heartbeat({NodeId{uuid_v4(3, 4)}, core::lease_ttl_default, false, {}});
  EXPECT_EQ(before, next.endless ? 0s : 9s) << "where there is one holder, its lease never ends";
  EXPECT_THAT(next.granted, SizeIs(shard_count));
  EXPECT_EQ(spine().behind().sending, 9s);
}

TEST_P(SpineBehind, InSendingIsNotWhatItsSenderMayYetRecord) {
  auto run = claimed(create("report"), at(1s));
  std::vector<core::Lease> held;
  for (const auto& shard : grant.shards) held.push_back({shard.no, fence});
  spine().release(node, {held, {{run.no, run.shard, run.attempt, at(6s)}}});
  world->clock().advance(4s);
  EXPECT_EQ(spine().behind().sending, 0s);
  world->clock().advance(3s);
  const bool shared = !spine().heartbeat({node, core::lease_ttl_default, true, {}}).endless;
  if (shared) EXPECT_EQ(spine().behind().sending, 6s);
}

}  // namespace cronally::conformance
