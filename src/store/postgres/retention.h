// Pruning of the ledger in PostgreSQL: a day whose runs are all old enough goes with its
// partitions; what is to go of a day that stays goes row by row, in portions.
#pragma once

#include <mutex>
#include <optional>

#include "store/database.h"
#include "store/postgres/engine.h"

namespace cronally::store::postgres {

class PostgresRetention : public Retention {
 public:
  explicit PostgresRetention(Engine& engine) : engine_(engine) {}

  Pruned prune(const Keep& keep) override;
  std::int64_t runs_kept() override;

 private:
  // How far the round under way has looked: past open runs, which stay.
  struct Position {
    std::int64_t due = 0;
    std::int64_t run = 0;
  };
  struct Portion {
    Numbers runs;
    Numbers dues;
    Position position;
    bool more_runs = false;
  };

  std::optional<std::int64_t> ended_day(const Keep& keep);
  bool drop_day(std::int64_t day, Pruned& pruned);
  Portion find_runs(Connection& db, const Keep& keep, Instant now) const;
  static void erase_runs(Transaction& transaction, const Portion& portion, Pruned& pruned);

  Engine& engine_;
  std::mutex mutex_;  // one portion at a time
  Position position_;
};

}  // namespace cronally::store::postgres
