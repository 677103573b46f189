// One piece of work inside the transaction under way.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "store/postgres/bell.h"
#include "store/postgres/connection.h"

namespace cronally::store::postgres {

// The day of an instant since 1970: what `run` is partitioned by.
std::int64_t day_of(Instant at);

// A run's number carries the day of its due in its high bits, so that it leads to its partition.
inline constexpr int run_day_shift = 40;
std::int64_t day_of(RunNo run);

// The dues that a run of one of these numbers can have: what a statement is told, so that the
// server looks at the partitions of these days alone.
struct DueBounds {
  Instant from = Instant::max();
  Instant until = Instant::min();  // exclusive
  void cover(RunNo run);
  // As parameters; nothing covered: an empty range.
  Params& add_to(Params& params) const;
};

// Numbers for new runs, taken from the database in blocks. None is given twice: a key would one day
// lead to another run.
class RunNumbers {
 public:
  RunNo next(Connection& db, Instant due);
  // After a connection is lost: a server that was put back in time gives blocks once more, and this
  // process may have runs of them under way. The rest of the block is left, and none is taken that
  // is not newer.
  void leave_block() { next_ = end_; }

 private:
  std::int64_t next_ = 0;
  std::int64_t end_ = 0;
};

// The days whose partitions are known to exist.
using Days = std::set<std::int64_t>;

// Thrown by a piece of work whose rows have no partition yet: all is undone, the partition made,
// and the work done once more.
struct MissingDay {
  std::int64_t day;
};

// What a transaction changed of runs, for the log of changes and the count of runs; and what else
// is written with it, in the exchange of the commit.
struct RunLog {
  std::vector<std::pair<ShardNo, RunNo>> changed;  // in order
  std::array<std::int64_t, shard_count> added{};   // less those removed
  std::vector<Call> last;
  void add(RunLog&& more);
  bool empty() const;
};

class Transaction {
 public:
  struct Shared {
    Connection& db;
    std::vector<Call>& begin;  // what it begins with, the clock last; empty once that is sent
    Instant& now;
    Instant& last_stamp;
    RunNumbers& numbers;
    const Days& days;
  };
  explicit Transaction(const Shared& shared) : shared_(shared) {}

  Connection& db() { return shared_.db; }
  // What a batch does first: one exchange, with which the transaction begins if it has not.
  std::vector<Rows> open(std::vector<Call> calls);
  // The database's clock when the transaction began.
  Instant now() const { return shared_.now; }
  // An instant for an edit: now, but later than every stamp before it, so that no two edits of a
  // store share one. Only in works of the writer of edits, which holds the lock of `meta`.
  Instant stamp();
  Effects& effects() { return effects_; }
  RunLog& log() { return log_; }

  // A new run's number; throws MissingDay where its partition does not exist.
  RunNo next_run(Instant due);
  // Throws MissingDay where the run's partition does not exist.
  void need_day_of(RunNo run) const;
  // Whose answer nobody needs: it leaves with the commit.
  void write_last(Call call) { log_.last.push_back(std::move(call)); }
  void run_changed(ShardNo shard, RunNo run) { log_.changed.emplace_back(shard, run); }
  void runs_added(ShardNo shard, std::int64_t count) {
    log_.added.at(static_cast<std::size_t>(shard.value)) += count;
  }
  // Raises the change number of each shard by `counts` of it, and returns the numbers before.
  std::array<std::int64_t, shard_count> shards_changed(
      const std::array<std::int64_t, shard_count>& counts);

 private:
  const Shared& shared_;
  Effects effects_;
  RunLog log_;
};

}  // namespace cronally::store::postgres
