// The files of a restore: what is refused, what is kept, and that fences only grow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/clock_manual.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/open.h"
#include "store/sqlite/restore.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::store {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr Instant start{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
constexpr std::int64_t days = 334;  // from 2026-01-01 to start

TEST(RestoredGeneration, IsAboveEverythingThatIssuedFences) {
  struct Row {
    std::int64_t stored;
    std::optional<std::int64_t> replaced;
    std::int64_t expected;
  };
  for (const Row& row :
       {Row{335, 335, 336}, Row{335, 700, 701}, Row{700, 335, 701}, Row{1, 1, days + 1},
        Row{335, std::nullopt, 335 + 256}, Row{1, std::nullopt, days + 256}}) {
    std::optional<SqliteMark> replaced;
    if (row.replaced) replaced = SqliteMark{.generation = *row.replaced};
    EXPECT_EQ(restored_generation({.generation = row.stored}, replaced, start), row.expected)
        << row.stored << " " << row.replaced.value_or(0);
  }
}

class SqliteRestore : public testing::Test {
 protected:
  // A database with one job, whose file is whole.
  void make(const fs::path& path, const std::string& job) {
    auto database = open_sqlite({.file = path, .clock = clock});
    ASSERT_TRUE(database);
    JobDraft draft{.id = JobId{uuid_v4(1, 1)}};
    draft.definition.name = job;
    draft.definition.schedule = "@never";
    draft.definition.target = core::HttpTarget{.url = "https://example.com/"};
    ASSERT_TRUE((*database)->jobs().create_jobs({1}, {draft}, Existing::fail, {}));
  }

  static std::string content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::int64_t jobs_named(const fs::path& path, const std::string& name) {
    return sqlite::Connection(path, sqlite::Connection::Mode::write)
        .value_of("SELECT count(*) FROM job WHERE name = '" + name + "'");
  }
  std::string code_of_staging() {
    auto staged = stage_backup(backup, file);
    EXPECT_FALSE(fs::exists(file.string() + ".restoring")) << "nothing is left over";
    return staged ? "staged" : staged.error().code;
  }

  conformance::TemporaryDirectory directory;
  fs::path file = directory.path() / "cronally.db";
  fs::path backup = directory.path() / "backup.db";
  std::shared_ptr<runtime::ManualClock> clock = std::make_shared<runtime::ManualClock>(start);
};

TEST_F(SqliteRestore, TheBackupTakesThePlaceAndTheOldOneIsKept) {
  make(file, "old");
  make(backup, "new");
  auto staged = stage_backup(backup, file);
  ASSERT_TRUE(staged) << staged.error().message;
  auto replaced = swap_in(*staged, file, start);
  ASSERT_TRUE(replaced) << replaced.error().message;
  ASSERT_TRUE(*replaced);
  EXPECT_EQ((*replaced)->filename(), "cronally.db.replaced-20261201T000000Z");
  EXPECT_EQ(jobs_named(file, "new"), 1);
  EXPECT_EQ(jobs_named(**replaced, "old"), 1);
  EXPECT_EQ(jobs_named(backup, "new"), 1) << "the backup stays";
  EXPECT_FALSE(fs::exists(*staged));
}

// A server that was killed leaves commits in the log alone; the new file must not read them.
TEST_F(SqliteRestore, TheLogOfADeadServerGoesWithItsDatabase) {
  make(file, "old");
  make(backup, "new");
  {
    sqlite::Connection db(file, sqlite::Connection::Mode::write);
    db.execute("PRAGMA wal_autocheckpoint = 0; UPDATE job SET name = 'in the log'");
    fs::copy_file(file, directory.path() / "dead.db");
    fs::copy_file(file.string() + "-wal", directory.path() / "dead.db-wal");
  }
  file = directory.path() / "dead.db";
  auto staged = stage_backup(backup, file);
  ASSERT_TRUE(staged) << staged.error().message;
  auto replaced = swap_in(*staged, file, start);
  ASSERT_TRUE(replaced && *replaced);
  EXPECT_EQ(jobs_named(file, "new"), 1);
  EXPECT_EQ(jobs_named(**replaced, "in the log"), 1);
}

TEST_F(SqliteRestore, ADamagedDatabaseIsReplacedAndKeptAsItIs) {
  const std::string damaged(9000, 'x');
  std::ofstream(file) << damaged;
  std::ofstream(file.string() + "-wal") << "its log";
  make(backup, "new");
  EXPECT_FALSE(mark_of_sqlite(file));
  auto staged = stage_backup(backup, file);
  ASSERT_TRUE(staged) << staged.error().message;
  auto replaced = swap_in(*staged, file, start);
  ASSERT_TRUE(replaced && *replaced);
  EXPECT_EQ(content(**replaced), damaged);
  EXPECT_EQ(jobs_named(file, "new"), 1);
}

TEST_F(SqliteRestore, TwoRestoresInOneSecondKeepBoth) {
  make(file, "first");
  make(backup, "new");
  for (int i = 0; i < 2; ++i) {
    auto staged = stage_backup(backup, file);
    ASSERT_TRUE(staged);
    ASSERT_TRUE(swap_in(*staged, file, start));
  }
  const auto kept = file.string() + ".replaced-20261201T000000Z";
  EXPECT_EQ(jobs_named(kept, "first"), 1);
  EXPECT_EQ(jobs_named(kept + "-2", "new"), 1);
}

TEST_F(SqliteRestore, WithoutADatabaseThereIsNothingToKeep) {
  make(backup, "new");
  auto staged = stage_backup(backup, file);
  ASSERT_TRUE(staged);
  auto replaced = swap_in(*staged, file, start);
  ASSERT_TRUE(replaced);
  EXPECT_FALSE(*replaced);
  EXPECT_EQ(jobs_named(file, "new"), 1);
}

TEST_F(SqliteRestore, WhatIsNoBackupIsRefused) {
  EXPECT_EQ(code_of_staging(), "file_missing");
  std::ofstream(backup) << std::string(9000, 'x');
  EXPECT_EQ(code_of_staging(), "not_a_backup");
  fs::remove(backup);
  sqlite::Connection(backup, sqlite::Connection::Mode::write).execute("CREATE TABLE job (a)");
  EXPECT_EQ(code_of_staging(), "not_a_backup");
  fs::remove(backup);
  make(backup, "new");
  std::ofstream(backup.string() + "-wal") << "x";
  EXPECT_EQ(code_of_staging(), "backup_unfinished");
  fs::remove(backup.string() + "-wal");
  backup = file;
  make(file, "own");
  EXPECT_EQ(code_of_staging(), "not_a_backup");
}

TEST_F(SqliteRestore, EveryDamagedPageIsFound) {
  make(backup, "new");
  const auto whole = content(backup);
  for (std::size_t page = 1; page < whole.size() / 4096; ++page) {
    auto damaged = whole;
    damaged.replace(page * 4096, 4096, std::string(4096, '\xff'));
    std::ofstream(backup, std::ios::binary) << damaged;
    EXPECT_EQ(code_of_staging(), "database_corrupt") << page;
  }
  std::ofstream(backup, std::ios::binary) << whole.substr(0, whole.size() / 2);
  EXPECT_EQ(code_of_staging(), "database_corrupt");
}

TEST_F(SqliteRestore, TheGenerationIsSetAndRead) {
  make(file, "any");
  const auto mark = mark_of_sqlite(file);
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->generation, days + 1);
  EXPECT_GE(mark->last_commit, start);
  set_generation(file, 9'000);
  EXPECT_EQ(mark_of_sqlite(file)->generation, 9'000);
  auto database = open_sqlite({.file = file, .clock = clock});
  ASSERT_TRUE(database);
  EXPECT_GT((*database)->spine().acquire(NodeId{}).fence.value, std::int64_t{9'000} << 36);
}

}  // namespace
}  // namespace cronally::store
