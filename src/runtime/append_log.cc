#include "runtime/append_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace cronally::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".log";

// `errno` as an error; called right behind the failing call.
std::unexpected<Error> log_error(std::string_view what, const fs::path& path) {
  const int number = errno;
  const bool full = number == ENOSPC || number == EDQUOT;
  return fail(full ? "disk_full" : "file_error",
              fmt::format("cannot {} {}: {}; {}", what, path.string(), std::strerror(number),
                          full ? "free some space on that disk"
                               : "check the disk and the permissions of the directory"));
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

// "0000000012.log": 12. 0: not one of ours.
std::uint64_t number_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.ends_with(suffix)) return 0;
  const char* const end = name.data() + name.size() - suffix.size();
  std::uint64_t number = 0;
  const auto read = std::from_chars(name.data(), end, number);
  return read.ec == std::errc{} && read.ptr == end ? number : 0;
}

}  // namespace

AppendLog::AppendLog(AppendLogOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

AppendLog::~AppendLog() = default;

Result<void> AppendLog::open() {
  if (auto made = create_private_directory(options_.directory); !made) return fail(made.error());
  std::error_code error;
  const SteadyInstant now = clock_.steady();
  for (const auto& entry : fs::directory_iterator(options_.directory, error)) {
    if (number_of(entry.path()) == 0) continue;
    std::error_code ignored;
    const auto size = entry.file_size(ignored);
    files_.push_back({entry.path(), ignored ? 0 : size, now, now, true});
  }
  if (error) {
    return fail("file_error", fmt::format("cannot read the directory {}: {}; check its permissions",
                                          options_.directory.string(), error.message()));
  }
  std::ranges::sort(files_, {}, [](const File& file) { return number_of(file.path); });
  if (!files_.empty()) last_number_ = number_of(files_.back().path);
  return {};
}

void AppendLog::set_head(std::string head) {
  std::lock_guard lock(mutex_);
  head_ = std::move(head);
}

void AppendLog::append(Make make, Done done) {
  {
    std::lock_guard lock(mutex_);
    if (!ended_) {
      if (done) awaited_ = true;
      queue_.push_back({std::move(make), std::move(done)});
      filled_.notify_one();
      return;
    }
  }
  if (done) done(false);
}

void AppendLog::keep_all(bool keep) {
  std::lock_guard lock(mutex_);
  keep_all_ = keep;
}

std::uint64_t AppendLog::bytes() const {
  std::lock_guard lock(mutex_);
  std::uint64_t all = 0;
  for (const File& file : files_) all += file.size;
  return all;
}

Result<void> AppendLog::read(const std::function<void(std::string_view)>& take) const {
  std::vector<fs::path> paths;
  {
    std::lock_guard lock(mutex_);
    for (const File& file : files_) paths.push_back(file.path);
  }
  for (const fs::path& path : paths) {
    const auto bytes = read_file(path, std::size_t{1} << 30U);
    if (!bytes && bytes.error().code == "file_missing") continue;  // removed for its age
    if (!bytes) return fail(bytes.error());
    take(*bytes);
  }
  return {};
}

// ---- the writing thread -------------------------------------------------------------------------

void AppendLog::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    gather(take(stop));
    if (write() || stop.stop_requested()) continue;
    std::unique_lock lock(mutex_);
    filled_.wait_for(lock, stop, options_.retry_every, [] { return false; });
  }
  std::deque<Entry> rest;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    rest = std::exchange(queue_, {});
  }
  gather(std::move(rest));
  if (!write()) settle(false);
}

// All that is queued, as soon as somebody waits for it; what nobody waits for, after a moment.
std::deque<AppendLog::Entry> AppendLog::take(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!in_trouble_) {
    filled_.wait(lock, stop, [this] { return !queue_.empty(); });
    filled_.wait_for(lock, stop, options_.lazy_wait, [this] { return awaited_; });
  }
  awaited_ = false;
  return std::exchange(queue_, {});
}

void AppendLog::gather(std::deque<Entry>&& entries) {
  for (Entry& entry : entries) {
    if (!entry.done && in_trouble_ && unsynced_.size() > options_.lazy_max) continue;
    unsynced_ += entry.make();
    if (entry.done) waiting_.push_back(std::move(entry.done));
  }
}

// False: it is to be tried again.
bool AppendLog::write() {
  if (unsynced_.empty()) {
    settle(true);
    return true;
  }
  const SteadyInstant before = clock_.steady();
  if (auto written = try_write(); !written) {
    fd_ = Fd{};
    remove_unsynced();
    trouble(written.error());
    return false;
  }
  if (synced_) synced_(clock_.steady() - before);
  trouble(std::nullopt);
  unsynced_.clear();
  settle(true);
  return true;
}

Result<void> AppendLog::try_write() {
  const SteadyInstant now = clock_.steady();
  std::optional<File> newest;
  if (fd_) {
    std::lock_guard lock(mutex_);
    newest = files_.back();
  }
  const bool full = newest && (newest->size >= options_.file_size ||
                               now - newest->begun_at >= options_.age_max / 4);
  if (!newest || full) {
    if (auto begun = begin_file(); !begun) return begun;
  }
  fs::path path;
  {
    std::lock_guard lock(mutex_);
    path = files_.back().path;
  }
  if (!write_all(fd_.get(), unsynced_)) return log_error("write", path);
  if (::fdatasync(fd_.get()) != 0) return log_error("sync", path);
  std::lock_guard lock(mutex_);
  files_.back().size += unsynced_.size();
  files_.back().written_at = now;
  files_.back().synced = true;
  return {};
}

Result<void> AppendLog::begin_file() {
  fd_ = Fd{};
  remove_old();
  const fs::path path = options_.directory / fmt::format("{:010}{}", ++last_number_, suffix);
  Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600)};
  if (!fd) return log_error("create", path);
  std::string head;
  {
    std::lock_guard lock(mutex_);
    const SteadyInstant now = clock_.steady();
    head = head_;
    files_.push_back({path, head.size(), now, now, false});
  }
  if (!write_all(fd.get(), head)) return log_error("write", path);
  const Fd directory{::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory || ::fsync(directory.get()) != 0) {
    return log_error("sync the directory", options_.directory);
  }
  fd_ = std::move(fd);
  return {};
}

void AppendLog::remove_old() {
  std::lock_guard lock(mutex_);
  if (keep_all_) return;
  const SteadyInstant now = clock_.steady();
  std::uint64_t all = 0;
  for (const File& file : files_) all += file.size;
  while (!files_.empty()) {
    const File& oldest = files_.front();
    const bool old = now - oldest.written_at >= options_.age_max;
    if (!old && all + options_.file_size <= options_.size_max) return;
    all -= oldest.size;
    std::error_code ignored;
    fs::remove(oldest.path, ignored);
    files_.erase(files_.begin());
  }
}

// A file that was begun in vain; each try would leave one.
void AppendLog::remove_unsynced() {
  std::lock_guard lock(mutex_);
  if (files_.empty() || files_.back().synced) return;
  std::error_code ignored;
  fs::remove(files_.back().path, ignored);
  files_.pop_back();
}

void AppendLog::settle(bool synced) {
  for (Done& done : std::exchange(waiting_, {})) done(synced);
}

void AppendLog::trouble(const std::optional<Error>& error) {
  const bool was = std::exchange(in_trouble_, error.has_value());
  if (told_ && (error || was)) told_(error);
}

}  // namespace cronally::runtime
