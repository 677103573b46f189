// The SQLite store and its files: who may read them, copies made while it works, and what a
// restart finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/hmac.h"
#include "core/definition_json.h"
#include "runtime/clock_manual.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/open.h"
#include "store/sqlite/sql.h"
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
    draft.definition.target =
        core::HttpTarget{.url = "https://example.com/", .body = std::string(body_bytes, 'x')};
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

TEST_F(SqliteFiles, RememberTheNewestClockOverARebootAsFarAsClaimsReach) {
  create(1);
  database.reset();
  clock->step_wall(-1h);  // the clock chip was wrong, or its battery is empty
  clock->reboot();
  database = open(file);
  // How long the machine was off, nobody can tell; no claim reached beyond this.
  const Instant resume_at = database->spine().acquire(NodeId{}).resume_at;
  EXPECT_GE(resume_at, start + core::lead_max);
  EXPECT_LE(resume_at, start + core::lead_max + 10us) << "stamps are microseconds apart";
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

// ---- schemas ------------------------------------------------------------------------------------

// As the first schema kept them: a job whose change is not planned, with a run that is open and
// one that has ended.
void write_first_schema(const std::filesystem::path& path) {
  sqlite::Connection db(path, sqlite::Connection::Mode::write);
  db.execute(std::string(sqlite::migrations()[0]));
  for (int shard = 0; shard < shard_count; ++shard) {
    db.use("shard_insert").bind(shard).bind(start).run();
  }
  db.execute(R"(
    INSERT INTO meta VALUES (1, 1, 0, 0, 0, '', 0, 2, 2);
    INSERT INTO account VALUES (1, zeroblob(16), 'old', x'00', NULL, '[]');
    INSERT INTO job VALUES (1, zeroblob(16), 1, 7, 'old job', 2, 1, 2, 1, 0, 0, 0, 1000, '@never',
                            'UTC', 0, 0, 0, 5, 1, 1, NULL, 0, 0, 1, 'http://127.0.0.1:9');
    INSERT INTO run VALUES (1, x'01', 1, 7, 1, 0, '', 100, 100, 3, 0, 0, 1, 1, 100, 0, 0, 100, 200);
    INSERT INTO run VALUES (2, zeroblob(16), 1, 7, 1, 0, '', 500, 500, 1, NULL, 0, 1, 1, 500, 0, 0,
                            NULL, NULL);
    PRAGMA user_version = 1)");
}

TEST_F(SqliteFiles, OfTheFirstSchemaAreBroughtToTheNewest) {
  write_first_schema(copy);
  auto opened = open(copy);
  ASSERT_TRUE(opened);
  const auto acquired = opened->spine().acquire(NodeId{});
  ASSERT_THAT(acquired.jobs, testing::SizeIs(1));
  RunFilter open_ones;
  open_ones.state = core::RunState::claimed;
  auto listed = opened->ledger().list_runs(account, open_ones);
  ASSERT_TRUE(listed);
  EXPECT_THAT(listed->items, testing::SizeIs(1));
  // A change finds the job's open runs.
  std::promise<core::BatchFate> told;
  opened->spine().submit(
      {acquired.fence,
       {core::Replan{
           .job = {1}, .shard = {7}, .revision = 2, .changed_at = instant_from_us(1000)}}},
      [&](core::BatchFate fate) { told.set_value(std::move(fate)); });
  ASSERT_TRUE(std::holds_alternative<core::BatchCommitted>(told.get_future().get()));
  listed = opened->ledger().list_runs(account, open_ones);
  ASSERT_TRUE(listed);
  EXPECT_THAT(listed->items, testing::IsEmpty());
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

// Makes pairs of jobs, each pair in one commit, from several threads, until it is told to stop.
class Load {
 public:
  explicit Load(Jobs& jobs) {
    for (int thread = 0; thread < 3; ++thread) {
      threads_.emplace_back([this, thread, &jobs](const std::stop_token& stop) {
        for (int i = 0; !stop.stop_requested(); ++i) {
          const auto name = std::to_string(thread) + "/" + std::to_string(i);
          auto made = jobs.create_jobs(account, {draft(name + "/a"), draft(name + "/b")},
                                       Existing::fail, {});
          EXPECT_TRUE(made);
          ++written_;
        }
      });
    }
  }
  int written() const { return written_; }
  void wait_for(int more) const {
    for (const int enough = written_ + more; written_ < enough;) std::this_thread::yield();
  }

 private:
  JobDraft draft(const std::string& name) {
    JobDraft made{.id = JobId{uuid_v4(++ids_, 2)}};
    made.definition.name = name;
    made.definition.schedule = "@never";
    made.definition.target = core::HttpTarget{.url = "https://example.com/"};
    return made;
  }
  std::atomic<int> written_ = 0;
  std::atomic<std::uint64_t> ids_ = 0;
  std::vector<std::jthread> threads_;
};

TEST_F(SqliteFiles, ABackupUnderLoadIsTheStateOfOneMoment) {
  for (int i = 0; i < 40; ++i) create(i, 100'000);  // some thousand pages: many steps
  int before = 0;
  {
    Load load(database->jobs());
    load.wait_for(10);
    before = load.written();
    database->backup(copy);
    EXPECT_GT(load.written(), before) << "commits went on between its steps";
    load.wait_for(1);
  }
  sqlite::Connection db(copy, sqlite::Connection::Mode::write);
  EXPECT_EQ(
      db.value_of("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
  EXPECT_EQ(db.value_of("SELECT count(*) FROM job WHERE name LIKE 'job %'"), 40);
  EXPECT_GE(db.value_of("SELECT count(*) FROM job WHERE name LIKE '%/a'"), before)
      << "what was acknowledged before it began is in it";
  EXPECT_EQ(db.value_of("SELECT count(*) FROM job a WHERE name LIKE '%/a' AND NOT EXISTS ("
                        "SELECT 1 FROM job b WHERE b.name = replace(a.name, '/a', '/b'))"),
            0)
      << "a commit is in it whole or not at all";
  EXPECT_EQ(db.value_of("SELECT count(*) FROM job j WHERE NOT EXISTS (SELECT 1 FROM job_revision r "
                        "WHERE r.job_no = j.job_no AND r.revision = j.revision)"),
            0);
  EXPECT_EQ(db.value_of("SELECT max(job_no) = count(*) FROM job"), 1) << "no commit is left out";
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

// What a program left that knew the first schema alone: an account with its token, and a job.
void write_first_schema(const std::filesystem::path& file, const core::JobDefinition& definition) {
  sqlite::Connection db(file, sqlite::Connection::Mode::write);
  db.execute("PRAGMA journal_mode = WAL");
  db.execute(std::string(sqlite::migrations().front()));
  db.use("meta_insert").bind(1).bind(start).bind(0).bind("boot").run();
  for (int shard = 0; shard < shard_count; ++shard)
    db.use("shard_insert").bind(shard).bind(start).run();
  const std::string id(16, '1');
  db.execute(
      "INSERT INTO account VALUES (1, x'" + hex(id) +
      "', 'default', x'5345414c', NULL, '[]');"
      "INSERT INTO token VALUES (1, x'" +
      hex(id) +
      "', 1, 'admin', CAST('digest' AS BLOB), 1, 0);"
      "INSERT INTO job VALUES (1, x'" +
      hex(id) +
      "', 1, 0, 'old', 1, 1, 1, 0, 0, 0, 0, 0, '@every "
      "1s', 'UTC', 0, 0, 0, 5, 1000000, 300000000, NULL, 0, 3600000000, 1000, 'http://old:80');");
  db.execute("INSERT INTO job_revision VALUES (1, 1, CAST(x'" +
             hex(core::write_definition(definition)) +
             "' AS TEXT), '@every 1s', 'UTC', 0, 0, 'old', 0)");
  db.execute("PRAGMA user_version = 1");
}

TEST_F(SqliteFiles, ADatabaseOfTheFirstSchemaGoesOn) {
  core::JobDefinition definition;
  definition.name = "old";
  definition.schedule = "@every 1s";
  definition.target = core::HttpTarget{.url = "http://old/"};
  write_first_schema(copy, definition);
  for (int opened = 0; opened < 2; ++opened) {
    database = open(copy);
    auto principal = database->accounts().authenticate("digest");
    ASSERT_TRUE(principal);
    auto kept = database->accounts().account(principal->account);
    EXPECT_EQ(kept.sealed_signing_secret, "SEAL");
    EXPECT_EQ(kept.email, "");
    EXPECT_FALSE(kept.api);
    auto job = database->jobs().find_job(account, "old");
    ASSERT_TRUE(job);
    EXPECT_EQ(job->definition, definition);
    EXPECT_FALSE(job->v1_name);
  }
  create(1);
  EXPECT_EQ(database->accounts().job_count(account), 2);
  EXPECT_EQ(database->spine().acquire(NodeId{uuid_v4(1, 1)}).jobs.size(), 2U);
  EXPECT_TRUE(database->accounts().rotate_credentials(account, {ApiKey{uuid_v4(1, 2)}, "sealed"}));
  EXPECT_TRUE(database->accounts().find_account(ApiKey{uuid_v4(1, 2)}));
}

}  // namespace
}  // namespace cronally::store
