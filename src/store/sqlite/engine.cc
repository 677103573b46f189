#include "store/sqlite/engine.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <future>

#include "base/check.h"
#include "core/batch.h"
#include "runtime/log.h"

namespace cronally::store::sqlite {

using namespace std::chrono_literals;
namespace log = runtime::log;

namespace {

// Works that join one commit: bounds how long the first of them waits for the last.
constexpr std::size_t works_per_commit = 256;
// Work that waits for the writer beyond this is refused at the door (callers see an outage).
constexpr std::size_t queue_max = 10'000;
// The run change log and remembered answers, and how much of them goes in one commit.
constexpr Duration change_age_max = 10min;
constexpr Duration answer_age_max = 24h;
constexpr Duration prune_every = 10s;
constexpr std::int64_t changes_per_prune = 20'000;

// The log is written back into the database once it has so many pages (4 KiB each).
constexpr int log_pages_max = 2'000;

[[noreturn]] void rethrow_as_outage(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const SqliteError& sqlite) {
    if (sqlite.primary() == SQLITE_FULL) {
      throw Unavailable("the disk is full; nothing was written. Free space, then try again",
                        "disk_full");
    }
    throw Unavailable(std::string("the database refused the write: ") + sqlite.what());
  }
}

// Not a fault of the piece of work that met it, but of the file or the disk under all of them.
bool concerns_all(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const SqliteError& sqlite) {
    const int code = sqlite.primary();
    return code == SQLITE_FULL || code == SQLITE_IOERR || code == SQLITE_CORRUPT ||
           code == SQLITE_NOTADB;
  } catch (...) {
    return false;
  }
}

}  // namespace

void Effects::add(Effects&& more) {
  changes.insert(changes.end(), more.changes.begin(), more.changes.end());
  seen.insert(seen.end(), more.seen.begin(), more.seen.end());
  runs.insert(runs.end(), more.runs.begin(), more.runs.end());
  requested |= more.requested;
}

// ---- Bell -------------------------------------------------------------------------------------

void Bell::ring(const Effects& effects) {
  {
    std::lock_guard lock(mutex_);
    for (auto [shard, change] : effects.changes) {
      auto& known = changes_.at(static_cast<std::size_t>(shard.value));
      known = std::max(known, change);
    }
    for (auto [shard, seen] : effects.seen) {
      auto& known = seen_.at(static_cast<std::size_t>(shard.value));
      known = std::max(known, seen);
    }
    if (!effects.runs.empty()) ++run_tick_;
    if (effects.requested) ++requests_;
  }
  rung_.notify_all();
}

void Bell::interrupt() {
  {
    std::lock_guard lock(mutex_);
    interrupted_ = true;
  }
  rung_.notify_all();
}

std::uint64_t Bell::run_tick() const {
  std::lock_guard lock(mutex_);
  return run_tick_;
}

std::uint64_t Bell::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

std::array<std::int64_t, shard_count> Bell::changes() const {
  std::lock_guard lock(mutex_);
  return changes_;
}

void Bell::start(ShardNo shard, std::int64_t change, std::int64_t seen) {
  std::lock_guard lock(mutex_);
  changes_.at(static_cast<std::size_t>(shard.value)) = change;
  seen_.at(static_cast<std::size_t>(shard.value)) = seen;
}

template <class Condition>
bool Bell::wait(Duration timeout, Condition condition) {
  std::unique_lock lock(mutex_);
  rung_.wait_for(lock, timeout, [&] { return interrupted_ || condition(); });
  return condition();
}

bool Bell::wait_seen(ShardNo shard, std::int64_t change, Duration timeout) {
  auto at = static_cast<std::size_t>(shard.value);
  return wait(timeout, [&] { return seen_.at(at) >= change; });
}

bool Bell::wait_news(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                     std::uint64_t requests_known, Duration timeout) {
  return wait(timeout, [&] {
    if (requests_ != requests_known) return true;
    return std::ranges::any_of(since, [&](const auto& known) {
      return changes_.at(static_cast<std::size_t>(known.first.value)) > known.second;
    });
  });
}

// ---- Transaction ------------------------------------------------------------------------------

Instant Transaction::stamp() {
  last_stamp_ = std::max(now_, last_stamp_ + 1us);
  return last_stamp_;
}

std::int64_t Transaction::shard_changed(ShardNo shard) {
  db_.use("shard_change").bind(shard).run();
  auto row = db_.use("shard_change_read");
  row.bind(shard);
  CHECK(row.step(), "shards are made with the database");
  auto change = row.integer(0);
  effects_.changes.emplace_back(shard, change);
  return change;
}

// ---- Writer -----------------------------------------------------------------------------------

Writer::Writer(std::unique_ptr<Connection> connection, std::shared_ptr<const runtime::Clock> clock,
               Bell& bell, FileWatch::Options watch)
    : db_(std::move(connection)),
      clock_(std::move(clock)),
      bell_(bell),
      watch_(std::move(watch)),
      boot_(clock_->boot()) {
  {
    auto meta = db_->use("meta_read");
    CHECK(meta.step(), "the database has its meta row");
    const SteadyInstant steady{Duration{meta.integer(4)}};
    const bool same_boot = !boot_.empty() && meta.text(5) == boot_;
    // See Acquisition::resume_at; the first commit keeps it.
    resume_at_ = meta.instant(2) + (same_boot ? clock_->steady() - steady : core::lead_max);
    last_stamp_ = last_commit_ = resume_at_;
    runs_ = {.last = meta.integer(6), .count = meta.integer(7)};
  }
  // Instead of SQLite's own checkpoints, which tell nobody when their fsync fails.
  sqlite3_wal_hook(
      db_->handle(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &log_pages_);
  thread_ = std::thread([this] { run(); });
}

Writer::~Writer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_one();
  thread_.join();
}

void Writer::enqueue(Queued&& queued) {
  {
    std::lock_guard lock(mutex_);
    CHECK(!stopping_, "nobody writes to a store that closes");
    queue_.push_back(std::move(queued));
  }
  filled_.notify_one();
}

void Writer::check_room() {
  std::lock_guard lock(mutex_);
  if (queue_.size() < queue_max) return;
  throw Unavailable("the database has too many writes waiting; try again in a few seconds");
}

void Writer::submit(Work work, Done done, Need need) {
  enqueue({std::move(work), std::move(done), {}, need});
}

void Writer::write(Work work, Need need) {
  check_room();
  std::promise<std::exception_ptr> committed;
  submit(
      std::move(work), [&](std::exception_ptr error) { committed.set_value(std::move(error)); },
      need);
  if (auto error = committed.get_future().get()) rethrow_as_outage(error);
}

void Writer::between(std::function<void(Connection&)> task) {
  std::promise<std::exception_ptr> finished;
  Queued queued;
  queued.task = std::move(task);
  queued.done = [&](std::exception_ptr error) { finished.set_value(std::move(error)); };
  enqueue(std::move(queued));
  if (auto error = finished.get_future().get()) rethrow_as_outage(error);
}

// What is queued, as far as it may share a commit; or one task. Empty: it is time to look around,
// or to stop.
std::vector<Writer::Queued> Writer::next_group() {
  std::vector<Queued> group;
  std::unique_lock lock(mutex_);
  filled_.wait_for(lock, FileWatch::look_every, [this] { return stopping_ || !queue_.empty(); });
  while (!queue_.empty() && group.size() < works_per_commit) {
    if (queue_.front().task && !group.empty()) break;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (group.back().task) break;
  }
  return group;
}

void Writer::run() {
  while (true) {
    auto group = next_group();
    watch_.look(clock_->steady());
    if (group.empty()) {
      std::lock_guard lock(mutex_);
      if (stopping_ && queue_.empty()) return;
      continue;
    }
    if (!group.front().task) {
      commit(group);
      checkpoint();
      continue;
    }
    std::exception_ptr error;
    try {
      group.front().task(*db_);
    } catch (...) {
      error = std::current_exception();
    }
    group.front().done(std::move(error));
  }
}

void Writer::commit(std::vector<Queued>& group) {
  Errors errors(group.size());
  Effects effects;
  // Once more when the disk was found full: with the ballast's space, without what needs room.
  if (!try_commit(group, errors, effects)) try_commit(group, errors, effects);
  bell_.ring(effects);
  for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move(errors[i]));
}

// False: nothing was written, and the group may be tried again.
bool Writer::try_commit(std::vector<Queued>& group, Errors& errors, Effects& effects) {
  std::ranges::fill(errors, nullptr);
  effects = {};
  bool again = false;
  const auto runs = runs_;
  try {
    write_group(group, errors, effects);
    if (watch_.files_in_place()) return true;
    std::ranges::fill(errors, watch_.refusal(Need::little));
  } catch (const SqliteError& error) {
    std::ranges::fill(errors, std::current_exception());
    runs_ = runs;
    again = failed(error);
  }
  effects = {};
  return !again;
}

void Writer::write_group(std::vector<Queued>& group, Errors& errors, Effects& effects) {
  for (std::size_t i = 0; i < group.size(); ++i) errors[i] = watch_.refusal(group[i].need);
  const auto admitted = std::ranges::count(errors, nullptr);
  if (admitted == 0) return;
  db_->execute("BEGIN IMMEDIATE");
  const auto [now, steady] = clock_->now();
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (errors[i]) continue;
    const auto runs = runs_;
    Transaction transaction(*db_, now, last_stamp_, runs_);
    errors[i] = perform(group[i].work, transaction, admitted == 1);
    if (errors[i]) {
      runs_ = runs;
    } else {
      effects.add(std::move(transaction.effects()));
    }
  }
  log_changes(effects.runs, now);
  Transaction closing(*db_, now, last_stamp_, runs_);
  prune(closing);
  last_commit_ = std::max(last_commit_, now);
  db_->use("meta_commit")
      .bind(std::max(last_commit_, last_stamp_))
      .bind(steady.time_since_epoch().count())
      .bind(boot_)
      .bind(runs_.last)
      .bind(runs_.count)
      .run();
  db_->execute("COMMIT");
}

// What an error of the file means for the store. True: what met it may be tried once more.
bool Writer::failed(const SqliteError& error) {
  const int cause = sqlite3_system_errno(db_->handle());  // before anything else is called
  // The log's index and a quota report a lack of space as an error of input and output.
  const bool no_space = error.primary() == SQLITE_FULL ||
                        (error.primary() == SQLITE_IOERR && error.code() != SQLITE_IOERR_FSYNC &&
                         (cause == ENOSPC || cause == EDQUOT));
  if (error.primary() == SQLITE_IOERR && !no_space) {
    log::error("store",
               "the disk failed a write or an fsync; the server ends so that the next "
               "start reads what is really stored",
               {{"error", error.what()}});
    std::_Exit(74);  // EX_IOERR, sysexits(3)
  }
  if (!sqlite3_get_autocommit(db_->handle())) db_->execute("ROLLBACK");
  if (error.primary() == SQLITE_CORRUPT || error.primary() == SQLITE_NOTADB) {
    watch_.damaged(error.what());
  }
  return no_space && watch_.out_of_space();
}

// Writes the log back, as far as readers let it, when it has grown enough.
void Writer::checkpoint() {
  if (log_pages_ < log_pages_max) return;
  log_pages_ = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db_->handle(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) return;
  (void)failed(SqliteError(code, sqlite3_errmsg(db_->handle())));
}

// Undoes a failed piece alone; a failure that ended the whole transaction is thrown on. What is
// alone in its commit needs no savepoint, which keeps a copy of each page that is changed.
std::exception_ptr Writer::perform(Work& work, Transaction& transaction, bool alone) {
  if (!alone) db_->execute("SAVEPOINT work");
  try {
    work(transaction);
  } catch (...) {
    auto error = std::current_exception();
    if (sqlite3_get_autocommit(db_->handle()) || concerns_all(error)) throw;
    db_->execute(alone ? "ROLLBACK; BEGIN IMMEDIATE" : "ROLLBACK TO work; RELEASE work");
    return error;
  }
  if (!alone) db_->execute("RELEASE work");
  return nullptr;
}

// One statement for all: opening its table took most of the time that one for each run took.
void Writer::log_changes(const std::vector<RunNo>& runs, Instant now) {
  if (runs.empty()) return;
  std::string numbers = "[";
  for (const RunNo& run : runs) {
    if (numbers.size() > 1) numbers += ',';
    numbers += std::to_string(run.value);
  }
  numbers += ']';
  db_->use("runs_changed").bind(numbers).bind(now).run();
}

void Writer::prune(Transaction& transaction) {
  auto now = transaction.now();
  if (now >= pruned_at_ && now - pruned_at_ < prune_every) return;
  pruned_at_ = now;
  std::int64_t floor = 0;
  {
    auto gone = db_->use("change_prune");
    gone.bind(now - change_age_max).bind(changes_per_prune);
    while (gone.step()) floor = std::max(floor, gone.integer(0));
  }
  if (floor > 0) db_->use("change_floor_set").bind(floor).run();
  db_->use("idempotency_prune").bind(now - answer_age_max).run();
}

// ---- Readers ----------------------------------------------------------------------------------

std::unique_ptr<Connection> Readers::take() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !idle_.empty() || open_ < connections_max; });
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }
  ++open_;
  lock.unlock();
  try {
    auto connection = std::make_unique<Connection>(file_, Connection::Mode::read);
    connection->execute("PRAGMA query_only = ON; PRAGMA cache_size = -4096");
    sqlite3_busy_timeout(connection->handle(), 1000);
    connection->limit_statements(clock_, 1s);
    return connection;
  } catch (const SqliteError& error) {
    give_back(nullptr);
    throw Unavailable(std::string("the database cannot be read: ") + error.what());
  }
}

void Readers::give_back(std::unique_ptr<Connection> connection) {
  {
    std::lock_guard lock(mutex_);
    if (connection) {
      idle_.push_back(std::move(connection));
    } else {
      --open_;
    }
  }
  returned_.notify_one();
}

void Readers::Lease::fail(const SqliteError& error) {
  connection_.reset();
  throw Unavailable(std::string("the database cannot be read: ") + error.what());
}

}  // namespace cronally::store::sqlite
