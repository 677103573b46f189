#include "store/sqlite/export.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "store/sqlite/connection.h"

namespace cronally::store {

using sqlite::Connection;
using sqlite::SqliteError;
using sqlite::Statement;

namespace {

std::string_view statement_of(TransferTable table) {
  switch (table) {
    case TransferTable::accounts: return "accounts_read";
    case TransferTable::tokens: return "export_tokens";
    case TransferTable::secrets: return "export_secrets";
    case TransferTable::jobs: return "export_jobs";
    case TransferTable::revisions: return "export_revisions";
    case TransferTable::shards: return "shards_read";
    case TransferTable::leases: return "export_leases";
    case TransferTable::runs: return "export_runs";
    case TransferTable::open_runs: return "export_open_runs";
    case TransferTable::attempts: return "export_attempts";
    case TransferTable::keys: return "export_keys";
    case TransferTable::spans: return "export_spans";
    case TransferTable::notices: return "export_notices";
    case TransferTable::batches: return "export_batches";
    case TransferTable::answers: return "export_answers";
  }
  std::unreachable();
}

TransferCell cell(const Statement& row, int column) {
  if (row.null(column)) return std::monostate{};
  if (row.number(column)) return row.integer(column);
  return row.view(column);
}

template <class Work>
auto or_unavailable(const std::filesystem::path& file, Work work) {
  try {
    return work();
  } catch (const SqliteError& error) {
    throw Unavailable("'" + file.string() + "' cannot be used: " + error.what());
  }
}

class SqliteSource : public TransferSource {
 public:
  explicit SqliteSource(std::filesystem::path file)
      : file_(std::move(file)), db_(file_, Connection::Mode::write) {
    db_.execute("PRAGMA query_only = ON; BEGIN");  // one snapshot for all that is read
  }

  TransferMark mark() override {
    return or_unavailable(file_, [this] {
      auto meta = db_.use("meta_read");
      CHECK(meta.step(), "the database has its meta row");
      return TransferMark{.generation = meta.integer(0),
                          .last_commit = meta.instant(2),
                          .last_steady = meta.duration(4),
                          .boot = meta.text(5),
                          .run_last = meta.integer(6)};
    });
  }

  // Runs and their attempts are nearly all of it; most runs have one.
  std::int64_t rows() override {
    return or_unavailable(file_, [this] {
      auto meta = db_.use("meta_read");
      CHECK(meta.step(), "the database has its meta row");
      return 2 * meta.integer(7) + db_.value_of("SELECT count(*) FROM job") +
             db_.value_of("SELECT count(*) FROM job_revision");
    });
  }

  std::vector<std::int64_t> days() override {
    return or_unavailable(file_, [this] {
      std::vector<std::int64_t> days;
      auto rows = db_.use("export_days");
      while (rows.step()) days.push_back(rows.integer(0));
      return days;
    });
  }

  void read(TransferTable table, const std::function<void(TransferRow)>& take) override {
    or_unavailable(file_, [&] {
      auto rows = db_.use(statement_of(table));
      std::vector<TransferCell> cells(static_cast<std::size_t>(rows.columns()));
      while (rows.step()) {
        for (int column = 0; column < rows.columns(); ++column) {
          cells[static_cast<std::size_t>(column)] = cell(rows, column);
        }
        take(cells);
      }
    });
  }

 private:
  const std::filesystem::path file_;
  Connection db_;
};

bool has_moved_table(Connection& db) {
  return db.value_of("SELECT count(*) FROM sqlite_master WHERE name = 'moved'") > 0;
}

}  // namespace

std::unique_ptr<TransferSource> export_sqlite(const std::filesystem::path& file) {
  return or_unavailable(file, [&] { return std::make_unique<SqliteSource>(file); });
}

std::optional<MovedMark> moved_mark_of(Connection& db) {
  if (!has_moved_table(db)) return std::nullopt;
  auto row = db.use("moved_read");
  if (!row.step()) return std::nullopt;
  return MovedMark{
      .move = row.uuid(0), .target = row.text(1), .at = row.instant(2), .ended = row.flag(3)};
}

std::optional<MovedMark> moved_mark_of(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    Connection db(file, Connection::Mode::write);
    return moved_mark_of(db);
  } catch (const SqliteError&) {
    return std::nullopt;
  }
}

void write_moved_mark(const std::filesystem::path& file, const MovedMark& mark,
                      std::int64_t generation) {
  // As far as the other store's generation may grow until this file is looked at again.
  constexpr std::int64_t unasked = 256;
  or_unavailable(file, [&] {
    Connection db(file, Connection::Mode::write);
    db.execute("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    db.use("moved_write").bind(mark.move).bind(mark.target).bind(mark.at).bind(mark.ended).run();
    db.use("meta_generation_raise").bind(generation + unasked).run();
    db.execute("COMMIT");
  });
}

void clear_moved_mark(const std::filesystem::path& file) {
  or_unavailable(file, [&] {
    Connection db(file, Connection::Mode::write);
    if (!has_moved_table(db)) return;
    db.execute("PRAGMA synchronous = FULL");
    db.use("moved_clear").run();
  });
}

std::string moved_text(const std::filesystem::path& file, const MovedMark& mark) {
  const std::string name = "'" + file.string() + "'";
  if (!mark.ended) {
    return "a move of " + name + " to " + mark.target + " began at " + format_instant(mark.at) +
           " and its end was not seen; run `cronally migrate-store` to that database again: it "
           "finds out, and goes on";
  }
  return name + " was moved to " + mark.target + " at " + format_instant(mark.at) +
         ", and its jobs run there: serve that with `cronally serve --database`. "
         "docs/operations.md (\"The way back\") says how to serve this one again";
}

}  // namespace cronally::store
