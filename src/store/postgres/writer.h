// Group commit: one connection and thread that take what has gathered while the last commit was
// under way, and commit it as one transaction, in order.
//
// There are two kinds. Writers of batches serve the machine: their transactions lock the rows of
// the shards they write. The writer of edits serves the API; it begins with the lock of `meta`, so
// that edits of all nodes stand in one line, which gives every edit an instant of its own, and a
// claim never waits for them.
//
// Neither writes to a server before a heartbeat has looked whether it was put back in time
// (docs/design/journal.md): a batch is refused, an edit waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "base/uuid.h"
#include "runtime/clock.h"
#include "store/postgres/bell.h"
#include "store/postgres/connection.h"
#include "store/postgres/hosts.h"
#include "store/postgres/reach.h"
#include "store/postgres/transaction.h"

namespace cronally::store::postgres {

// May be run a second time, when all of the first is undone: it sets what it captures anew. Not
// once its Done was called.
using Work = std::function<void(Transaction&)>;

// What became of a piece of work. Not committed, and no error: it may be committed or not.
struct Written {
  bool committed = false;
  std::exception_ptr error{};  // why it is not committed: nothing of it was written
};
using Done = std::function<void(Written)>;

class Writer {
 public:
  enum class Line { batches, edits };
  struct Options {
    Line line = Line::batches;
    ConnectionOptions connection;
    std::shared_ptr<const runtime::Clock> clock;  // its steady time is kept with each commit
    Instant resume_at{};  // as Acquisition::resume_at, when this process began
  };
  Writer(Options options, Hosts& hosts, Bell& bell, const Reach& reach);
  ~Writer();  // commits what is queued

  // Never waits: for the machine, which has two batches under way at most. Work on a batch begins
  // with Transaction::open, and so the transaction does: it costs no round trip of its own.
  void submit(Work work, Done done);

  // Waits for the commit; throws what `work` threw, what befalls the database as Unavailable, and
  // Unavailable at once while the database is away or too much waits already. Only for edits: where
  // a connection is lost during COMMIT, this finds out what became of it. By answer_by(now) it has
  // returned or thrown: Unavailable ("undecided") where the COMMIT was sent and is not answered, a
  // plain Unavailable where nothing was written.
  void write(Work work);

 private:
  struct Queued {
    Work work;
    Done done;
    SteadyInstant by = SteadyInstant::max();  // when it must be answered
    std::int64_t number = 0;
    std::exception_ptr error{};        // of the newest try
    std::exception_ptr first_error{};  // of the first try of unknown fate
  };
  using Group = std::vector<Queued>;
  // found: a try before it did commit. again: undone, and worth another try. unbegun: refused
  // before it was known whether a try before did commit.
  enum class Fate { committed, found, refused, unbegun, unknown, again };

  void run();
  Group next_group();
  void commit(Group& group);
  Fate commit_together(Group& group, Effects& effects);
  Fate try_commit(Group& group, const Uuid& mark, Effects& effects);
  void answer_overdue(Group& group, bool asked) const;
  void connect(SteadyInstant by);
  void connect_anew(SteadyInstant by);
  bool may_write() const;
  bool begin(const Uuid& mark);
  void perform_all(Group& group, Effects& effects, RunLog& log);
  std::exception_ptr perform(Work& work, Transaction& transaction, bool alone);
  Fate close(const RunLog& log, const Effects& effects);
  void add_log(std::vector<Call>& calls, const RunLog& log) const;
  void add_pruning(std::vector<Call>& calls);
  Fate failed(const PgError& error, bool closing);
  void roll_back();
  std::int64_t enqueue(Queued&& queued);
  bool withdraw(std::int64_t number);

  const Options options_;
  Hosts& hosts_;
  Bell& bell_;
  const Reach& reach_;
  const runtime::SystemClock steady_{runtime::SystemClock::Hooks::ignore};  // how long to try
  const Uuid id_;  // of the row in commit_clock
  const std::string boot_;

  std::unique_ptr<Connection> db_;
  RunNumbers numbers_;
  Days days_;
  Instant now_{};            // of the transaction under way
  std::vector<Call> begin_;  // of a batch's, until it is sent
  Instant last_stamp_{};
  Instant last_commit_{};
  Instant pruned_at_{};

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Queued> queue_;
  std::int64_t queued_ = 0;  // in all
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace cronally::store::postgres
