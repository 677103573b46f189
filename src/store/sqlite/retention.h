// Pruning of the ledger in the SQLite store, in portions that stand between other commits.
//
// What goes is found by a reader, along the index of `due` from the oldest on, and the reader also
// fetches the pages that deleting will touch: the writer then only deletes. Nothing is counted:
// the number of runs stands in `meta` and is written with every commit.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/database.h"
#include "store/sqlite/engine.h"

namespace cronally::store::sqlite {

class SqliteRetention : public Retention {
 public:
  explicit SqliteRetention(Engine& engine) : engine_(engine) {}

  Pruned prune(const Keep& keep) override;
  std::int64_t runs_kept() override;

 private:
  // How far the round under way has looked: past open runs, which stay.
  struct Position {
    std::int64_t due = 0;
    std::int64_t run = 0;
  };
  struct Portion {
    std::vector<RunNo> runs;
    std::vector<std::int64_t> spans;
    std::vector<std::pair<JobNo, std::string>> keys;
    Position position;
    bool more_runs = false;
    bool empty() const { return runs.empty() && spans.empty() && keys.empty(); }
  };

  Portion find(Connection& db, const Keep& keep, Instant now) const;
  void find_runs(Connection& db, const Keep& keep, Instant now, Portion& portion) const;
  static Pruned erase(Transaction& transaction, const Portion& portion);

  Engine& engine_;
  std::mutex mutex_;  // one portion at a time
  Position position_;
};

}  // namespace cronally::store::sqlite
