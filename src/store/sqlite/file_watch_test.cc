#include "store/sqlite/file_watch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/error.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::store::sqlite {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::int64_t small = 1 << 20;
constexpr SteadyInstant start{1h};

// The code with which work is refused; empty: it is not.
std::string refused(const FileWatch& watch, Need need) {
  const auto refusal = watch.refusal(need);
  if (!refusal) return {};
  try {
    std::rethrow_exception(refusal);
  } catch (const Unavailable& outage) {
    return outage.code();
  }
}

class FileWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(file) << "database";
    std::ofstream(log) << "log";
  }
  FileWatch::Options options() {
    return {.file = file, .ballast = Ballast(ballast, small), .health = &health};
  }
  bool ready() const { return health.readiness().ready; }
  std::string reason() const { return health.readiness().items.at(0).reason; }

  conformance::TemporaryDirectory directory;
  fs::path file = directory.path() / "cronally.db";
  fs::path log = directory.path() / "cronally.db-wal";
  fs::path ballast = directory.path() / "ballast";
  runtime::Health health;
};

TEST_F(FileWatchTest, TheBallastIsAllocatedAndPrivate) {
  Ballast kept(ballast, small);
  ASSERT_TRUE(kept.fill());
  struct stat status{};
  ASSERT_EQ(::stat(ballast.c_str(), &status), 0);
  EXPECT_EQ(status.st_size, small);
  EXPECT_GE(status.st_blocks * 512, small) << "its blocks are its own";
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  kept.release();
  EXPECT_FALSE(fs::exists(ballast));
}

TEST_F(FileWatchTest, ABallastWithoutRoomLeavesNothingBehind) {
  EXPECT_FALSE(Ballast(ballast, small).fill(std::int64_t{1} << 60));
  EXPECT_FALSE(Ballast(ballast, std::int64_t{1} << 60).fill());
  EXPECT_FALSE(fs::exists(ballast));
}

TEST_F(FileWatchTest, AHollowFileIsNoBallast) {
  std::ofstream(ballast).close();
  fs::resize_file(ballast, small);
  Ballast kept(ballast, small);
  ASSERT_TRUE(kept.fill());
  struct stat status{};
  ASSERT_EQ(::stat(ballast.c_str(), &status), 0);
  EXPECT_GE(status.st_blocks * 512, small);
}

TEST_F(FileWatchTest, AFullDiskRefusesWhatNeedsRoomAndSpendsTheBallastOnTheRest) {
  FileWatch watch(options());
  EXPECT_TRUE(ready());
  EXPECT_TRUE(fs::exists(ballast));
  EXPECT_TRUE(watch.out_of_space()) << "the ballast is worth a second try";
  EXPECT_FALSE(fs::exists(ballast));
  EXPECT_EQ(refused(watch, Need::room), "disk_full");
  EXPECT_EQ(refused(watch, Need::little), "");
  EXPECT_FALSE(ready());
  EXPECT_NE(reason().find("disk is full"), std::string::npos);
  EXPECT_FALSE(watch.out_of_space()) << "there is no second ballast";
}

TEST_F(FileWatchTest, AFullDiskEndsByItselfOnceTheBallastFits) {
  FileWatch watch(options());
  watch.look(start);
  EXPECT_TRUE(watch.out_of_space());
  watch.look(start + 999ms);
  EXPECT_EQ(refused(watch, Need::room), "disk_full") << "not looked at yet";
  watch.look(start + 1s);
  EXPECT_EQ(refused(watch, Need::room), "");
  EXPECT_TRUE(fs::exists(ballast));
  EXPECT_TRUE(ready());
}

TEST_F(FileWatchTest, WithoutABallastAFullDiskIsNoState) {
  FileWatch watch({.file = file});
  EXPECT_FALSE(watch.out_of_space());
  EXPECT_EQ(refused(watch, Need::room), "");
}

TEST_F(FileWatchTest, AStartWithoutRoomForTheBallastIsFull) {
  FileWatch watch({.ballast = Ballast(ballast, std::int64_t{1} << 60), .health = &health});
  EXPECT_EQ(refused(watch, Need::room), "disk_full");
  EXPECT_FALSE(ready());
}

TEST_F(FileWatchTest, AFileThatIsGoneOrAnotherRefusesEverythingUntilItIsBack) {
  for (const fs::path& lost : {file, log}) {
    FileWatch watch(options());
    EXPECT_TRUE(watch.files_in_place());
    const fs::path aside = lost.string() + ".aside";
    fs::rename(lost, aside);
    EXPECT_FALSE(watch.files_in_place());
    EXPECT_EQ(refused(watch, Need::little), "database_removed");
    EXPECT_NE(reason().find("cronally restore"), std::string::npos) << reason();
    std::ofstream(lost) << "another";
    watch.look(start);
    EXPECT_EQ(refused(watch, Need::little), "database_removed") << "a copy is not the file";
    fs::rename(aside, lost);
    watch.look(start + 1s);
    EXPECT_EQ(refused(watch, Need::little), "");
    EXPECT_TRUE(ready());
  }
}

TEST_F(FileWatchTest, ALogMadeLaterIsTheOneFromThenOn) {
  fs::remove(log);
  FileWatch watch(options());
  EXPECT_TRUE(watch.files_in_place());
  std::ofstream(log) << "log";
  EXPECT_TRUE(watch.files_in_place());
  fs::remove(log);
  EXPECT_FALSE(watch.files_in_place());
}

TEST_F(FileWatchTest, DamageLastsUntilARestart) {
  FileWatch watch(options());
  watch.damaged("database disk image is malformed");
  EXPECT_EQ(refused(watch, Need::little), "database_corrupt");
  EXPECT_NE(reason().find("malformed"), std::string::npos);
  EXPECT_FALSE(watch.out_of_space());
  watch.look(start);
  watch.look(start + 1h);
  EXPECT_EQ(refused(watch, Need::little), "database_corrupt");
  EXPECT_FALSE(ready());
}

}  // namespace
}  // namespace cronally::store::sqlite
