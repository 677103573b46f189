// What the roles of the SQLite store share: the writer, the readers, and the bell that rings
// after commits.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "runtime/clock.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/file_watch.h"

namespace cronally::store::sqlite {

// What a committed piece of work means for those who wait.
struct Effects {
  std::vector<std::pair<ShardNo, std::int64_t>> changes;  // shard's new change number
  std::vector<std::pair<ShardNo, std::int64_t>> seen;
  std::vector<RunNo> runs;  // that changed, in order
  bool requested = false;   // a run was requested
  void add(Effects&& more);
};

// Tells waiters what committed. Thread-safe.
class Bell {
 public:
  void ring(const Effects& effects);
  // Ends every wait from now on; they return as if timed out.
  void interrupt();

  std::uint64_t run_tick() const;
  std::array<std::int64_t, shard_count> changes() const;
  void start(ShardNo shard, std::int64_t change, std::int64_t seen);

  // Each waits until its condition holds (true), or `timeout` or interrupt() (false).
  bool wait_seen(ShardNo shard, std::int64_t change, Duration timeout);
  bool wait_news(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                 std::uint64_t requests_known, Duration timeout);
  std::uint64_t requests() const;

 private:
  template <class Condition>
  bool wait(Duration timeout, Condition condition);

  mutable std::mutex mutex_;
  std::condition_variable rung_;
  std::array<std::int64_t, shard_count> changes_{};
  std::array<std::int64_t, shard_count> seen_{};
  std::uint64_t requests_ = 0;
  std::uint64_t run_tick_ = 0;
  bool interrupted_ = false;
};

// How many runs there are, and the newest number that one was given.
struct RunTally {
  std::int64_t last = 0;
  std::int64_t count = 0;
};

// One piece of work inside the transaction under way.
class Transaction {
 public:
  Transaction(Connection& db, Instant now, Instant& last_stamp, RunTally& runs)
      : db_(db), now_(now), last_stamp_(last_stamp), runs_(runs) {}

  Connection& db() { return db_; }
  Instant now() const { return now_; }
  // An instant for an edit: now, but later than every stamp before it, so that no two edits of a
  // store share one.
  Instant stamp();
  Effects& effects() { return effects_; }

  // The number for a run that is about to be inserted; run_added() once its row is there. A number
  // is never given again, or a key would one day lead to another run.
  RunNo next_run() const { return {runs_.last + 1}; }
  void run_added() {
    ++runs_.last;
    ++runs_.count;
  }
  void runs_removed(std::int64_t count) { runs_.count -= count; }

  // Appends to the run change log, when the group is whole.
  void run_changed(RunNo run) { effects_.runs.push_back(run); }
  // Raises the shard's change number.
  std::int64_t shard_changed(ShardNo shard);

 private:
  Connection& db_;
  Instant now_;
  Instant& last_stamp_;
  RunTally& runs_;
  Effects effects_;
};

// May be run a second time, when all of the first is undone: it sets what it captures anew.
using Work = std::function<void(Transaction&)>;
// Null when the work is committed, else why it is not: nothing of it was written.
using Done = std::function<void(std::exception_ptr)>;

// The one connection and thread that write. What is queued while a commit is under way joins the
// next one (group commit), in order; a piece of work that throws is undone alone.
//
// A failed fsync, of a commit or of a checkpoint, ends the process: the kernel may have dropped
// the pages, and a retry would report success (PostgreSQL calls it "fsyncgate"); the next start
// reads what is really there. A full disk, a removed file and a damaged one: file_watch.h.
class Writer {
 public:
  Writer(std::unique_ptr<Connection> connection, std::shared_ptr<const runtime::Clock> clock,
         Bell& bell, FileWatch::Options watch = {});
  ~Writer();  // commits what is queued

  // As Acquisition::resume_at, when the database was opened.
  Instant resume_at() const { return resume_at_; }

  // Never waits: for the machine, which has two batches under way at most.
  void submit(Work work, Done done, Need need = Need::little);

  // Waits for the commit; throws what `work` threw, SQLite's errors as Unavailable, and
  // Unavailable at once while too much waits already.
  void write(Work work, Need need = Need::little);

  // Runs `task` on the writer's thread between two commits, and waits for it. It reads: of what
  // befalls the files it takes no notice.
  void between(std::function<void(Connection&)> task);

 private:
  struct Queued {
    Work work;
    Done done;
    std::function<void(Connection&)> task;  // instead of work
    Need need = Need::little;
  };
  using Errors = std::vector<std::exception_ptr>;  // one for each piece of a group

  void run();
  std::vector<Queued> next_group();
  void commit(std::vector<Queued>& group);
  bool try_commit(std::vector<Queued>& group, Errors& errors, Effects& effects);
  void write_group(std::vector<Queued>& group, Errors& errors, Effects& effects);
  bool failed(const SqliteError& error);
  std::exception_ptr perform(Work& work, Transaction& transaction, bool alone);
  void log_changes(const std::vector<RunNo>& runs, Instant now);
  void checkpoint();
  void prune(Transaction& transaction);
  void enqueue(Queued&& queued);
  void check_room();

  std::unique_ptr<Connection> db_;
  std::shared_ptr<const runtime::Clock> clock_;
  Bell& bell_;
  FileWatch watch_;
  int log_pages_ = 0;  // of the WAL, after the newest commit
  Instant last_stamp_{};
  std::string boot_;
  Instant resume_at_;
  Instant last_commit_{};
  Instant pruned_at_{};
  RunTally runs_;

  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Queued> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

// At most four read-only connections. A read sees one snapshot and lasts a second at most per
// statement, so that no reader holds the WAL back.
class Readers {
 public:
  Readers(std::filesystem::path file, std::shared_ptr<const runtime::Clock> clock)
      : file_(std::move(file)), clock_(std::move(clock)) {}

  template <class Read>
  auto read(Read&& read) {
    Lease lease(*this);
    return lease.run(std::forward<Read>(read));
  }

 private:
  static constexpr std::size_t connections_max = 4;

  class Lease {
   public:
    explicit Lease(Readers& readers) : readers_(readers), connection_(readers.take()) {}
    ~Lease() { readers_.give_back(std::move(connection_)); }
    template <class Read>
    auto run(Read&& read) {
      try {
        connection_->execute("BEGIN");
        auto result = read(*connection_);
        connection_->execute("COMMIT");
        return result;
      } catch (const SqliteError& error) {
        fail(error);
      } catch (...) {
        connection_.reset();  // its snapshot ends with it
        throw;
      }
    }

   private:
    [[noreturn]] void fail(const SqliteError& error);
    Readers& readers_;
    std::unique_ptr<Connection> connection_;
  };

  std::unique_ptr<Connection> take();
  void give_back(std::unique_ptr<Connection> connection);

  const std::filesystem::path file_;
  const std::shared_ptr<const runtime::Clock> clock_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Connection>> idle_;
  std::size_t open_ = 0;
};

struct Engine {
  Engine(std::filesystem::path file, std::unique_ptr<Connection> connection,
         std::shared_ptr<const runtime::Clock> with_clock, FileWatch::Options watch = {})
      : clock(std::move(with_clock)),
        writer(std::move(connection), clock, bell, std::move(watch)),
        readers(std::move(file), clock) {}

  const std::shared_ptr<const runtime::Clock> clock;
  Bell bell;
  Writer writer;
  Readers readers;  // ends before the writer
};

}  // namespace cronally::store::sqlite
