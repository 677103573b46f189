#include "runtime/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "runtime/notify.h"
#include "runtime/test_directory.h"

namespace cronally::runtime {
namespace {

using testing::HasSubstr;

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

std::ptrdiff_t entries(const TestDirectory& directory) {
  return std::distance(std::filesystem::directory_iterator{directory.path()}, {});
}

TEST(Files, MakesThePrivateDirectoryAndItsParents) {
  const TestDirectory directory;
  const auto data = directory / "state/cronally";
  ASSERT_TRUE(create_private_directory(data));
  EXPECT_EQ(mode_of(data), 0700U);
  EXPECT_EQ(mode_of(directory / "state"), 0700U);
  ASSERT_TRUE(create_private_directory(data));
  ASSERT_TRUE(create_private_directory(data / ""));  // with a slash at the end
}

TEST(Files, LeavesAnExistingDirectoryAsItIsUnlessOthersMayWrite) {
  const TestDirectory directory;
  const auto data = directory / "data";
  ASSERT_EQ(::mkdir(data.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(data.c_str(), 0755), 0);
  ASSERT_TRUE(create_private_directory(data));
  EXPECT_EQ(mode_of(data), 0755U);
  ASSERT_EQ(::chmod(data.c_str(), 0777), 0);
  const auto made = create_private_directory(data);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "unsafe_directory");
  EXPECT_THAT(made.error().message, HasSubstr("chmod go-w"));
}

TEST(Files, AFileInTheWayOfADirectoryIsNamed) {
  const TestDirectory directory;
  ASSERT_TRUE(create_file(directory / "data", ""));
  for (const auto& path : {directory / "data", directory / "data/deeper"}) {
    const auto made = create_private_directory(path);
    ASSERT_FALSE(made) << path;
    EXPECT_EQ(made.error().code, "file_error");
    EXPECT_THAT(made.error().message, HasSubstr("Not a directory"));
  }
}

TEST(Files, ReplacesAFileAsAWhole) {
  const TestDirectory directory;
  const auto path = directory / "server.json";
  ASSERT_TRUE(write_file_atomically(path, "one, longer"));
  ASSERT_TRUE(write_file_atomically(path, "two"));
  EXPECT_EQ(*read_file(path, 100), "two");
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(entries(directory), 1);
}

TEST(Files, AFailedWriteLeavesNothingBehind) {
  const TestDirectory directory;
  ASSERT_TRUE(create_private_directory(directory / "target/inside"));
  const auto written = write_file_atomically(directory / "target", "x");  // not over a directory
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, "file_error");
  EXPECT_EQ(entries(directory), 1);
  EXPECT_EQ(write_file_atomically(directory / "no/file", "x").error().code, "file_error");
}

TEST(Files, CreatesAFileOnlyOnce) {
  const TestDirectory directory;
  const auto path = directory / "master.key";
  ASSERT_TRUE(create_file(path, "first"));
  const auto again = create_file(path, "second");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "file_exists");
  EXPECT_EQ(*read_file(path, 100), "first");
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(entries(directory), 1);
}

TEST(Files, ReadsWholeFilesWithinABound) {
  const TestDirectory directory;
  const std::string bytes(100'000, '\xff');
  ASSERT_TRUE(create_file(directory / "big", bytes));
  EXPECT_EQ(*read_file(directory / "big", 100'000), bytes);
  EXPECT_EQ(read_file(directory / "big", 99'999).error().code, "file_error");
  EXPECT_EQ(read_file(directory / "none", 1).error().code, "file_missing");
  EXPECT_EQ(read_file(directory.path(), 1).error().code, "file_error");
}

TEST(FileLock, IsHeldByOneAtATime) {
  const TestDirectory directory;
  const auto path = directory / "lock";
  {
    const auto first = FileLock::try_acquire(path);
    ASSERT_TRUE(first);
    const auto second = FileLock::try_acquire(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, "already_running");
    EXPECT_THAT(second.error().message, HasSubstr("(process " + std::to_string(::getpid()) + ")"));
    EXPECT_THAT(second.error().message, HasSubstr(directory.path().string()));
    EXPECT_EQ(mode_of(path), 0600U);
  }
  EXPECT_TRUE(FileLock::try_acquire(path));
}

TEST(FileLock, MovesWithItsOwner) {
  const TestDirectory directory;
  auto first = FileLock::try_acquire(directory / "lock");
  const FileLock owner = std::move(*first);
  first = fail("gone", "");
  EXPECT_FALSE(FileLock::try_acquire(directory / "lock"));
}

TEST(FileLock, DiesWithItsProcess) {
  const TestDirectory directory;
  const auto path = directory / "lock";
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = FileLock::try_acquire(path);
    ::_exit(lock ? 7 : 1);  // without releasing it
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(FileLock::try_acquire(path));
}

TEST(FileLock, AnUnwritablePlaceIsNamed) {
  const auto lock = FileLock::try_acquire("/nonexistent/lock");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, "file_error");
  EXPECT_THAT(lock.error().message, HasSubstr("/nonexistent/lock: No such file"));
}

TEST(Files, OpenFilesAreRaisedToTheHardLimit) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(raise_open_files_limit(), before.rlim_max);
}

TEST(Files, TheDataDirectoryFollowsTheEnvironment) {
  if (::geteuid() == 0) {
    EXPECT_EQ(default_data_dir(), "/var/lib/cronally");
    return;
  }
  ::setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(default_data_dir(), "/state/cronally");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  ::setenv("HOME", "/home/u", 1);
  EXPECT_EQ(default_data_dir(), "/home/u/.local/state/cronally");
}

class NotifyTest : public testing::Test {
 protected:
  ~NotifyTest() override { ::unsetenv("NOTIFY_SOCKET"); }

  void listen_at(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    socket_ = Fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }

  std::string received() {
    char bytes[200];
    const ssize_t count = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    return count < 0 ? "nothing" : std::string(bytes, static_cast<std::size_t>(count));
  }

  TestDirectory directory_;
  Fd socket_;
};

TEST_F(NotifyTest, SendsToAPath) {
  listen_at((directory_ / "notify").string());
  EXPECT_TRUE(notify_ready());
  EXPECT_EQ(received(), "READY=1");
  EXPECT_TRUE(notify_stopping());
  EXPECT_EQ(received(), "STOPPING=1");
}

TEST_F(NotifyTest, SendsToAnAbstractName) {
  listen_at("@" + directory_.path().filename().string());
  EXPECT_TRUE(notify("STATUS=serving"));
  EXPECT_EQ(received(), "STATUS=serving");
}

TEST_F(NotifyTest, IsSilentWithoutAManager) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(notify_ready());
  for (const char* nowhere : {"", "relative", "/nonexistent/socket", "vsock:2:1"}) {
    ::setenv("NOTIFY_SOCKET", nowhere, 1);
    EXPECT_FALSE(notify_ready()) << nowhere;
  }
  ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
  EXPECT_FALSE(notify_ready());
}

}  // namespace
}  // namespace cronally::runtime
