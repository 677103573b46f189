#include "core/lease.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "base/uuid.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant now = instant_from_us(1'780'000'000'000'000);
constexpr Duration ttl = lease_ttl_default;

NodeId node_no(std::uint64_t no) { return NodeId{uuid_v4(no, 1)}; }

// The tables, and what a store does with a decision.
struct Tables {
  std::map<NodeId, NodeRow> nodes;
  std::map<ShardNo, LeaseRow> leases;
  std::int64_t fence = 0;
  Instant clock = now;

  std::vector<Lease> held_by(NodeId node) const {
    std::vector<Lease> held;
    for (const auto& [shard, row] : leases) {
      if (row.holder == node && row.ends > clock) held.push_back({shard, row.fence});
    }
    return held;
  }
  LeaseDecision beat(NodeId node, std::vector<Lease> holds, bool draining = false) {
    std::vector<NodeRow> node_rows;
    std::vector<LeaseRow> lease_rows;
    for (const auto& [id, row] : nodes) node_rows.push_back(row);
    for (const auto& [shard, row] : leases) lease_rows.push_back(row);
    auto decided =
        decide_leases({node, ttl, draining, std::move(holds)}, clock, node_rows, lease_rows);
    nodes[node] = {node, draining, clock + ttl};
    ++fence;
    for (const ShardNo shard : decided.kept) leases[shard].ends = clock + ttl;
    for (const ShardNo shard : decided.freed)
      leases[shard] = {shard, NodeId{}, leases[shard].fence, clock};
    for (const ShardNo shard : decided.take) {
      leases[shard] = {shard, node, Fence{fence}, clock + ttl};
    }
    return decided;
  }
  LeaseDecision beat(NodeId node) { return beat(node, held_by(node)); }
  // A heartbeat, and what it asks for given back at once.
  void obey(NodeId node, bool draining = false) {
    for (const ShardNo shard : beat(node, held_by(node), draining).asked) {
      leases[shard] = {shard, NodeId{}, leases[shard].fence, clock};
    }
  }
};

TEST(Leases, GoToTheOnlyNode) {
  Tables tables;
  EXPECT_EQ(tables.beat(node_no(1)).take.size(), 64U);
  EXPECT_EQ(tables.beat(node_no(1)).kept.size(), 64U);
}

TEST(Leases, AreSharedWithWhoComes) {
  Tables tables;
  tables.beat(node_no(1));
  EXPECT_EQ(tables.beat(node_no(2)).lacking, 32);
  tables.obey(node_no(1));
  const auto second = tables.beat(node_no(2));
  EXPECT_EQ(second.take.size(), 32U);
  EXPECT_EQ(second.lacking, 0);
  EXPECT_EQ(tables.beat(node_no(3)).lacking, 20);
  tables.obey(node_no(1));
  tables.obey(node_no(2));
  EXPECT_EQ(tables.beat(node_no(3)).take.size(), 20U);
  EXPECT_EQ(tables.beat(node_no(3)).lacking, 0) << "22, 22 and 20 is fair";
}

TEST(Leases, AreTakenWhenTheyEndAndNotBefore) {
  Tables tables;
  tables.beat(node_no(1));
  tables.clock += 1s;
  tables.beat(node_no(2));
  tables.clock = now + ttl - 1us;
  EXPECT_TRUE(tables.beat(node_no(2)).take.empty());
  tables.clock = now + ttl;
  EXPECT_EQ(tables.beat(node_no(2)).take.size(), 64U);
}

TEST(Leases, ComeUnderANewFenceToWhoDoesNotSayThatItHoldsThem) {
  Tables tables;
  tables.beat(node_no(1));
  auto held = tables.held_by(node_no(1));
  held.pop_back();
  const auto decided = tables.beat(node_no(1), held);
  EXPECT_EQ(decided.kept.size(), 63U);
  ASSERT_EQ(decided.take.size(), 1U);
  EXPECT_GT(tables.leases[decided.take[0]].fence, held[0].fence);
}

TEST(Leases, AreExtendedUnderTheirFenceWhileNobodyTookThem) {
  Tables tables;
  tables.beat(node_no(1));
  const auto held = tables.held_by(node_no(1));
  tables.clock += 1min;
  EXPECT_EQ(tables.beat(node_no(1), held).kept.size(), 64U);
}

TEST(Leases, AllLeaveANodeThatDrains) {
  Tables tables;
  tables.beat(node_no(1));
  tables.beat(node_no(2));
  tables.obey(node_no(1), true);
  EXPECT_EQ(tables.beat(node_no(2)).take.size(), 64U);
  EXPECT_TRUE(tables.beat(node_no(1), {}, true).take.empty());
}

TEST(Leases, ThatOneNodeFreesAreFreeForTheOthers) {
  Tables tables;
  tables.beat(node_no(1));
  tables.beat(node_no(2));
  const auto decided = tables.beat(node_no(1), {});
  EXPECT_EQ(decided.take.size(), 32U);
  EXPECT_EQ(decided.freed.size(), 32U);
  EXPECT_EQ(tables.beat(node_no(2)).take.size(), 32U);
}

TEST(Leases, SettleInFairSharesWhateverCameBefore) {
  const bool holds = rc::check("shares settle", [] {
    Tables tables;
    const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
        rc::gen::tuple(rc::gen::inRange(0, 5), rc::gen::inRange(0, 4), rc::gen::inRange(0, 4000)));
    for (const auto& [who, what, ms] : steps) {
      tables.clock += std::chrono::milliseconds{ms};
      const NodeId node = node_no(static_cast<std::uint64_t>(who));
      if (what == 0) tables.beat(node, {});
      if (what == 1) tables.obey(node, true);
      if (what >= 2) tables.obey(node);
    }
    tables.clock += ttl;  // who is silent from here on is dead
    const int nodes = *rc::gen::inRange(1, 5);
    for (int round = 0; round < 4; ++round) {
      for (int who = 0; who < nodes; ++who) {
        tables.obey(node_no(static_cast<std::uint64_t>(who)));
        tables.clock += 10ms;
      }
    }
    const std::size_t fair =
        (64 + static_cast<std::size_t>(nodes) - 1) / static_cast<std::size_t>(nodes);
    std::size_t sum = 0;
    for (int who = 0; who < nodes; ++who) {
      const NodeId node = node_no(static_cast<std::uint64_t>(who));
      const auto held = tables.held_by(node).size();
      RC_ASSERT(held <= fair);
      const auto again = tables.beat(node);
      RC_ASSERT(again.take.empty());
      RC_ASSERT(again.asked.empty());
      RC_ASSERT(again.lacking == 0);
      sum += held;
    }
    RC_ASSERT(sum == 64U);
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace cronally::core
