// Tells those who wait what committed: of this process at once, of others as the listener hears of
// it.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace cronally::store::postgres {

// What a committed piece of work means for those who wait.
struct Effects {
  std::vector<std::pair<ShardNo, std::int64_t>> changes;  // shard's new change number
  std::vector<std::pair<ShardNo, std::int64_t>> seen;
  bool runs = false;       // some run changed
  bool requested = false;  // a run was requested
  void add(Effects&& more);
};

// Thread-safe.
class Bell {
 public:
  void ring(const Effects& effects);
  // What it was told of is forgotten: a database that was put back in time counts changes anew, and
  // one of them would pass for seen.
  void forget();
  // Ends a wait_news that is under way, or the next one; it returns as if timed out.
  void interrupt();

  std::uint64_t run_tick() const;
  std::array<std::int64_t, shard_count> changes() const;
  // The change that the shard's owner is known to have seen.
  std::int64_t seen(ShardNo shard) const;

  // Each waits until its condition holds (true), or `timeout` (false).
  bool wait_seen(ShardNo shard, std::int64_t change, Duration timeout);
  // Or an interrupt (false) besides those that `interrupts_known` counts, which it then does.
  bool wait_news(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                 std::uint64_t requests_known, std::uint64_t& interrupts_known, Duration timeout);
  std::uint64_t requests() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable rung_;
  std::array<std::int64_t, shard_count> changes_{};
  std::array<std::int64_t, shard_count> seen_{};
  std::uint64_t requests_ = 0;
  std::uint64_t run_tick_ = 0;
  std::uint64_t interrupts_ = 0;
};

}  // namespace cronally::store::postgres
