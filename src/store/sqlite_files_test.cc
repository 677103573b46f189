// The SQLite store and its files: who may read them, copies made while it works, and what a
// restart finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "runtime/clock_manual.h"
#include "store/sqlite/open.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::store {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
constexpr AccountNo account{1};

class SqliteFiles : public testing::Test {
 protected:
  void SetUp() override {
    file = directory.path() / "cronally.db";
    copy = directory.path() / "copy.db";
    database = open(file);
  }

  std::unique_ptr<Database> open(const std::filesystem::path& path) const {
    auto opened = open_sqlite({.file = path, .clock = clock});
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return opened ? std::move(*opened) : nullptr;
  }

  void create(int number, std::size_t body_bytes = 0) const {
    JobDraft draft{.id = JobId{uuid_v4(static_cast<std::uint64_t>(number), 1)}};
    draft.definition.name = "job " + std::to_string(number);
    draft.definition.schedule = "@never";
    draft.definition.target.url = "https://example.com/";
    draft.definition.target.body = std::string(body_bytes, 'x');
    ASSERT_TRUE(database->jobs().create_jobs(account, {draft}, Existing::fail, {}));
  }

  static mode_t mode_of(const std::filesystem::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
  }

  conformance::TemporaryDirectory directory;
  std::filesystem::path file;
  std::filesystem::path copy;
  std::shared_ptr<runtime::ManualClock> clock = std::make_shared<runtime::ManualClock>(start);
  std::unique_ptr<Database> database;
};

TEST_F(SqliteFiles, AreReadableByTheirOwnerAlone) {
  create(1);
  EXPECT_EQ(mode_of(file), 0600U);
  EXPECT_EQ(mode_of(file.string() + "-wal"), 0600U);
  EXPECT_EQ(mode_of(file.string() + "-shm"), 0600U);
}

TEST_F(SqliteFiles, OpeningLeavesTheProcesssFileModeAlone) {
  const mode_t before = ::umask(022);
  ::umask(022);
  auto other = open(directory.path() / "other.db");
  EXPECT_EQ(::umask(before), 022U);
}

TEST_F(SqliteFiles, AreOneFileAfterAnOrderlyEnd) {
  create(1);
  database.reset();
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_FALSE(std::filesystem::exists(file.string() + "-wal"));
}

TEST_F(SqliteFiles, NameTheEngine) {
  EXPECT_THAT(database->engine(), testing::StartsWith("SQLite 3."));
}

// ---- backup -------------------------------------------------------------------------------------

TEST_F(SqliteFiles, ABackupIsAWholeDatabaseOfItsOwn) {
  for (int i = 0; i < 20; ++i) create(i);
  database->backup(copy);
  create(99);
  EXPECT_EQ(mode_of(copy), 0600U);
  auto opened = open(copy);
  ASSERT_TRUE(opened);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(opened->jobs().find_job(account, "job " + std::to_string(i)));
  }
  EXPECT_FALSE(opened->jobs().find_job(account, "job 99")) << "made after it";
}

TEST_F(SqliteFiles, ABackupGoesOnBesideWrites) {
  for (int i = 0; i < 40; ++i) create(i, 100'000);  // some thousand pages: many steps
  std::atomic<bool> done = false;
  int written = 40;
  std::thread writer([&] {
    while (!done) create(written++, 1'000);
  });
  database->backup(copy);
  done = true;
  writer.join();
  EXPECT_GT(written, 41) << "commits went on between its steps";
  auto opened = open(copy);
  ASSERT_TRUE(opened);
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(opened->jobs().find_job(account, "job " + std::to_string(i)));
  }
}

TEST_F(SqliteFiles, ABackupOverwritesNothing) {
  std::ofstream(copy) << "precious";
  EXPECT_THROW(database->backup(copy), Unavailable);
  EXPECT_EQ(std::filesystem::file_size(copy), 8U);
}

TEST_F(SqliteFiles, ABackupThatCannotBeMadeSaysWhere) {
  try {
    database->backup(directory.path() / "none" / "copy.db");
    FAIL() << "it was made";
  } catch (const Unavailable& outage) {
    EXPECT_THAT(outage.what(), testing::HasSubstr("none/copy.db"));
  }
  create(1);  // the store goes on
}

}  // namespace
}  // namespace cronally::store
