// The server that `cronally bench` measures: this same program as a child process, on a data
// directory that is made for it and removed with it, whatever way the bench ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/secret.h"
#include "cli/problem.h"

namespace cronally::cli {

// A new private directory under another; removed at the end, with all that is in it.
class BenchDirectory {
 public:
  // `where` must exist. The problem says what to do.
  static Outcome<BenchDirectory> make(const std::filesystem::path& where);
  ~BenchDirectory();
  BenchDirectory(BenchDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  BenchDirectory& operator=(BenchDirectory&&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit BenchDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

class BenchServer {
 public:
  explicit BenchServer(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~BenchServer();  // stop()
  BenchServer(const BenchServer&) = delete;
  BenchServer& operator=(const BenchServer&) = delete;

  // Starts `cronally serve` on the directory. Before any thread is started here, and by the thread
  // that lives longest: the child is told to stop when that thread ends.
  Outcome<void> start();

  // What keeps it from being ready so far: false, it is still starting; a problem, it ended.
  // True once its address and token are known.
  Outcome<bool> look();

  // SIGTERM, then the end; SIGKILL when that takes longer than ten seconds. Idempotent.
  void stop();

  const std::string& url() const { return url_; }
  const SecretText& token() const { return token_; }

  // Processor time of all its threads so far.
  Duration processor() const;

 private:
  bool ended();

  std::filesystem::path directory_;
  pid_t pid_ = -1;
  std::string url_;
  SecretText token_;
};

}  // namespace cronally::cli
