#include "core/lease.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace cronally::core {
namespace {

std::size_t index_of(ShardNo shard) { return static_cast<std::size_t>(shard.value); }

// How many shards the node should hold among those that live.
std::size_t fair_share(const Heartbeat& said, Instant now, const std::vector<NodeRow>& nodes) {
  if (said.draining) return 0;
  const auto others = std::ranges::count_if(nodes, [&](const NodeRow& row) {
    return row.node != said.node && !row.draining && row.ends > now;
  });
  const auto sharing = static_cast<std::size_t>(others) + 1;
  return (shard_count + sharing - 1) / sharing;
}

// What other nodes hold and will give back: all that a draining node holds, and of the others what
// is above the fair share.
std::size_t surplus_of_others(const Heartbeat& said, Instant now, const std::vector<NodeRow>& nodes,
                              const std::vector<LeaseRow>& leases, std::size_t fair) {
  std::size_t surplus = 0;
  for (const NodeRow& other : nodes) {
    if (other.node == said.node) continue;
    const auto held = static_cast<std::size_t>(std::ranges::count_if(
        leases, [&](const auto& row) { return row.holder == other.node && row.ends > now; }));
    const std::size_t keeps = other.draining ? 0 : fair;
    surplus += held - std::min(held, keeps);
  }
  return surplus;
}

}  // namespace

LeaseDecision decide_leases(const Heartbeat& said, Instant now, const std::vector<NodeRow>& nodes,
                            const std::vector<LeaseRow>& leases) {
  enum class Standing : std::uint8_t { free, mine, forgotten, others };
  std::array<Standing, shard_count> standing{};
  for (const LeaseRow& row : leases) {
    if (row.holder != said.node) {
      standing.at(index_of(row.shard)) = row.ends > now ? Standing::others : Standing::free;
    } else {
      const bool held =
          std::ranges::find(said.holds, Lease{row.shard, row.fence}) != said.holds.end();
      standing.at(index_of(row.shard)) = held ? Standing::mine : Standing::forgotten;
    }
  }
  const std::size_t fair = fair_share(said, now, nodes);
  LeaseDecision decision;
  for (std::size_t i = 0; i < standing.size(); ++i) {
    if (standing[i] == Standing::mine) decision.kept.push_back({static_cast<std::int64_t>(i)});
  }
  std::size_t held = decision.kept.size();
  for (std::size_t i = 0; i < standing.size(); ++i) {
    const ShardNo shard{static_cast<std::int64_t>(i)};
    if (standing[i] != Standing::free && standing[i] != Standing::forgotten) continue;
    if (held < fair) {
      decision.take.push_back(shard);
      ++held;
    } else if (standing[i] == Standing::forgotten) {
      decision.freed.push_back(shard);
    }
  }
  if (held > fair) {
    const auto surplus = static_cast<std::ptrdiff_t>(held - fair);
    decision.asked.assign(decision.kept.end() - surplus, decision.kept.end());
  } else {
    decision.lacking =
        static_cast<int>(std::min(fair - held, surplus_of_others(said, now, nodes, leases, fair)));
  }
  return decision;
}

}  // namespace cronally::core
