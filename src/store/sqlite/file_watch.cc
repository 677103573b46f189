#include "store/sqlite/file_watch.h"

#include <sys/stat.h>

#include <utility>

#include "base/error.h"
#include "runtime/log.h"

namespace cronally::store::sqlite {

namespace {

// Space that must be free beside the ballast before claims go on: without it a disk that is nearly
// full would be found full again by the next commits.
constexpr std::int64_t spare_bytes = 8 << 20;

constexpr const char* full_text =
    "the disk is full; nothing new is taken or claimed. Free space: work goes on by itself";
constexpr const char* removed_text =
    "the database's file was removed or replaced under the running server; nothing is written any "
    "more. Put the file back, or save what is there with `cronally backup`, stop the server and "
    "run `cronally restore`";

}  // namespace

std::optional<FileWatch::Identity> FileWatch::identity_of(const std::filesystem::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return Identity{status.st_dev, status.st_ino};
}

FileWatch::FileWatch(Options options)
    : options_(std::move(options)), files_{options_.file, options_.file.string() + "-wal"} {
  if (!options_.file.empty()) {
    for (std::size_t i = 0; i < files_.size(); ++i) opened_.at(i) = identity_of(files_.at(i));
  }
  if (options_.health) options_.health->ok("database");
  if (options_.ballast && !options_.ballast->fill()) enter(State::full, full_text);
}

void FileWatch::enter(State state, const std::string& reason) {
  if (state == state_) return;
  state_ = state;
  reason_ = reason;
  if (state == State::well) {
    runtime::log::info("store", "the database takes writes again");
    if (options_.health) options_.health->ok("database");
    return;
  }
  runtime::log::error("store", "the database takes no writes", {{"reason", reason}});
  if (options_.health) options_.health->failing("database", reason);
}

void FileWatch::look(SteadyInstant now) {
  if (looked_at_ && now - *looked_at_ < look_every) return;
  looked_at_ = now;
  if (!files_in_place()) return;
  if (state_ == State::removed) enter(State::well, {});
  if (state_ == State::full && options_.ballast->fill(spare_bytes)) enter(State::well, {});
}

bool FileWatch::files_in_place() {
  if (options_.file.empty()) return true;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const auto found = identity_of(files_.at(i));
    if (!opened_.at(i)) opened_.at(i) = found;  // the log is made by the first commit
    if (found == opened_.at(i)) continue;
    if (state_ != State::damaged) enter(State::removed, removed_text);
    return false;
  }
  return true;
}

bool FileWatch::out_of_space() {
  if (!options_.ballast || state_ != State::well) return false;
  options_.ballast->release();
  enter(State::full, full_text);
  return true;
}

void FileWatch::damaged(const std::string& what) {
  enter(State::damaged, "the database is damaged (" + what +
                            "); nothing is written any more. Stop the server and run `cronally "
                            "restore` with a backup");
}

std::exception_ptr FileWatch::refusal(Need need) const {
  switch (state_) {
    case State::well: return nullptr;
    case State::full:
      if (need == Need::little) return nullptr;
      return std::make_exception_ptr(Unavailable(reason_, "disk_full"));
    case State::removed: return std::make_exception_ptr(Unavailable(reason_, "database_removed"));
    case State::damaged: return std::make_exception_ptr(Unavailable(reason_, "database_corrupt"));
  }
  return nullptr;
}

}  // namespace cronally::store::sqlite
