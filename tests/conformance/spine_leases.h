// Leases: who is granted what, what is kept, and what a release leaves behind. A store with one
// holder answers the first part; the second part is about stores that several nodes share, and
// says of the others that they have one holder.
#pragma once

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class SpineLeases : public StoreTest {
 protected:
  using Shards = std::vector<ShardNo>;

  std::vector<core::Lease> all_held() const {
    std::vector<core::Lease> held;
    for (const auto& shard : grant.shards) held.push_back({shard.no, fence});
    return held;
  }
  core::HeartbeatAnswer beat(NodeId who, std::vector<core::Lease> holds, bool draining = false) {
    return spine().heartbeat({who, ttl, draining, std::move(holds)});
  }
  static std::vector<core::Lease> leases(const core::HeartbeatAnswer& answer) {
    std::vector<core::Lease> held;
    for (const ShardNo shard : answer.granted) held.push_back({shard, answer.fence});
    return held;
  }
  // Whether several nodes can hold shards at a time.
  bool shared() { return !beat(node, all_held()).endless; }

  static constexpr Duration ttl = 5s;
  NodeId other{uuid_v4(3, 4)};
};

TEST_P(SpineLeases, KeepWhatIsHeldUnderItsFence) {
  const auto answer = beat(node, all_held());
  EXPECT_THAT(answer.kept, SizeIs(shard_count));
  EXPECT_THAT(answer.granted, IsEmpty());
  EXPECT_THAT(answer.asked, IsEmpty());
  EXPECT_EQ(answer.lacking, 0);
  auto job = create("report");
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::done) << "the fence is the same";
}

TEST_P(SpineLeases, GrantAnewWhatANodeDoesNotSayItHolds) {
  auto job = create("report");
  const auto answer = beat(node, {});
  EXPECT_THAT(answer.granted, SizeIs(shard_count));
  EXPECT_GT(answer.fence, fence);
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::fenced) << "under the fence before";
}

TEST_P(SpineLeases, GrantAnewWhatIsHeldUnderAFenceThatIsPast) {
  const auto past = all_held();
  acquire();
  const auto answer = beat(node, past);
  EXPECT_THAT(answer.kept, IsEmpty());
  EXPECT_THAT(answer.granted, SizeIs(shard_count));
}

TEST_P(SpineLeases, ReadTheShardsThatAreNamedAndTheirJobs) {
  auto job = create("report");
  ShardSet one;
  one.set(static_cast<std::size_t>(job.shard.value));
  const auto read = spine().read_shards(one);
  ASSERT_THAT(read.shards, SizeIs(1));
  EXPECT_EQ(read.shards[0].no, job.shard);
  EXPECT_EQ(read.shards[0].change, job.change);
  EXPECT_THAT(read.jobs, SizeIs(1));
  const auto others = spine().read_shards(~one);
  EXPECT_THAT(others.shards, SizeIs(shard_count - 1));
  EXPECT_THAT(others.jobs, IsEmpty());
}

TEST_P(SpineLeases, ReadTheOpenRunsOfTheShardsThatAreNamed) {
  auto job = create("report");
  claimed(job, at(1s));
  ShardSet one;
  one.set(static_cast<std::size_t>(job.shard.value));
  EXPECT_THAT(spine().read_open_runs(one, at(9s), 10), SizeIs(1));
  EXPECT_THAT(spine().read_open_runs(~one, at(9s), 10), IsEmpty());
}

TEST_P(SpineLeases, TellRequestedRunsAgainWhenTheirShardIsReadAgain) {
  auto job = create("report");
  auto run = request(job, "manual:1");
  EXPECT_THAT(all_changes().requested, SizeIs(1));
  EXPECT_THAT(all_changes().requested, IsEmpty());
  acquire();
  const auto told = all_changes().requested;
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].no, run.no);
}

// ---- several holders --------------------------------------------------------------------------

TEST_P(SpineLeases, GoToNobodyElseWhileTheyLast) {
  if (!shared()) {
    EXPECT_THAT(beat(other, {}).granted, SizeIs(shard_count)) << "one holder: who asks last";
    return;
  }
  world->clock().advance(ttl - 1us);
  const auto answer = beat(other, {});
  EXPECT_THAT(answer.granted, IsEmpty());
  EXPECT_EQ(answer.lacking, shard_count / 2);
}

TEST_P(SpineLeases, GoToTheNextWhenTheyEnd) {
  const bool ends = shared();
  auto job = create("report");
  world->clock().advance(ttl);
  if (!ends) {
    EXPECT_THAT(beat(node, all_held()).kept, SizeIs(shard_count)) << "one holder: it never ends";
    return;
  }
  EXPECT_EQ(commit_one(claim(job, at(6s))), ItemStatus::done) << "nobody else acts yet";
  const auto answer = beat(other, {});
  EXPECT_THAT(answer.granted, SizeIs(shard_count));
  EXPECT_GT(answer.fence, fence);
  EXPECT_EQ(commit_one(claim(job, at(7s))), ItemStatus::fenced);
  EXPECT_THAT(beat(node, all_held()).kept, IsEmpty());
}

TEST_P(SpineLeases, ThatAreOverKeepNobodyWaitingForTheirHolder) {
  auto job = create("report");
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change, 0ms));
  const bool ends = shared();
  world->clock().advance(ttl);
  EXPECT_EQ(jobs().await_seen(job.shard, job.change, 0ms), ends)
      << "who comes next begins with the new definition";
}

TEST_P(SpineLeases, PassFromOneToTheNextWhenReleased) {
  if (!shared()) {
    spine().release(node, {all_held(), {}});
    EXPECT_THAT(beat(node, all_held()).kept, SizeIs(shard_count)) << "one holder keeps them";
    return;
  }
  EXPECT_EQ(beat(other, {}).lacking, 32);
  const auto asked = beat(node, all_held()).asked;
  ASSERT_THAT(asked, SizeIs(32));
  core::Release release;
  for (const ShardNo shard : asked) release.shards.push_back({shard, fence});
  spine().release(node, release);
  spine().release(node, release);
  const auto answer = beat(other, {});
  EXPECT_EQ(answer.granted, asked);
  spine().release(node, release);  // late: the shards are another's
  EXPECT_THAT(beat(other, leases(answer)).kept, SizeIs(32));
  std::vector<core::Lease> rest = all_held();
  std::erase_if(rest, [&](const auto& lease) {
    return std::ranges::find(asked, lease.shard) != asked.end();
  });
  EXPECT_THAT(beat(node, rest).asked, IsEmpty()) << "fair";
}

TEST_P(SpineLeases, AreAskedOfANodeThatDrains) {
  if (!shared()) {
    EXPECT_THAT(beat(node, all_held(), true).asked, IsEmpty()) << "one holder: nobody waits";
    return;
  }
  EXPECT_THAT(beat(node, all_held(), true).asked, SizeIs(shard_count));
  EXPECT_EQ(beat(other, {}).lacking, shard_count);
}

TEST_P(SpineLeases, LeaveARequestThatIsOutToWhoSentIt) {
  auto job = create("report");
  auto run = claimed(job, at(1s));
  const bool released = shared();
  spine().release(node, {all_held(), {{run.no, run.shard, run.attempt, at(30s)}}});
  EXPECT_EQ(open_run(run.no).left_until, released ? at(30s) : Instant{});
  if (!released) return;
  const auto answer = beat(other, {});
  EXPECT_THAT(answer.granted, SizeIs(shard_count / 2)) << "the first one lives yet";
  EXPECT_EQ(commit_one(success(run)), ItemStatus::done) << "told by who sent it";
  EXPECT_FALSE(is_open(run.no));
}

TEST_P(SpineLeases, LeaveARunNoLongerThanToItsTakeover) {
  auto job = create("report");
  auto run = claimed(job, at(1s));
  spine().release(node, {all_held(), {{run.no, run.shard, run.attempt, at(30s)}}});
  acquire();
  EXPECT_EQ(commit_one(core::Takeover{run.no, run.shard, 1, true}), ItemStatus::done);
  EXPECT_EQ(open_run(run.no).left_until, Instant{});
}

}  // namespace cronally::conformance
