// Files of the data directory: private, whole or absent, and one server at a time.
//
// Errors carry code "file_error" unless said otherwise; the message names the path, the system's
// reason and what to do.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace cronally::runtime {

// An open file descriptor; closed at the end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// /var/lib/cronally for root, else $XDG_STATE_HOME/cronally, else ~/.local/state/cronally.
std::filesystem::path default_data_dir();

// Makes the directory and its missing parents, mode 0700. One that exists stays as it is, but must
// not be writable by others (code "unsafe_directory").
Result<void> create_private_directory(const std::filesystem::path& directory);

// Replaces the file, mode 0600: after a crash there is the old content or the new, whole. Synced
// to disk, and its directory too, before this returns.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

// The same, but never over an existing file: code "file_exists".
Result<void> create_file(const std::filesystem::path& path, std::string_view bytes);

// The whole file; one longer than `size_max` is refused. Code "file_missing" when there is none.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t size_max);

// An exclusive lock (flock(2)) that lives as long as the value and dies with the process; it is
// neither inherited by programs started from here nor lost when other files are closed.
class FileLock {
 public:
  // Takes the lock at once or not at all, and writes the process id into the file.
  // Code "already_running": another process holds it; the message says which.
  static Result<FileLock> try_acquire(const std::filesystem::path& path);

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// Raises the soft limit of open files to the hard limit (getrlimit(2)) and returns what holds now.
std::uint64_t raise_open_files_limit();

}  // namespace cronally::runtime
