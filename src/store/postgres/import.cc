#include "store/postgres/import.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/clock.h"
#include "runtime/random.h"
#include "store/postgres/address.h"
#include "store/postgres/copy_in.h"
#include "store/postgres/engine.h"
#include "store/postgres/open.h"
#include "store/postgres/transaction.h"

namespace cronally::store {

using namespace std::chrono_literals;
using postgres::Connection;
using postgres::ConnectionOptions;
using postgres::CopyIn;
using postgres::Numbers;
using postgres::Params;
using postgres::PgError;

namespace {

constexpr Duration undecided_max = 60s;
constexpr Duration ask_every = 1s;
// Rows between two reports of progress.
constexpr std::int64_t report_every = 5'000;

// A table and how its cells are written, a letter for each: n bigint, i integer, s smallint,
// f boolean, t text or bytea, u uuid, j jsonb, r a run's number whose due is the next cell,
// - not at all.
struct Shape {
  TransferTable table;
  std::string_view statement;
  std::string_view letters;
};

constexpr std::array shapes{
    Shape{TransferTable::accounts, "move_in_accounts", "nutttttut"},
    Shape{TransferTable::tokens, "move_in_tokens", "nunttfn"},
    Shape{TransferTable::secrets, "move_in_secrets", "unt"},
    Shape{TransferTable::jobs, "move_in_jobs", "nunstjiinsfnnnttsnsinnnsnitt"},
    Shape{TransferTable::revisions, "move_in_revisions", "nitttsntnn"},
    Shape{TransferTable::leases, "move_in_leases", "nun"},
    Shape{TransferTable::runs, "move_in_runs", "rnunsistnssnin"},
    Shape{TransferTable::open_runs, "move_in_open_runs", "rnunsisnsniniin"},
    Shape{TransferTable::attempts, "move_in_attempts", "r-iinsinntt"},
    Shape{TransferTable::keys, "move_in_keys", "ntrn"},
    Shape{TransferTable::spans, "move_in_spans", "nninnsn"},
    Shape{TransferTable::notices, "move_in_notices", "nnunu"},
    Shape{TransferTable::batches, "move_in_batches", "nuin"},
    Shape{TransferTable::answers, "move_in_answers", "ntttn"},
};

std::int64_t integer_of(const TransferCell& cell) { return std::get<std::int64_t>(cell); }

// The number that leads to the partition of its due.
std::int64_t placed(std::int64_t run, Instant due) {
  constexpr std::int64_t low_bits = (std::int64_t{1} << postgres::run_day_shift) - 1;
  return postgres::day_of(due) << postgres::run_day_shift | (run & low_bits);
}

void write_cell(CopyIn& copy, char letter, const TransferRow& row, std::size_t at) {
  const auto& cell = row[at];
  if (letter == '-') return;
  if (std::holds_alternative<std::monostate>(cell)) {
    copy.null();
    return;
  }
  switch (letter) {
    case 'n': copy.integer(integer_of(cell), 8); return;
    case 'i': copy.integer(integer_of(cell), 4); return;
    case 's': copy.integer(integer_of(cell), 2); return;
    case 'f': copy.integer(integer_of(cell), 1); return;
    case 'j': copy.json(std::get<std::string_view>(cell)); return;
    case 'r':
      copy.integer(placed(integer_of(cell), instant_from_us(integer_of(row[at + 1]))), 8);
      return;
    default: copy.bytes(std::get<std::string_view>(cell)); return;
  }
}

// Nothing here is in a hurry, but for locks: who has them is a server, or another move.
ConnectionOptions move_options(const std::string& address) {
  auto options = postgres::connection_options(address, "move");
  options.exchange_max = 30min;
  options.settings.emplace_back("SET statement_timeout = 0");
  // It waits for our disk, too; a host that died is noticed by then.
  options.settings.emplace_back("SET idle_in_transaction_session_timeout = '10min'");
  return options;
}

// What the try of this id came to; waits until no other one is under way.
std::optional<MovedIn> find_move(Connection& db, const Uuid& id) {
  const auto rows =
      db.run({{"begin"}, {"meta_lock"}, {"move_in_find", std::move(Params().add(id))}, {"commit"}});
  if (rows[2].empty()) return std::nullopt;
  return MovedIn{.generation = rows[2][0].integer(0), .before = true};
}

class Mover {
 public:
  Mover(Connection& db, TransferSource& source, const MoveIn& how)
      : db_(db), source_(source), how_(how), mark_(source.mark()) {}

  // Partitions first, each in a transaction of its own: made in the great one, hundreds of them
  // would hold more locks than a server has room for. Empty ones harm nobody.
  Result<void> prepare() {
    const Instant now = db_.run("clock_read")[0].instant(0);
    if (now <= mark_.last_commit) {
      return fail("clock_behind", "the newest commit was made at " +
                                      format_instant(mark_.last_commit) +
                                      ", and by the database's clock (" + format_instant(now) +
                                      ") that is yet to come; set the clocks right first");
    }
    for (const auto day : source_.days()) db_.run("run_day_make", std::move(Params().add(day)));
    return {};
  }

  Result<MovedIn> write() {
    // In this order: heartbeats of a server that starts meanwhile stand behind us, and its edits.
    db_.run({{"begin"}, {"leases_lock"}, {"meta_lock"}});
    if (auto empty = check_empty(); !empty) return fail(empty.error());
    for (const auto& shape : shapes) copy(shape);
    moved_.generation = settle();
    how_.before_commit(moved_.generation);
    return moved_;
  }

 private:
  Result<void> check_empty() {
    const auto rows = db_.run({{"nodes_live"}, {"move_in_stands_against"}});
    if (rows[0][0].integer(0) > 0) {
      return fail("target_in_use",
                  "a server runs on the target database, or did a moment ago; stop it, and try "
                  "again in a few seconds");
    }
    if (rows[1][0].flag(0)) {
      return fail("target_not_empty",
                  "the target database holds Cronally's data already; name an empty database, or "
                  "drop its schema: DROP SCHEMA cronally CASCADE");
    }
    return {};
  }

  void copy(const Shape& shape) {
    CopyIn copy(db_, shape.statement);
    std::int64_t rows = 0;
    const auto fields = shape.letters.size() - (shape.letters.contains('-') ? 1 : 0);
    source_.read(shape.table, [&](const TransferRow& row) {
      CHECK(row.size() == shape.letters.size(), "a row has its table's columns");
      copy.row(fields);
      for (std::size_t i = 0; i < row.size(); ++i) write_cell(copy, shape.letters[i], row, i);
      ++rows;
      count(shape.table, row);
    });
    CHECK(copy.finish() == rows, "the server took every row");
  }

  void count(TransferTable table, const TransferRow& row) {
    if (table == TransferTable::jobs) ++moved_.jobs;
    if (table == TransferTable::attempts) ++moved_.attempts;
    if (table == TransferTable::runs) {
      ++moved_.runs;
      ++runs_.at(static_cast<std::size_t>(integer_of(row[4])));
    }
    if (++written_ % report_every == 0) how_.progress(written_);
  }

  // What is no table of rows; answers the generation.
  std::int64_t settle() {
    Numbers shards, cursors, fences, changes, seen, runs;
    source_.read(TransferTable::shards, [&](const TransferRow& row) {
      const auto shard = integer_of(row[0]);
      shards.add(shard);
      cursors.add(integer_of(row[1]));
      fences.add(integer_of(row[2]));
      changes.add(integer_of(row[3]));
      seen.add(integer_of(row[4]));
      runs.add(runs_.at(static_cast<std::size_t>(shard)));
    });
    Params of_shards;
    of_shards.add(shards).add(cursors).add(fences).add(changes).add(seen).add(runs);
    Params clock;
    clock.add(runtime::random_uuid_v4()).add(mark_.boot).add(mark_.last_commit);
    clock.add(mark_.last_steady);
    constexpr int block_shift = 16;  // of postgres::RunNumbers
    const auto rows =
        db_.run({{"move_in_requested"},
                 {"move_in_shards", std::move(of_shards)},
                 {"meta_stamp", std::move(Params().add(mark_.last_commit))},
                 {"commit_clock_write", std::move(clock)},
                 {"move_in_numbers", std::move(Params().add((mark_.run_last >> block_shift) + 1))},
                 {"move_in_generation", std::move(Params().add(mark_.generation))}});
    const auto generation = rows.back()[0].integer(0);
    db_.run("move_in_done", std::move(Params().add(how_.id).add(generation)));
    return generation;
  }

  Connection& db_;
  TransferSource& source_;
  const MoveIn& how_;
  const TransferMark mark_;
  std::array<std::int64_t, shard_count> runs_{};
  std::int64_t written_ = 0;
  MovedIn moved_;
};

// A COMMIT whose answer was lost: the row of `meta` that the move locks tells when it has ended.
Result<MovedIn> find_out(postgres::Hosts& hosts, const ConnectionOptions& options,
                         const MoveIn& how, MovedIn moved) {
  const runtime::SystemClock steady{runtime::SystemClock::Hooks::ignore};
  const auto until = steady.steady() + undecided_max;
  while (true) {
    try {
      const auto db = hosts.connect(options);
      if (find_move(*db, how.id)) return moved;
      return fail("move_failed",
                  "the connection to the database was lost before it committed: nothing was moved; "
                  "try again");
    } catch (const PgError& error) {
      if (steady.steady() >= until) {
        return fail("undecided",
                    std::string("whether the move was committed is not known, for the database "
                                "does not answer (") +
                        error.what() + "); run the same command again when it does");
      }
    }
    std::this_thread::sleep_for(ask_every);
  }
}

Result<MovedIn> write_and_commit(postgres::Hosts& hosts, TransferSource& source,
                                 const MoveIn& how) {
  const auto options = move_options(how.address);
  const auto connection = hosts.connect(options);
  Connection& db = *connection;
  if (auto before = find_move(db, how.id)) return std::move(*before);
  if (!how.may_write) {
    return fail("not_moved",
                "the move into this database ended once, and its data is no longer there; "
                "docs/operations.md (\"The way back\") says how to serve SQLite again");
  }
  Mover mover(db, source, how);
  if (auto ready = mover.prepare(); !ready) return fail(ready.error());
  // From here on no older server is asked what became of the move: it would know nothing of it.
  if (!db.take_warned()) hosts.committed(db);
  auto moved = mover.write();
  if (!moved) return moved;
  try {
    (void)db.take_warned();
    const auto answer = db.run("commit");
    if (answer.tag() != "COMMIT") {
      return fail("move_failed", "the server undid the move instead of committing it; try again");
    }
    moved->replicated = !db.take_warned();
  } catch (const PgError& error) {
    if (error.lost()) return find_out(hosts, options, how, *moved);
    return fail("move_failed", std::string("the move was not committed: ") + error.what());
  }
  try {
    db.run("move_in_analyze");
  } catch (const PgError&) {
    // Autovacuum does it some minutes later.
  }
  return moved;
}

}  // namespace

Result<MovedIn> move_in(TransferSource& source, const MoveIn& how) {
  const auto hosts = std::make_shared<postgres::Hosts>();
  {
    // Opened for its checks, and for the schema.
    auto opened = open_postgres({.address = how.address,
                                 .clock = std::make_shared<runtime::SystemClock>(),
                                 .hosts = hosts});
    if (!opened) return fail(opened.error());
  }
  try {
    return write_and_commit(*hosts, source, how);
  } catch (const PgError& error) {
    if (error.state() == "55P03") {  // lock_not_available
      return fail("target_in_use",
                  "another move into the target database is under way, or a server starts on it; "
                  "wait for it, and try again");
    }
    return fail("move_failed", std::string("nothing was moved: ") + error.what());
  }
}

std::string shown_address(const std::string& address) { return postgres::described(address); }

}  // namespace cronally::store
