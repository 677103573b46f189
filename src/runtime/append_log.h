// A log of bytes in a directory of files, synced in groups: who appends is told when what it
// appended is on the disk. Bounded by age and size. What the bytes mean, and how a torn end is
// told from a whole one, is the user's business.
//
// One thread writes: it takes all that has gathered, writes it, syncs once (fdatasync(2)), and
// calls back. What nobody waits for goes along, after a moment at the latest.
//
// A file whose write or sync failed is not written again: after a failed fsync(2) nobody knows
// what of it is on the disk. What was not synced is kept and written to a new file, again and
// again, until that works; until then nobody is called back.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "runtime/clock.h"
#include "runtime/files.h"

namespace cronally::runtime {

struct AppendLogOptions {
  std::filesystem::path directory;  // made if it is missing, mode 0700
  // A file goes when nothing was written to it for so long, and the oldest ones while all together
  // are larger.
  Duration age_max = std::chrono::minutes{10};
  std::uint64_t size_max = std::uint64_t{128} << 20U;
  // Then a new file is begun; also after a quarter of age_max.
  std::uint64_t file_size = std::uint64_t{8} << 20U;
  // How long bytes wait that nobody waits for, and how many of them are kept while nothing can be
  // written; what is more is dropped.
  Duration lazy_wait = std::chrono::milliseconds{200};
  std::size_t lazy_max = 8U << 20U;
  Duration retry_every = std::chrono::milliseconds{500};
};

// Thread-safe, but for open().
class AppendLog {
 public:
  // Makes the bytes, on the writing thread.
  using Make = std::function<std::string()>;
  // True: they are on the disk. False: the log stops, and they may be or not.
  using Done = std::function<void(bool)>;

  // The clock outlives it.
  AppendLog(AppendLogOptions options, const Clock& clock);
  ~AppendLog();

  // Finds the files of the process before. Nothing is written. Codes: "file_error",
  // "unsafe_directory".
  Result<void> open();

  // What stands first in every file that is begun from here on.
  void set_head(std::string head);
  // `done` is called once, from the writing thread (or at once, with false, when that has ended);
  // it must not block. Without it nobody waits. Bytes are written in the order of these calls.
  void append(Make make, Done done);
  // Nothing is removed for its age or size while this is so.
  void keep_all(bool keep);

  // Each file's bytes, oldest first: all of the process before, and what this one has written.
  Result<void> read(const std::function<void(std::string_view)>& take) const;

  // Writes until the stop; then once more what is queued.
  void run(const std::stop_token& stop);

  // Called from the writing thread when writing begins to fail, with the error, and when it works
  // again, with nullopt. Before run().
  void on_trouble(std::function<void(const std::optional<Error>&)> told) {
    told_ = std::move(told);
  }
  // Called after each sync, with what it took.
  void on_sync(std::function<void(Duration)> synced) { synced_ = std::move(synced); }

  std::uint64_t bytes() const;  // of all files

 private:
  struct Entry {
    Make make;
    Done done;
  };
  struct File {
    std::filesystem::path path;
    std::uint64_t size = 0;
    SteadyInstant begun_at{};
    SteadyInstant written_at{};
    bool synced = false;  // something of it is on the disk
  };

  std::deque<Entry> take(const std::stop_token& stop);
  void gather(std::deque<Entry>&& entries);
  bool write();
  Result<void> try_write();
  Result<void> begin_file();
  void remove_old();
  void remove_unsynced();
  void settle(bool synced);
  void trouble(const std::optional<Error>& error);

  const AppendLogOptions options_;
  const Clock& clock_;
  std::function<void(const std::optional<Error>&)> told_;
  std::function<void(Duration)> synced_;

  // The writing thread's.
  Fd fd_;  // of the newest file; none: a new one is begun
  std::string unsynced_;
  std::vector<Done> waiting_;  // for unsynced_
  bool in_trouble_ = false;

  mutable std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<Entry> queue_;
  bool awaited_ = false;  // somebody waits for what is queued
  bool ended_ = false;    // the writing thread has
  bool keep_all_ = false;
  std::string head_;
  std::vector<File> files_;  // oldest first
  std::uint64_t last_number_ = 0;
};

}  // namespace cronally::runtime
