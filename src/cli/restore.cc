// restore FILE: works on the files of the data directory, with no server running.
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "cli/table.h"
#include "cli/tree.h"
#include "core/secret_context.h"
#include "runtime/clock.h"
#include "runtime/files.h"
#include "runtime/random.h"
#include "runtime/token.h"
#include "runtime/vault.h"
#include "runtime/zone_loader.h"
#include "scheduler/restore_settler.h"
#include "store/sqlite/export.h"
#include "store/sqlite/open.h"
#include "store/sqlite/restore.h"

namespace cronally::cli {

namespace fs = std::filesystem;

namespace {

struct RestoreFlags {
  std::string file;
  bool catch_up = false;
};

struct Restored {
  std::optional<fs::path> replaced;
  std::int64_t generation = 0;
  Instant backup_until;  // the backup's newest commit
  Instant settled_until;
  std::size_t open = 0;  // runs that were open in the backup
  scheduler::Settled settled;
  std::optional<store::MovedMark> moved;  // where the data of the directory or the backup went
  bool token_known = true;                // the directory's admin-token opens the restored database
};

Problem problem_of(const Error& error) {
  auto exit = ExitCode::failure;
  if (error.code == "already_running") exit = ExitCode::conflict;
  if (error.code == "file_missing") exit = ExitCode::not_found;
  return {.exit = exit, .code = error.code, .message = error.message};
}

// One restore; its steps are called in the order that they stand in.
class Restore {
 public:
  Restore(const RestoreFlags& flags, fs::path dir)
      : flags_(flags), dir_(std::move(dir)), file_(dir_ / "cronally.db") {}

  ~Restore() {
    if (!staged_.empty()) store::discard_staged(staged_);
  }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

  Result<Restored> run() {
    if (auto locked = lock(); !locked) return fail(locked.error());
    if (auto staged = stage(); !staged) return fail(staged.error());
    if (auto prepared = prepare(); !prepared) return fail(prepared.error());
    auto replaced = store::swap_in(staged_, file_, clock_.wall());
    if (!replaced) return fail(replaced.error());
    restored_.replaced = std::move(*replaced);
    return restored_;
  }

 private:
  Result<void> lock() {
    if (auto made = runtime::create_private_directory(dir_); !made) return made;
    auto lock = runtime::FileLock::try_acquire(dir_ / "lock");
    if (!lock) return fail(lock.error());
    lock_.emplace(std::move(*lock));
    return {};
  }

  Result<void> stage() {
    auto vault = runtime::Vault::open_or_create(dir_ / "master.key", runtime::MissingKey::refuse);
    if (!vault) return fail(vault.error());
    vault_.emplace(std::move(*vault));
    auto staged = store::stage_backup(flags_.file, file_);
    if (!staged) return fail(staged.error());
    staged_ = *staged;
    return {};
  }

  // Opening it brings an older schema up to date.
  Result<std::unique_ptr<store::Database>> open_staged() {
    return store::open_sqlite(
        {.file = staged_, .clock = std::shared_ptr<const runtime::Clock>(&clock_, [](auto*) {})});
  }

  // The fences of the copy rise above all that were issued, and the gap is settled in it.
  Result<void> prepare() {
    restored_.moved = store::moved_mark_of(file_);
    if (!restored_.moved) restored_.moved = store::moved_mark_of(staged_);
    store::clear_moved_mark(staged_);
    if (auto opened = open_staged(); !opened) return fail(opened.error());
    const auto stored = store::mark_of_sqlite(staged_);
    if (!stored) return fail("database_corrupt", "'" + flags_.file + "' has no meta row");
    const auto now = clock_.wall();
    if (now <= stored->last_commit) {
      return fail("clock_behind", "the backup was made at " + format_instant(stored->last_commit) +
                                      ", and by this host's clock that is yet to come; set the "
                                      "clock right first");
    }
    const auto replaced = store::mark_of_sqlite(file_);
    restored_.backup_until = stored->last_commit;
    // A clock that was set back has seen, and perhaps sent, what lies up to the newest commit.
    restored_.settled_until = std::max(now, replaced ? replaced->last_commit : now);
    restored_.generation = store::restored_generation(*stored, replaced, now);
    store::set_generation(staged_, restored_.generation);
    const auto open = store::open_runs_of(staged_);
    restored_.open = open.size();
    auto database = open_staged();
    if (!database) return fail(database.error());
    if (auto fits = verify_key(**database); !fits) return fits;
    check_token(**database);
    if (!flags_.catch_up) settle(**database, open);
    return {};
  }

  Result<void> verify_key(store::Database& database) const {
    for (const auto& account : database.accounts().all()) {
      auto opened = vault_->open(core::account_context(account.id), account.sealed_signing_secret);
      if (opened) continue;
      return fail(opened.error().code,
                  "master.key of '" + dir_.string() +
                      "' does not open the secrets of this backup; put the key of the server that "
                      "the backup is of there. Nothing was changed");
    }
    return {};
  }

  void check_token(store::Database& database) {
    auto token = runtime::read_file(dir_ / "admin-token", 4096);
    while (token && token->ends_with('\n')) token->pop_back();
    restored_.token_known =
        token &&
        database.accounts().authenticate(as_bytes(runtime::token_digest(*token))).has_value();
  }

  void settle(store::Database& database, const std::vector<store::OpenRunRef>& open) {
    runtime::ZoneLoader zones;
    const scheduler::JobCompiler compiler(zones);
    std::vector<core::End> ends;
    ends.reserve(open.size());
    for (const auto& run : open) {
      ends.push_back({run.run, run.shard, core::Verdict::unknown, core::Reason::restored});
    }
    restored_.settled =
        scheduler::RestoreSettler(database.spine(), compiler)
            .settle(NodeId{runtime::random_uuid_v4()}, ends, restored_.settled_until);
  }

  const RestoreFlags flags_;
  const fs::path dir_;
  const fs::path file_;
  runtime::SystemClock clock_;
  std::optional<runtime::FileLock> lock_;
  std::optional<runtime::Vault> vault_;
  fs::path staged_;
  Restored restored_;
};

boost::json::object json_of(const Restored& restored, const RestoreFlags& flags) {
  boost::json::object out{{"file", flags.file},
                          {"generation", restored.generation},
                          {"backup_until", format_instant(restored.backup_until)},
                          {"catch_up", flags.catch_up},
                          {"replaced", nullptr}};
  if (restored.replaced) out["replaced"] = restored.replaced->string();
  if (!flags.catch_up) {
    out["settled_until"] = format_instant(restored.settled_until);
    out["jobs_skipped"] = restored.settled.spans;
    out["runs_ended"] = restored.settled.runs;
  }
  return out;
}

void print(Session& session, const Restored& restored, const RestoreFlags& flags) {
  auto& out = session.out();
  out << "restored from " << printable(flags.file) << ", as of "
      << format_instant(restored.backup_until) << "\n";
  if (restored.replaced) {
    out << "the replaced database is kept as " << printable(restored.replaced->string()) << "\n";
  }
  if (flags.catch_up) {
    out << "the next start catches up from there by each job's policy and takes " << restored.open
        << " open runs over: what ran since may run again\n";
    return;
  }
  out << "what " << restored.settled.spans << " jobs owed until "
      << format_instant(restored.settled_until) << " is recorded as skipped (restored)\n"
      << restored.settled.runs << " runs open in the backup ended as unknown (restored)\n";
}

Outcome<ExitCode> restore(Session& session, const RestoreFlags& flags) {
  try {
    const auto restored = Restore(flags, session.data_dir()).run();
    if (!restored) return std::unexpected(problem_of(restored.error()));
    if (session.json())
      session.print_json(json_of(*restored, flags));
    else
      print(session, *restored, flags);
    if (!restored->token_known) {
      session.err() << "The admin-token of this data directory is not one of the backup: use a "
                       "token of that time.\n";
    }
    if (restored->moved) {
      session.err() << "The data of this directory was moved to "
                    << printable(restored->moved->target)
                    << ": see that no server runs there any more, or both run the jobs.\n";
    }
    return ExitCode::ok;
  } catch (const std::exception& outage) {
    return std::unexpected(Problem{.message = std::string("the restore failed: ") + outage.what(),
                                   .advice = "nothing was changed; try again."});
  }
}

}  // namespace

void add_restore(Tree& tree) {
  auto flags = std::make_shared<RestoreFlags>();
  CLI::App& app = tree.verb(
      tree.root(),
      {"restore",
       "Put a backup in the place of the data directory's database; no server may run on it.",
       {"cronally restore cronally-backup.db",
        "cronally --data-dir /var/lib/cronally restore nightly.db --catch-up"}},
      [flags](Session& session) { return restore(session, *flags); });
  app.add_option("FILE", flags->file, "A file that `cronally backup` wrote.")->required();
  app.add_flag("--catch-up", flags->catch_up,
               "Let the next start catch up on what was due since the backup and go on with its "
               "open runs; what ran since then may run again. Without it nothing of that time "
               "runs: it is recorded as skipped, and open runs end as unknown.");
}

}  // namespace cronally::cli
