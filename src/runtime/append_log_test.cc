#include "runtime/append_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "runtime/clock_manual.h"
#include "runtime/test_directory.h"

namespace cronally::runtime {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Instant noon = instant_from_us(1'780'000'000'000'000);

class AppendedLog : public ::testing::Test {
 protected:
  ~AppendedLog() override { stop(); }

  AppendLogOptions options() { return {.directory = directory / "journal", .retry_every = 1ms}; }

  void start(const AppendLogOptions& with) {
    log = std::make_unique<AppendLog>(with, clock);
    ASSERT_TRUE(log->open());
    log->on_trouble([this](const std::optional<Error>& error) {
      if (error) trouble_code = error->code;
      troubles += error ? 1 : 0;
      recoveries += error ? 0 : 1;
    });
    thread = std::jthread([this](const std::stop_token& token) { log->run(token); });
  }
  void start() { start(options()); }
  void stop() {
    if (!thread.joinable()) return;
    thread.request_stop();
    thread.join();
  }

  // Appends and waits until it is on the disk.
  bool write(const std::string& bytes) {
    std::promise<bool> told;
    log->append([&] { return bytes; }, [&](bool synced) { told.set_value(synced); });
    return told.get_future().get();
  }
  std::string all() {
    std::string bytes;
    EXPECT_TRUE(log->read([&](std::string_view more) { bytes += more; }));
    return bytes;
  }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory / "journal")) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
  }

  TestDirectory directory;
  ManualClock clock{noon};
  std::unique_ptr<AppendLog> log;
  std::jthread thread;
  std::atomic<int> troubles = 0;
  std::atomic<int> recoveries = 0;
  std::string trouble_code;
};

TEST_F(AppendedLog, WritesInTheOrderOfTheCalls) {
  start();
  log->append([] { return std::string("a"); }, {});
  EXPECT_TRUE(write("b"));
  log->append([] { return std::string("c"); }, {});
  stop();
  EXPECT_EQ(all(), "abc") << "what nobody waited for is written at the end";
}

TEST_F(AppendedLog, WritesWhatNobodyWaitsForAfterAMoment) {
  start();
  log->append([] { return std::string("a"); }, {});
  for (int tries = 0; tries < 1000 && all().empty(); ++tries) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(all(), "a");
}

TEST_F(AppendedLog, BeginsEachFileWithItsHead) {
  start({.directory = directory / "journal", .file_size = 1});
  log->set_head("<");
  EXPECT_TRUE(write("a"));
  log->set_head(">");
  EXPECT_TRUE(write("b"));
  EXPECT_EQ(all(), "<a>b");
  EXPECT_THAT(files(), ElementsAre("0000000001.log", "0000000002.log"));
}

TEST_F(AppendedLog, ReadsWhatTheProcessBeforeHasWrittenAndGoesOnInANewFile) {
  start();
  EXPECT_TRUE(write("a"));
  stop();
  start();
  EXPECT_EQ(all(), "a");
  EXPECT_TRUE(write("b"));
  EXPECT_EQ(all(), "ab");
  EXPECT_THAT(files(), SizeIs(2));
}

TEST_F(AppendedLog, TakesItsOwnFilesAlone) {
  fs::create_directory(directory / "journal");
  fs::permissions(directory / "journal", fs::perms::owner_all);
  for (const auto* name : {"notes.txt", "1.log.bak", ".log", "x1.log"}) {
    std::ofstream(directory / "journal" / name) << "foreign";
  }
  start();
  EXPECT_EQ(all(), "");
}

TEST_F(AppendedLog, RemovesFilesThatAreOld) {
  start({.directory = directory / "journal", .age_max = 10min});
  EXPECT_TRUE(write("a"));
  clock.advance(5min);
  EXPECT_TRUE(write("b"));
  EXPECT_EQ(all(), "ab");
  clock.advance(5min);
  EXPECT_TRUE(write("c"));
  EXPECT_EQ(all(), "bc");
}

TEST_F(AppendedLog, RemovesTheOldestWhereAllTogetherAreTooLarge) {
  start({.directory = directory / "journal", .size_max = 4, .file_size = 1});
  for (const auto* bytes : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(write(bytes));
  EXPECT_EQ(all(), "bcde");
  EXPECT_LE(log->bytes(), 4U);
}

TEST_F(AppendedLog, RemovesNothingWhileAllIsToBeKept) {
  start({.directory = directory / "journal", .size_max = 2, .file_size = 1});
  log->keep_all(true);
  for (const auto* bytes : {"a", "b", "c", "d"}) EXPECT_TRUE(write(bytes));
  clock.advance(1h);
  EXPECT_TRUE(write("e"));
  EXPECT_EQ(all(), "abcde");
  log->keep_all(false);
  EXPECT_TRUE(write("f"));
  EXPECT_EQ(all(), "ef");
}

TEST_F(AppendedLog, TellsNobodyUntilItCanWriteAndKeepsNoEmptyFiles) {
  start();
  EXPECT_TRUE(write("a"));
  clock.advance(1h);  // a new file is due
  log->keep_all(true);
  fs::rename(directory / "journal", directory / "away");
  std::promise<bool> told;
  auto synced = told.get_future();
  log->append([] { return std::string("b"); }, [&](bool yes) { told.set_value(yes); });
  while (troubles < 3) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(synced.wait_for(0s), std::future_status::timeout);
  fs::rename(directory / "away", directory / "journal");
  EXPECT_TRUE(synced.get());
  EXPECT_EQ(all(), "ab");
  stop();
  EXPECT_EQ(recoveries, 1);
  EXPECT_EQ(trouble_code, "file_error");
  EXPECT_THAT(files(), SizeIs(2));
}

// A file of limited size stands for a disk that is full in the middle of a write (setrlimit(2)).
TEST_F(AppendedLog, WritesAllThatWasNotSyncedToANewFileWhenThereIsRoom) {
  start();
  EXPECT_TRUE(write("a"));
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 8;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::promise<bool> told;
  auto synced = told.get_future();
  log->append([] { return std::string("0123456789abcdef"); },
              [&](bool yes) { told.set_value(yes); });
  while (troubles < 3) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(synced.wait_for(0s), std::future_status::timeout) << "nothing counts that is torn";
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(synced.get());
  EXPECT_EQ(all(), "a01234560123456789abcdef") << "a torn end, and then all of it";
}

TEST_F(AppendedLog, SaysOfWhatItCouldNotWriteThatItEnded) {
  start();
  fs::remove_all(directory / "journal");
  std::promise<bool> told;
  auto synced = told.get_future();
  log->append([] { return std::string("b"); }, [&](bool yes) { told.set_value(yes); });
  while (troubles < 1) std::this_thread::sleep_for(1ms);
  stop();
  EXPECT_FALSE(synced.get());
  EXPECT_FALSE(write("c")) << "nobody writes any more";
}

}  // namespace
}  // namespace cronally::runtime
