#include "cli/bench_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>

#include "base/text.h"
#include "runtime/files.h"

namespace cronally::cli {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::size_t file_max = 1 << 20;
constexpr auto stop_max = std::chrono::seconds{10};
constexpr auto stop_step = std::chrono::milliseconds{10};

Problem failure(std::string message, std::string advice) {
  return {ExitCode::failure, "bench_failed", std::move(message), {}, std::move(advice)};
}

// In the child, between fork and exec: only what signal-safety(7) allows.
[[noreturn]] void become_server(const char* const* words, const char* log) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int nothing = ::open("/dev/null", O_RDWR);
  const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (nothing >= 0 && out >= 0 && ::dup2(nothing, STDIN_FILENO) >= 0 &&
      ::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(out, STDERR_FILENO) >= 0) {
    ::setpgid(0, 0);  // Ctrl-C is the bench's, which then stops its server
    ::execv("/proc/self/exe", const_cast<char* const*>(words));
  }
  ::_exit(127);
}

}  // namespace

Outcome<BenchDirectory> BenchDirectory::make(const fs::path& where) {
  std::string name = (where / "cronally-bench-XXXXXX").string();
  if (::mkdtemp(name.data())) return BenchDirectory(name);  // mode 0700
  return std::unexpected(
      failure(fmt::format("no directory can be made in {}: {}", quote(where.string()),
                          std::strerror(errno)),
              "choose a directory of yours on the disk in question: --dir DIR."));
}

BenchDirectory::~BenchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

BenchServer::~BenchServer() { stop(); }

Outcome<void> BenchServer::start() {
  const std::string data = (directory_ / "data").string();
  const std::string log = (directory_ / "server.log").string();
  // On this disk, whatever database the environment names.
  const std::array<const char*, 11> words{"cronally",    "serve",      "--listen",   "127.0.0.1:0",
                                          "--data-dir",  data.c_str(), "--database", "",
                                          "--log-level", "warning",    nullptr};
  pid_ = ::fork();
  if (pid_ == 0) become_server(words.data(), log.c_str());
  if (pid_ > 0) return {};
  return std::unexpected(failure(fmt::format("no process can be started: {}", std::strerror(errno)),
                                 "free processes or memory, then try again."));
}

bool BenchServer::ended() {
  if (pid_ < 0) return true;
  const pid_t found = ::waitpid(pid_, nullptr, WNOHANG);
  if (found != pid_ && !(found < 0 && errno == ECHILD)) return false;
  pid_ = -1;
  return true;
}

Outcome<bool> BenchServer::look() {
  if (ended()) {
    const auto log = runtime::read_file(directory_ / "server.log", file_max);
    return std::unexpected(
        failure("the server under test ended:\n" + log.value_or(""), "the lines above say why."));
  }
  const auto record = runtime::read_file(directory_ / "data" / "server.json", file_max);
  const auto token = runtime::read_file(directory_ / "data" / "admin-token", file_max);
  if (!record || !token) return false;
  boost::system::error_code malformed;
  const json::value value = json::parse(*record, malformed);
  if (malformed) return false;
  url_ = json::value_to<std::string>(value.at("url"));
  token_ = SecretText{token->substr(0, token->find('\n'))};
  return true;
}

void BenchServer::stop() {
  if (ended()) return;
  ::kill(pid_, SIGTERM);
  for (auto waited = Duration{}; !ended(); waited += stop_step) {
    if (waited >= stop_max) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(stop_step);
  }
}

Duration BenchServer::processor() const {
  clockid_t clock = 0;
  timespec used{};
  if (pid_ < 0 || ::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    return {};
  }
  return std::chrono::seconds{used.tv_sec} +
         std::chrono::duration_cast<Duration>(std::chrono::nanoseconds{used.tv_nsec});
}

}  // namespace cronally::cli
