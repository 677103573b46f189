// migrate-store: moves the data directory's SQLite database to PostgreSQL, with no server running.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "cli/progress.h"
#include "cli/table.h"
#include "cli/tree.h"
#include "core/secret_context.h"
#include "runtime/clock.h"
#include "runtime/files.h"
#include "runtime/random.h"
#include "runtime/vault.h"
#include "store/postgres/import.h"
#include "store/sqlite/export.h"
#include "store/sqlite/open.h"

namespace cronally::cli {

namespace fs = std::filesystem;

namespace {

struct Report {
  std::string target;
  store::MovedIn moved;
};

Problem problem_of(const Error& error) {
  auto exit = ExitCode::failure;
  for (const auto* code :
       {"already_running", "database_moved", "target_in_use", "target_not_empty"}) {
    if (error.code == code) exit = ExitCode::conflict;
  }
  if (error.code == "file_missing") exit = ExitCode::not_found;
  return {.exit = exit, .code = error.code, .message = error.message};
}

// One move; its steps are called in the order that they stand in.
//
// The file is marked right before the other database commits, and once more behind: whoever dies
// in between leaves a file that nobody serves by mistake, and the next try finds out.
class Move {
 public:
  Move(Session& session, std::string address)
      : session_(session),
        address_(std::move(address)),
        dir_(session.data_dir()),
        file_(dir_ / "cronally.db"),
        mark_{.move = runtime::random_uuid_v4(), .target = store::shown_address(address_)} {}

  Result<Report> run() {
    if (!fs::exists(file_)) {
      return fail("file_missing", "there is no database '" + file_.string() +
                                      "'; name the data directory of the server with --data-dir");
    }
    auto lock = runtime::FileLock::try_acquire(dir_ / "lock");
    if (!lock) return fail(lock.error());
    if (auto sound = check(); !sound) return fail(sound.error());
    auto moved = move();
    if (!moved) return fail(moved.error());
    mark_.ended = true;
    mark_.at = clock_.wall();
    store::write_moved_mark(file_, mark_, moved->generation);
    return Report{.target = mark_.target, .moved = *moved};
  }

 private:
  // Opening it brings an older schema up to date, as every start does.
  Result<void> check() {
    auto vault = runtime::Vault::open_or_create(dir_ / "master.key", runtime::MissingKey::refuse);
    if (!vault) return fail(vault.error());
    auto database = store::open_sqlite(
        {.file = file_, .clock = std::shared_ptr<const runtime::Clock>(&clock_, [](auto*) {})});
    if (!database && database.error().code == "database_moved") return take_up();
    if (!database) return fail(database.error());
    const auto accounts = (*database)->accounts().all();
    if (accounts.empty()) {
      return fail("nothing_to_move", "'" + file_.string() +
                                         "' holds no account, so there is nothing to move; start "
                                         "`cronally serve --database` on the new database");
    }
    for (const auto& account : accounts) {
      auto opened = vault->open(core::account_context(account.id), account.sealed_signing_secret);
      if (!opened) return fail(opened.error());
    }
    return {};
  }

  // An earlier move began: its end is looked for under its own id.
  Result<void> take_up() {
    const auto mark = store::moved_mark_of(file_);
    if (!mark || mark->target != mark_.target) {
      return fail("database_moved", mark ? store::moved_text(file_, *mark)
                                         : "'" + file_.string() + "' cannot be read");
    }
    mark_ = *mark;
    return {};
  }

  Result<store::MovedIn> move() {
    const auto source = store::export_sqlite(file_);
    const auto total = static_cast<std::size_t>(std::max<std::int64_t>(source->rows(), 0));
    Progress progress(session_.err(), session_.world().streams.err_terminal, "moving rows", total);
    bool marked = false;
    store::MoveIn how{.address = address_, .id = mark_.move};
    how.may_write = !mark_.ended;
    how.before_commit = [&](std::int64_t generation) {
      mark_.at = clock_.wall();
      store::write_moved_mark(file_, mark_, generation);
      marked = true;
    };
    how.progress = [&](std::int64_t rows) {
      progress.show(std::min(static_cast<std::size_t>(rows), total));
    };
    auto moved = store::move_in(*source, how);
    // What is known not to be there leaves the file as it was.
    if (!moved && marked && moved.error().code == "move_failed") store::clear_moved_mark(file_);
    return moved;
  }

  Session& session_;
  const std::string address_;
  const fs::path dir_;
  const fs::path file_;
  runtime::SystemClock clock_;
  store::MovedMark mark_;
};

boost::json::object json_of(const Report& report) {
  return {{"target", report.target},
          {"generation", report.moved.generation},
          {"moved_before", report.moved.before},
          {"jobs", report.moved.jobs},
          {"runs", report.moved.runs},
          {"attempts", report.moved.attempts}};
}

void print(Session& session, const Report& report) {
  auto& out = session.out();
  if (report.moved.before) {
    out << "moved to " << printable(report.target) << " before: nothing was left to do\n";
  } else {
    out << "moved " << report.moved.jobs << " jobs, " << report.moved.runs << " runs and "
        << report.moved.attempts << " attempts to " << printable(report.target) << "\n";
  }
  out << "now give each server's data directory this master.key, and start it with `cronally serve "
         "--database`\n";
}

Outcome<ExitCode> migrate_store(Session& session, const std::string& address) {
  try {
    const auto report = Move(session, address).run();
    if (!report) return std::unexpected(problem_of(report.error()));
    if (session.json())
      session.print_json(json_of(*report));
    else
      print(session, *report);
    if (!report->moved.replicated) {
      session.err() << "The database committed with a warning: its standby may not have the move "
                       "yet. Start no server before replication works again.\n";
    }
    return ExitCode::ok;
  } catch (const std::exception& outage) {
    return std::unexpected(Problem{.message = std::string("the move failed: ") + outage.what(),
                                   .advice = "the SQLite database is as it was; try again."});
  }
}

}  // namespace

void add_migrate_store(Tree& tree) {
  auto address = std::make_shared<std::string>();
  CLI::App& app = tree.verb(
      tree.root(),
      {"migrate-store",
       "Move the data directory's SQLite database to PostgreSQL; no server may run on it.",
       {"cronally migrate-store --database postgres://cronally@db1,db2/cronally",
        "cronally --data-dir /var/lib/cronally migrate-store --database "
        "'host=db1 dbname=cronally user=cronally'"}},
      [address](Session& session) { return migrate_store(session, *address); });
  app.add_option("--database", *address,
                 "Where it goes, as libpq reads an address: an empty database, of PostgreSQL 13 or "
                 "later. A password is better kept in ~/.pgpass.")
      ->type_name("ADDRESS")
      ->envname("CRONALLY_DATABASE")
      ->required();
}

}  // namespace cronally::cli
