#include "runtime/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/hmac.h"
#include "runtime/random.h"

namespace cronally::runtime {
namespace {

namespace fs = std::filesystem;

// `errno` as an error; called right behind the failing call.
std::unexpected<Error> file_error(std::string_view what, const fs::path& path) {
  const int number = errno;
  std::string_view remedy = "check the path and its permissions";
  if (number == ENOSPC || number == EDQUOT) remedy = "free some space on that disk";
  if (number == EACCES || number == EPERM || number == EROFS) {
    remedy = "give the user that runs cronally write access, or choose another directory";
  }
  if (number == EIO) remedy = "check the disk";
  return fail("file_error", fmt::format("cannot {} {}: {}; {}", what, path.string(),
                                        std::strerror(number), remedy));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

fs::path directory_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path{"."};
}

Result<void> sync_directory(const fs::path& directory) {
  const Fd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd || ::fsync(fd.get()) != 0) return file_error("sync the directory", directory);
  return {};
}

// A new file beside `path` with these bytes, synced; its name, or the error (and no file).
Result<fs::path> write_beside(const fs::path& path, std::string_view bytes) {
  fs::path temporary = path;
  temporary += ".new-" + hex(random_bytes(6));  // two writers never share one
  const Fd fd{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!fd) return file_error("create", temporary);
  if (!write_all(fd.get(), bytes) || ::fsync(fd.get()) != 0) {
    auto error = file_error("write", temporary);
    ::unlink(temporary.c_str());
    return error;
  }
  return temporary;
}

Result<void> make_missing(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) return sync_directory(directory_of(directory));
  if (errno == EEXIST) return {};
  if (errno != ENOENT || directory_of(directory) == directory) {
    return file_error("create the directory", directory);
  }
  if (auto made = make_missing(directory_of(directory)); !made) return made;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return file_error("create the directory", directory);
  }
  return sync_directory(directory_of(directory));
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

fs::path default_data_dir() {
  if (::geteuid() == 0) return "/var/lib/cronally";
  // XDG Base Directory Specification: an empty or relative value counts as unset.
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return fs::path{state} / "cronally";
  const char* home = std::getenv("HOME");
  return fs::path{home != nullptr ? home : "."} / ".local/state/cronally";
}

Result<void> create_private_directory(const fs::path& directory) {
  // "dir/" and "dir" are the same; mkdir's parent of the first would be the directory itself.
  const fs::path plain = directory.has_filename() ? directory : directory_of(directory);
  if (auto made = make_missing(plain); !made) return made;
  struct stat status{};
  if (::stat(plain.c_str(), &status) != 0) return file_error("examine", plain);
  if (!S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    return file_error("use", plain);
  }
  if ((status.st_mode & 0022) != 0) {
    return fail("unsafe_directory",
                fmt::format("the directory {0} is writable by other users, who could replace the "
                            "master key; run: chmod go-w {0}",
                            plain.string()));
  }
  return {};
}

Result<void> write_file_atomically(const fs::path& path, std::string_view bytes) {
  const auto temporary = write_beside(path, bytes);
  if (!temporary) return fail(temporary.error());
  if (::rename(temporary->c_str(), path.c_str()) != 0) {
    auto error = file_error("replace", path);
    ::unlink(temporary->c_str());
    return error;
  }
  return sync_directory(directory_of(path));
}

Result<void> create_file(const fs::path& path, std::string_view bytes) {
  const auto temporary = write_beside(path, bytes);
  if (!temporary) return fail(temporary.error());
  // link(2), unlike rename(2), refuses to replace: whole or absent, and never over another file.
  const bool linked = ::link(temporary->c_str(), path.c_str()) == 0;
  const int number = errno;
  ::unlink(temporary->c_str());
  errno = number;
  if (!linked && number == EEXIST) {
    return fail("file_exists", fmt::format("{} exists already; move it away first", path.string()));
  }
  if (!linked) return file_error("create", path);
  return sync_directory(directory_of(path));
}

Result<std::string> read_file(const fs::path& path, std::size_t size_max) {
  const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd && errno == ENOENT) {
    return fail("file_missing", fmt::format("there is no file {}", path.string()));
  }
  if (!fd) return file_error("open", path);
  std::string bytes;
  char piece[16384];
  while (true) {
    const ssize_t count = ::read(fd.get(), piece, sizeof piece);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error("read", path);
    if (count == 0) return bytes;
    bytes.append(piece, static_cast<std::size_t>(count));
    if (bytes.size() > size_max) {
      return fail("file_error",
                  fmt::format("{} is longer than the {} bytes that are allowed; is it the right "
                              "file?",
                              path.string(), size_max));
    }
  }
}

Result<FileLock> FileLock::try_acquire(const fs::path& path) {
  Fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!fd) return file_error("open the lock file", path);
  int locked = 0;
  do {
    locked = ::flock(fd.get(), LOCK_EX | LOCK_NB);
  } while (locked != 0 && errno == EINTR);
  if (locked != 0 && errno == EWOULDBLOCK) {
    std::string holder = read_file(path, 64).value_or("");
    while (holder.ends_with('\n')) holder.pop_back();
    return fail("already_running",
                fmt::format("another cronally server{} uses {}; stop it, or choose another data "
                            "directory with --data-dir",
                            holder.empty() ? "" : " (process " + holder + ")",
                            directory_of(path).string()));
  }
  if (locked != 0) return file_error("lock", path);
  // The number is for the message above only, so that a failure to write it does not matter.
  if (::ftruncate(fd.get(), 0) == 0) write_all(fd.get(), fmt::format("{}\n", ::getpid()));
  return FileLock{std::move(fd)};
}

std::uint64_t raise_open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

}  // namespace cronally::runtime
