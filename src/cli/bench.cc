// bench: a herd and steady work against a server of its own, on the disk that is asked about
#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "cli/bench_load.h"
#include "cli/tree.h"

namespace cronally::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t herd_max = 200'000;
constexpr std::int64_t steady_max = 10'000;
constexpr Duration length_min = std::chrono::seconds{1};
constexpr Duration length_max = std::chrono::hours{1};

struct BenchFlags {
  std::optional<std::string> directory;
  std::int64_t herd = 10'000;
  std::int64_t steady = 1'000;
  std::string length = "30s";
};

// Ctrl-C and SIGTERM while this lives: they end a wait and nothing else, so that what was made is
// removed on the ordinary way out. Programs started meanwhile inherit the blocked signals; the
// server takes them by sigwait.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // True after so long; false once one of them came.
  bool wait(const runtime::Clock& clock, Duration length) {
    const SteadyInstant until = clock.steady() + length;
    for (Duration left = length; !came_; left = until - clock.steady()) {
      const Duration part = std::max(left, Duration{0});
      const auto whole = std::chrono::floor<std::chrono::seconds>(part);
      const timespec time{.tv_sec = whole.count(), .tv_nsec = (part - whole).count() * 1000};
      came_ = ::sigtimedwait(&set_, nullptr, &time) >= 0;
      if (left <= Duration::zero()) break;
    }
    return !came_;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  bool came_ = false;
};

// The nearest directory on the way to `path` that exists: the same disk, before the first start.
fs::path existing(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (!fs::is_directory(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

Outcome<Duration> check(const BenchFlags& flags) {
  if (flags.herd < 0 || flags.herd > herd_max) {
    return usage(fmt::format("--herd takes 0 to {} jobs; 0 leaves it out", herd_max));
  }
  if (flags.steady < 0 || flags.steady > steady_max) {
    return usage(fmt::format("--steady takes 0 to {} jobs; 0 leaves it out", steady_max));
  }
  const auto length = parse_duration(flags.length);
  if (!length) return usage("--for: " + length.error().message);
  if (*length < length_min || *length > length_max || *length % length_min != Duration{0}) {
    return usage("--for takes whole seconds, 1s to 1h");
  }
  return *length;
}

Outcome<BenchFigures> measure(const BenchFlags& flags, Duration length, const fs::path& where,
                              Session& session) {
  StopSignals signals;
  const auto directory = BenchDirectory::make(where);
  if (!directory) return std::unexpected(directory.error());
  BenchServer server(directory->path());
  if (auto started = server.start(); !started) return std::unexpected(started.error());
  const runtime::SystemClock clock;
  BenchLoad load({.world = session.world(),
                  .clock = clock,
                  .server = server,
                  .wait = [&](Duration wanted) { return signals.wait(clock, wanted); },
                  .say = [&](const std::string& line) { session.err() << line << std::endl; }});
  BenchFigures figures{.directory = where.string()};
  if (auto ready = load.wait_ready(); !ready) return std::unexpected(ready.error());
  if (flags.herd > 0) {
    const auto herd = load.herd(flags.herd);
    if (!herd) return std::unexpected(herd.error());
    figures.herd = *herd;
  }
  if (flags.steady > 0) {
    const auto steady = load.steady(flags.steady, length);
    if (!steady) return std::unexpected(steady.error());
    figures.steady = *steady;
  }
  return figures;
}

Outcome<ExitCode> bench(const BenchFlags& flags, Session& session) {
  const auto length = check(flags);
  if (!length) return std::unexpected(length.error());
  std::error_code ignored;
  if (flags.directory && !fs::is_directory(*flags.directory, ignored)) {
    return usage("--dir: there is no directory " + quote(*flags.directory));
  }
  const fs::path where = existing(flags.directory.value_or(session.data_dir()));
  const auto figures = measure(flags, *length, where, session);
  if (!figures) return std::unexpected(figures.error());
  if (session.json()) {
    session.print_json(json_of(*figures));
  } else {
    session.out() << text_of(*figures, session.colour());
  }
  return ExitCode::ok;
}

}  // namespace

void add_bench(Tree& tree) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App& app = tree.verb(
      tree.root(),
      {"bench",
       "Measure a herd and steady work on a disk, with a server that is removed afterwards.",
       {"cronally bench", "cronally bench --dir /mnt/fast --herd 50000 --steady 500 --for 1m"}},
      [flags](Session& session) { return bench(*flags, session); });
  text_flag(app, "--dir", "DIR", flags->directory,
            "A directory on the disk to measure; else that of the data directory.");
  app.add_option("--herd", flags->herd,
                 "Jobs due at one instant; 10000 without it, 0 leaves the herd out.")
      ->type_name("N");
  app.add_option("--steady", flags->steady,
                 "Jobs @every 1s, spread evenly; 1000 without it, 0 leaves them out.")
      ->type_name("N");
  app.add_option("--for", flags->length, "How long steady work is watched; 30s without it.")
      ->type_name("LENGTH");
}

}  // namespace cronally::cli
