// The SQLite store when its world fails it: no space, damaged or foreign files, a write error, a
// death in the middle of commits.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <string>
#include <thread>

#include "runtime/clock_manual.h"
#include "store/sqlite/engine.h"
#include "store/sqlite/jobs.h"
#include "store/sqlite/open.h"
#include "store/sqlite/spine.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::store {
namespace {

using namespace std::chrono_literals;
using core::ItemStatus;
using testing::HasSubstr;

constexpr Instant start{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
constexpr AccountNo account{1};

JobDraft draft_named(const std::string& name, std::size_t body_bytes = 0) {
  static std::atomic<std::uint64_t> ids = 0;
  JobDraft draft{.id = JobId{uuid_v4(++ids, static_cast<std::uint64_t>(::getpid()))}};
  draft.definition.name = name;
  draft.definition.schedule = "@every 1s";
  core::HttpTarget target{.url = "https://example.com/"};
  if (body_bytes > 0) target.body = std::string(body_bytes, 'x');
  draft.definition.target = std::move(target);
  return draft;
}

core::Job create(Jobs& jobs, const std::string& name, std::size_t body_bytes = 0) {
  auto created = jobs.create_jobs(account, {draft_named(name, body_bytes)}, Existing::fail, {});
  return std::get<std::vector<core::Job>>(created.value()).at(0);
}

core::BatchFate fate_of(Spine& spine, core::Batch batch) {
  std::promise<core::BatchFate> told;
  auto fate = told.get_future();
  spine.submit(std::move(batch), [&](core::BatchFate it) { told.set_value(std::move(it)); });
  return fate.get();
}

core::Claim claim(const core::Job& job, Instant due) {
  static std::atomic<std::uint64_t> ids = 0;
  return {.job = job.no,
          .shard = job.shard,
          .revision = job.revision,
          .id = RunId{uuid_v7(due, ++ids, 2)},
          .scheduled_at = due,
          .due = due};
}

class SqliteFaults : public testing::Test {
 protected:
  Result<std::unique_ptr<Database>> open() { return open_sqlite({.file = file, .clock = clock}); }

  // The code of the failure to open, and that its message says where.
  std::string open_code() {
    auto opened = open();
    if (opened) return "opened";
    EXPECT_THAT(opened.error().message, HasSubstr(file.string()));
    return opened.error().code;
  }

  void overwrite(std::streamoff offset, const std::string& bytes) const {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(offset);
    out << bytes;
    ASSERT_TRUE(out.good());
  }

  conformance::TemporaryDirectory directory;
  std::filesystem::path file = directory.path() / "cronally.db";
  std::shared_ptr<runtime::ManualClock> clock = std::make_shared<runtime::ManualClock>(start);
};

// ---- no space -----------------------------------------------------------------------------------

// The parts of the store over a connection whose file may not grow.
class SqliteWithoutSpace : public SqliteFaults {
 protected:
  void SetUp() override {
    ASSERT_TRUE(open());  // makes the tables
    auto connection = std::make_unique<sqlite::Connection>(file, sqlite::Connection::Mode::write);
    engine.emplace(file, std::move(connection), clock);
    spine.emplace(*engine);
    jobs.emplace(*engine);
    fence = spine->acquire(NodeId{uuid_v4(1, 1)}).fence;
    job = create(*jobs, "made before");
  }

  void reopen_with_ballast() {
    spine.reset();
    jobs.reset();
    engine.reset();
    auto connection = std::make_unique<sqlite::Connection>(file, sqlite::Connection::Mode::write);
    engine.emplace(file, std::move(connection), clock,
                   sqlite::FileWatch::Options{
                       .file = file, .ballast = sqlite::Ballast(directory.path() / "ballast")});
    spine.emplace(*engine);
    jobs.emplace(*engine);
  }

  void pages_max(const std::string& count) {
    engine->writer.between(
        [&](sqlite::Connection& db) { db.execute("PRAGMA max_page_count = " + count); });
  }
  void fill_disk() { pages_max("1"); }  // SQLite takes the present size instead
  void free_disk() { pages_max("1000000"); }

  core::Batch many_claims() {
    core::Batch batch{fence, {}};
    for (int i = 0; i < 20'000; ++i) batch.items.push_back(claim(job, start - i * 1ms));
    return batch;
  }

  std::optional<sqlite::Engine> engine;
  std::optional<sqlite::SqliteSpine> spine;
  std::optional<sqlite::SqliteJobs> jobs;
  Fence fence;
  core::Job job;
};

TEST_F(SqliteWithoutSpace, ABatchIsRefusedWholeAndCommitsOnceThereIsSpace) {
  fill_disk();
  auto batch = many_claims();
  auto fate = fate_of(*spine, batch);
  auto* refused = std::get_if<core::BatchRefused>(&fate);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error.code, "disk_full");
  EXPECT_TRUE(spine->read_open_runs(all_shards(), instant_max, 10).empty())
      << "nothing of it is written";

  free_disk();
  fate = fate_of(*spine, batch);
  auto* committed = std::get_if<core::BatchCommitted>(&fate);
  ASSERT_TRUE(committed);
  ASSERT_EQ(committed->outcomes.size(), batch.items.size());
  for (const auto& outcome : committed->outcomes) ASSERT_EQ(outcome.status, ItemStatus::done);
  EXPECT_EQ(spine->read_open_runs(all_shards(), instant_max, 100'000).size(), batch.items.size());
}

TEST_F(SqliteWithoutSpace, AWriteOfTheApiIsAnOutageThatSaysWhatToDo) {
  fill_disk();
  try {
    create(*jobs, "big", 200'000);
    FAIL() << "it was taken";
  } catch (const Unavailable& outage) {
    EXPECT_THAT(outage.what(), HasSubstr("disk is full"));
    EXPECT_THAT(outage.what(), HasSubstr("Free space"));
  }
  EXPECT_FALSE(jobs->find_job(account, "big"));
  EXPECT_TRUE(jobs->find_job(account, "made before")) << "reading goes on";
  free_disk();
  EXPECT_EQ(create(*jobs, "big", 200'000).revision, 1);
}

TEST_F(SqliteWithoutSpace, NobodyIsToldOfWhatWasNotWritten) {
  auto change = job.change;
  auto tick = engine->bell.run_tick();
  fill_disk();
  (void)fate_of(*spine, many_claims());
  EXPECT_THROW(create(*jobs, "big", 200'000), Unavailable);
  EXPECT_EQ(engine->bell.run_tick(), tick);
  EXPECT_EQ(engine->bell.changes().at(static_cast<std::size_t>(job.shard.value)), change);
}

TEST_F(SqliteWithoutSpace, TheBallastLetsOutcomesBeWrittenAndNothingGrow) {
  const auto fate = fate_of(*spine, {fence, {claim(job, start)}});
  const RunNo run = std::get<core::BatchCommitted>(fate).outcomes.at(0).run;
  reopen_with_ballast();
  fill_disk();
  try {
    create(*jobs, "big", 200'000);
    FAIL() << "it was taken";
  } catch (const Unavailable& outage) {
    EXPECT_EQ(outage.code(), "disk_full");
  }
  auto refused = fate_of(*spine, {fence, {claim(job, start + 1s)}});
  EXPECT_EQ(std::get<core::BatchRefused>(refused).error.code, "disk_full");
  auto ended = fate_of(*spine, {fence, {core::End{run, job.shard, core::Verdict::cancelled}}});
  EXPECT_TRUE(std::holds_alternative<core::BatchCommitted>(ended));

  free_disk();
  clock->advance(sqlite::FileWatch::look_every);
  engine->writer.between([](sqlite::Connection&) {});  // it looks before its next work
  EXPECT_EQ(create(*jobs, "big", 200'000).revision, 1);
}

// ---- files that cannot be opened ----------------------------------------------------------------

TEST_F(SqliteFaults, AFileThatIsNoDatabaseIsCorrupt) {
  std::ofstream(file) << std::string(8192, 'x');
  EXPECT_EQ(open_code(), "database_corrupt");
  EXPECT_EQ(std::filesystem::file_size(file), 8192U) << "and stays as it was";
}

TEST_F(SqliteFaults, ADamagedSchemaIsCorrupt) {
  ASSERT_TRUE(open());
  overwrite(100, std::string(200, '\xff'));  // the root page of sqlite_schema, after the header
  EXPECT_EQ(open_code(), "database_corrupt");
}

TEST_F(SqliteFaults, ADamagedTableThatStartingReadsIsCorrupt) {
  ASSERT_TRUE(open());
  overwrite(4096, std::string(std::filesystem::file_size(file) - 4096, '\xff'));
  EXPECT_EQ(open_code(), "database_corrupt");
}

TEST_F(SqliteFaults, AFileCutShortIsCorrupt) {
  ASSERT_TRUE(open());
  std::filesystem::resize_file(file, 4096);
  EXPECT_EQ(open_code(), "database_corrupt");
}

TEST_F(SqliteFaults, ADatabaseOfANewerSchemaIsLeftAlone) {
  ASSERT_TRUE(open());
  sqlite::Connection(file, sqlite::Connection::Mode::write).execute("PRAGMA user_version = 99");
  EXPECT_EQ(open_code(), "database_newer");
  sqlite::Connection reader(file, sqlite::Connection::Mode::read);
  EXPECT_EQ(reader.value_of("PRAGMA user_version"), 99);
}

TEST_F(SqliteFaults, APathThatCannotBeOpenedIsUnreadable) {
  std::filesystem::create_directory(file);
  EXPECT_EQ(open_code(), "database_unreadable");
  file = directory.path() / "none" / "cronally.db";
  EXPECT_EQ(open_code(), "database_unreadable");
}

TEST_F(SqliteFaults, AnEmptyFileBecomesADatabase) {
  std::ofstream(file).close();
  EXPECT_TRUE(open());
}

// ---- a write that fails -------------------------------------------------------------------------

// Writes until write(2) fails with EFBIG.
[[noreturn]] void write_past_the_limit(const SqliteOptions& options) {
  auto database = open_sqlite(options);
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{.rlim_cur = 1'000'000, .rlim_max = RLIM_INFINITY};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  for (int i = 0;; ++i) create((*database)->jobs(), std::to_string(i), 200'000);
}

// The kernel may have dropped the pages of a failed write, so nothing after it can be trusted.
TEST_F(SqliteFaults, AFailedWriteEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(write_past_the_limit({.file = file, .clock = clock}), testing::ExitedWithCode(74),
              "");
}

// ---- a death ------------------------------------------------------------------------------------

// Makes jobs and claims until it is killed, and says each number after its acknowledgements. Two
// threads, so that commits hold the work of several callers.
[[noreturn]] void write_until_killed(const SqliteOptions& options, int acknowledged) {
  auto database = open_sqlite(options);
  if (!database) ::_exit(1);
  auto& spine = (*database)->spine();
  const auto fence = spine.acquire(NodeId{}).fence;
  auto write = [&](int first) {
    for (int i = first;; i += 2) {
      auto job = create((*database)->jobs(), "job " + std::to_string(i));
      auto fate = fate_of(spine, {fence, {claim(job, start)}});
      if (!std::holds_alternative<core::BatchCommitted>(fate)) ::_exit(2);
      if (::write(acknowledged, &i, sizeof i) != sizeof i) ::_exit(3);
    }
  };
  std::thread odd(write, 1);
  write(0);
  ::_exit(4);
}

class SqliteKilled : public SqliteFaults, public testing::WithParamInterface<int> {};

TEST_P(SqliteKilled, KeepsEveryAcknowledgedWrite) {
  ASSERT_TRUE(open());
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) write_until_killed({.file = file, .clock = clock}, pipe[1]);
  ::close(pipe[1]);
  std::vector<int> told;
  int number = 0;
  while (static_cast<int>(told.size()) < GetParam() &&
         ::read(pipe[0], &number, sizeof number) == sizeof number) {
    told.push_back(number);
  }
  ::kill(child, SIGKILL);
  while (::read(pipe[0], &number, sizeof number) == sizeof number) told.push_back(number);
  ::close(pipe[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);
  ASSERT_GE(static_cast<int>(told.size()), GetParam());

  auto database = open();
  ASSERT_TRUE(database) << database.error().message;
  std::set<JobNo> claimed;
  for (const auto& run : (*database)->spine().read_open_runs(all_shards(), start, 100'000)) {
    claimed.insert(run.job);
  }
  for (int each : told) {
    auto job = (*database)->jobs().find_job(account, "job " + std::to_string(each));
    ASSERT_TRUE(job) << each;
    EXPECT_TRUE(claimed.contains(job->no)) << each;
  }
  EXPECT_EQ(create((*database)->jobs(), "afterwards").revision, 1);
}

INSTANTIATE_TEST_SUITE_P(After, SqliteKilled, testing::Values(1, 2, 17, 60, 150, 400));

}  // namespace
}  // namespace cronally::store
