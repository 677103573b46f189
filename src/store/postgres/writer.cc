#include "store/postgres/writer.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "runtime/log.h"
#include "runtime/random.h"
#include "store/postgres/news.h"

namespace cronally::store::postgres {

using namespace std::chrono_literals;
namespace log = runtime::log;

namespace {

// Works that join one commit: bounds how long the first of them waits for the last.
constexpr std::size_t works_per_commit = 256;
// Work that waits for the writer beyond this is refused at the door (callers see an outage).
constexpr std::size_t queue_max = 10'000;
// Tries of a group that was undone by a lost connection, a deadlock or a missing partition.
constexpr int tries_max = 5;
// The pause between two questions after an edit of unknown fate.
constexpr Duration ask_every = 100ms;
// The log of changes, remembered answers, marks of commits, and how often the old ones are removed.
constexpr Duration change_age_max = 10min;
constexpr Duration answer_age_max = 24h;
constexpr Duration mark_age_max = 1h;
constexpr Duration prune_every = 10s;

// Transactions that another one stood in the way of (PostgreSQL's manual, appendix A).
bool lost_a_race(const std::string& state) { return state == "40001" || state == "40P01"; }

std::exception_ptr undecided() {
  return std::make_exception_ptr(Unavailable(
      "whether this write was done is not known: the database went away while it committed; look "
      "before you try again",
      "undecided"));
}

Unavailable overdue() {
  return Unavailable("the database did not get to this write in time; nothing of it was written");
}

[[noreturn]] void rethrow_as_outage(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const PgError& pg) {
    throw Unavailable(outage_text(pg));
  }
}

}  // namespace

Writer::Writer(Options options, Hosts& hosts, Bell& bell, const Reach& reach)
    : options_(std::move(options)),
      hosts_(hosts),
      bell_(bell),
      reach_(reach),
      id_(runtime::random_uuid_v4()),
      boot_(options_.clock->boot()),
      last_commit_(options_.resume_at) {
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

std::int64_t Writer::enqueue(Queued&& queued) {
  std::int64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    CHECK(!stopping_, "nobody writes to a store that closes");
    number = queued.number = ++queued_;
    queue_.push_back(std::move(queued));
  }
  filled_.notify_one();
  return number;
}

// False: it is under way already, and will be answered.
bool Writer::withdraw(std::int64_t number) {
  std::lock_guard lock(mutex_);
  return std::erase_if(queue_, [&](const auto& queued) { return queued.number == number; }) > 0;
}

void Writer::submit(Work work, Done done) {
  enqueue({.work = std::move(work), .done = std::move(done)});
}

void Writer::write(Work work) {
  CHECK(options_.line == Line::edits, "whoever waits for a batch takes its fate as a value");
  reach_.require();
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max) {
      throw Unavailable("the database has too many writes waiting; try again in a few seconds");
    }
  }
  const auto by = answer_by(steady_.steady());
  std::promise<std::exception_ptr> written;
  auto answer = written.get_future();
  const auto number =
      enqueue({.work = std::move(work),
               .done = [&](Written fate) { written.set_value(std::move(fate.error)); },
               .by = by});
  if (answer.wait_for(by - steady_.steady()) == std::future_status::timeout && withdraw(number)) {
    throw overdue();
  }
  if (auto error = answer.get()) rethrow_as_outage(error);
}

// What is queued, as far as it may share a commit. Empty: it is time to stop.
Writer::Group Writer::next_group() {
  Group group;
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  while (!queue_.empty() && group.size() < works_per_commit) {
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void Writer::run() {
  for (auto group = next_group(); !group.empty(); group = next_group()) commit(group);
}

void Writer::commit(Group& group) {
  Effects effects;
  const auto fate = commit_together(group, effects);
  if (fate == Fate::refused && options_.line == Line::batches && group.size() > 1) {
    for (auto& one : group) {  // whose fault it was, the others shall not bear
      Group alone;
      alone.push_back(std::move(one));
      commit(alone);
    }
    return;
  }
  if (fate == Fate::committed) bell_.ring(effects);
  for (auto& one : group) {
    const bool committed = fate == Fate::committed && !one.error;
    one.done({.committed = committed, .error = std::move(one.error)});
  }
}

// Tries until the fate of the group is known, or is to be told as unknown, or nobody waits for it.
Writer::Fate Writer::commit_together(Group& group, Effects& effects) {
  const Uuid mark = runtime::random_uuid_v4();
  bool asked = false;  // a try of unknown fate went before; what it came to, but for its commit:
  Effects first_effects;
  answer_overdue(group, asked);
  for (int tries = 1; !group.empty(); ++tries) {
    const auto fate = try_commit(group, mark, effects);
    if (fate == Fate::committed) return fate;
    if (fate == Fate::unknown && options_.line == Line::batches) return fate;
    if (fate == Fate::found) {
      for (auto& one : group) one.error = std::move(one.first_error);
      effects = std::move(first_effects);
      return Fate::committed;
    }
    if (fate == Fate::unknown && !std::exchange(asked, true)) {
      for (auto& one : group) one.first_error = one.error;
      first_effects = effects;
    }
    // Those that wait for an edit have waited long enough where the server is found to be away.
    const bool hopeless = options_.line == Line::edits && reach_.away();
    if (!asked && (fate != Fate::again || tries == tries_max || hopeless)) return Fate::refused;
    if (fate == Fate::refused) return fate;  // it could ask: the first did not commit
    answer_overdue(group, asked);
    if (asked && !group.empty()) std::this_thread::sleep_for(ask_every);
  }
  return Fate::unknown;
}

// Those that have no more time; their work is not done again. `asked`: it may have committed.
void Writer::answer_overdue(Group& group, bool asked) const {
  const auto now = steady_.steady();
  std::erase_if(group, [&](Queued& one) {
    if (one.by > now) return false;
    one.done({.error = asked ? undecided() : std::make_exception_ptr(overdue())});
    return true;
  });
}

// One transaction, over by the time that the first of the group must be answered. On `refused`,
// `unbegun` and `again` the errors say why; on `unknown` they are those of the pieces that were
// undone alone.
Writer::Fate Writer::try_commit(Group& group, const Uuid& mark, Effects& effects) {
  // Each has an exception of its own: those who wait are threads of their own.
  const auto fail_all = [&](const auto& error) {
    for (auto& one : group) one.error = std::make_exception_ptr(error);
  };
  for (auto& one : group) one.error = nullptr;
  effects = {};
  bool begun = false;
  bool closing = false;
  try {
    connect(std::ranges::min_element(group, {}, &Queued::by)->by);
    if (begin(mark)) {
      // A write, so that what this commit waits for covers the first.
      closing = true;
      return close({}, {}) == Fate::committed ? Fate::found : Fate::unknown;
    }
    begun = true;
    RunLog log;
    perform_all(group, effects, log);
    closing = true;
    return close(log, effects);
  } catch (const MissingDay& missing) {
    fail_all(overdue());  // should this have been the last try
    try {
      roll_back();
      if (!db_) return Fate::again;
      db_->run("run_day_make", std::move(Params().add(missing.day)));
      days_.insert(missing.day);
      return Fate::again;
    } catch (const PgError& error) {
      fail_all(error);
      return failed(error, false);
    }
  } catch (const PgError& error) {
    const auto fate = db_ ? failed(error, closing) : Fate::refused;
    if (fate != Fate::unknown) fail_all(error);
    return fate == Fate::refused && !begun ? Fate::unbegun : fate;
  } catch (...) {  // of a batch: what it wrote before must not be committed
    for (auto& one : group) one.error = std::current_exception();
    roll_back();
    return Fate::refused;
  }
}

Writer::Fate Writer::failed(const PgError& error, bool closing) {
  if (error.lost()) {
    db_.reset();
    return closing ? Fate::unknown : Fate::again;
  }
  roll_back();
  if (error.state() == "25006") {  // the server became a standby: another one takes writes
    db_.reset();
    return Fate::again;
  }
  if (error.state() == "23514") {  // a partition that was known is gone
    days_.clear();
    return Fate::again;
  }
  return lost_a_race(error.state()) ? Fate::again : Fate::refused;
}

void Writer::roll_back() {
  try {
    if (db_ && db_->in_transaction()) db_->run("rollback");
  } catch (const PgError&) {
    db_.reset();  // which undoes it as well
  }
}

// What is there may go on, or another one takes its place; its exchanges end by then. It leads to
// the server that the last heartbeat looked at: a batch comes again otherwise, an edit waits.
void Writer::connect(SteadyInstant by) {
  // Of a server that has begun anew since, it is dead, though nobody has noticed.
  if (db_ && (!hosts_.keeps(*db_) || !may_write())) db_.reset();
  if (!db_) connect_anew(by);
  const bool edits = options_.line == Line::edits;
  while (!may_write()) {
    if (!edits || steady_.steady() >= by) {  // of other edits the time may not be over: again
      throw PgError("", "no heartbeat has looked at the server since it began", edits);
    }
    if (!hosts_.await_judged(*db_, by)) connect_anew(by);
  }
  db_->end_by(by);
}

bool Writer::may_write() const {
  return options_.line == Line::batches ? hosts_.is_judged(*db_) : hosts_.takes_edits(*db_);
}

void Writer::connect_anew(SteadyInstant by) {
  db_.reset();
  db_ = hosts_.connect(options_.connection, by);
  numbers_.leave_block();
  days_.clear();
}

// True: the group is committed already, by a try whose fate was not known.
bool Writer::begin(const Uuid& mark) {
  if (options_.line == Line::batches) {
    begin_ = {{"begin"}, {"clock_read"}};
    return false;
  }
  const auto rows = db_->run({{"begin"},
                              {"meta_lock"},  // waits for a try before, if that is still under way
                              {"commit_mark_insert", std::move(Params().add(mark))},
                              {"clock_read"}});
  now_ = rows[3][0].instant(0);
  last_stamp_ = rows[1][0].instant(0);
  return rows[2].empty();
}

void Writer::perform_all(Group& group, Effects& effects, RunLog& log) {
  const Transaction::Shared shared{.db = *db_,
                                   .begin = begin_,
                                   .now = now_,
                                   .last_stamp = last_stamp_,
                                   .numbers = numbers_,
                                   .days = days_};
  for (auto& one : group) {
    Transaction transaction(shared);
    one.error = perform(one.work, transaction, group.size() == 1);
    if (one.error) continue;
    transaction.effects().runs = !transaction.log().changed.empty();
    effects.add(std::move(transaction.effects()));
    log.add(std::move(transaction.log()));
  }
}

// Undoes a failed edit alone; a batch that fails ends the whole transaction.
std::exception_ptr Writer::perform(Work& work, Transaction& transaction, bool alone) {
  const bool guarded = options_.line == Line::edits && !alone;
  if (guarded) db_->run("savepoint");
  try {
    work(transaction);
  } catch (const MissingDay&) {
    throw;
  } catch (const PgError& error) {
    if (!guarded || error.lost() || lost_a_race(error.state()) || error.state() == "25006") throw;
    db_->run({{"savepoint_undo"}, {"savepoint_release"}});
    return std::current_exception();
  } catch (...) {
    if (!guarded) throw;
    db_->run({{"savepoint_undo"}, {"savepoint_release"}});
    return std::current_exception();
  }
  if (guarded) db_->run("savepoint_release");
  return nullptr;
}

// What every transaction writes last, and COMMIT, in one exchange.
Writer::Fate Writer::close(const RunLog& log, const Effects& effects) {
  std::vector<Call> calls = log.last;
  add_log(calls, log);
  last_commit_ = std::max({last_commit_, last_stamp_, now_});
  if (options_.line == Line::edits) {
    calls.push_back({"meta_stamp", std::move(Params().add(std::max(last_stamp_, now_)))});
  }
  Params clock;
  clock.add(id_).add(boot_).add(last_commit_);
  clock.add(options_.clock->steady().time_since_epoch());
  calls.push_back({"commit_clock_write", std::move(clock)});
  if (auto news = write_news(effects, bell_); !news.empty()) {
    calls.push_back({"notify", std::move(Params().add(news))});
  }
  add_pruning(calls);
  // A commit that is cancelled while it waits for a standby answers success (F27).
  calls.push_back({"unlimited"});
  calls.push_back({"commit"});
  (void)db_->take_warned();
  const auto rows = db_->run(std::move(calls));
  if (rows.back().tag() != "COMMIT") {
    throw PgError("", "the server undid the transaction instead of committing it", false);
  }
  if (!db_->take_warned()) {
    hosts_.committed(*db_);
    return Fate::committed;
  }
  log::warning("store", "the server committed with a warning: the commit may not be replicated");
  db_.reset();
  return Fate::unknown;
}

// Each shard's changed runs, side by side in one array of which the shard has a slice.
void Writer::add_log(std::vector<Call>& calls, const RunLog& log) const {
  if (log.empty()) return;
  std::vector<std::vector<RunNo>> changed(shard_count);
  for (const auto& [shard, run] : log.changed) {
    changed.at(static_cast<std::size_t>(shard.value)).push_back(run);
  }
  Numbers shards;
  Numbers lows;
  Numbers highs;
  Numbers added;
  Numbers runs;
  std::int64_t low = 1;  // arrays begin at 1
  for (std::size_t shard = 0; shard < changed.size(); ++shard) {
    if (changed[shard].empty() && log.added[shard] == 0) continue;
    const auto high = low + std::ssize(changed[shard]) - 1;
    shards.add(static_cast<std::int64_t>(shard));
    lows.add(low);
    highs.add(high);
    added.add(log.added[shard]);
    for (const RunNo run : changed[shard]) runs.add(run);
    low = high + 1;
  }
  Params params;
  params.add(shards).add(lows).add(highs).add(added).add(runs).add(now_);
  calls.push_back({"runs_changed", std::move(params)});
}

void Writer::add_pruning(std::vector<Call>& calls) {
  if (now_ >= pruned_at_ && now_ - pruned_at_ < prune_every) return;
  pruned_at_ = now_;
  if (options_.line == Line::batches) {
    calls.push_back({"changes_prune", std::move(Params().add(now_ - change_age_max))});
    return;
  }
  calls.push_back({"idempotency_prune", std::move(Params().add(now_ - answer_age_max))});
  calls.push_back({"commit_marks_prune", std::move(Params().add(now_ - mark_age_max))});
}

}  // namespace cronally::store::postgres
