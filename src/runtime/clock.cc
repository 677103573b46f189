#include "runtime/clock.h"

#include <time.h>

#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"

namespace cronally::runtime {
namespace {

Duration read_clock(clockid_t id) {
  timespec at{};
  CHECK(clock_gettime(id, &at) == 0, "Linux from 2.6.39 on has both clocks");
  return std::chrono::duration_cast<Duration>(std::chrono::seconds{at.tv_sec} +
                                              std::chrono::nanoseconds{at.tv_nsec});
}

}  // namespace

#ifdef CRONALLY_TEST_HOOKS

// What a test wants of the clocks. Thread-safe.
class SystemClock::Hook {
 public:
  Hook(const char* offset, const char* file)
      : fixed_offset_(offset ? signed_duration(offset) : Duration{}), file_(file ? file : "") {}

  Now apply(const Now& kernel) {
    std::lock_guard lock{mutex_};
    look(kernel.steady);
    const SteadyInstant scaled = scaled_at(kernel.steady);
    const Duration ahead = scaled - kernel.steady + words_.ahead;
    return {kernel.wall + ahead + words_.offset + fixed_offset_, kernel.steady + ahead};
  }

  Duration sleep_for(Duration length) {
    std::lock_guard lock{mutex_};
    return std::chrono::duration_cast<Duration>(length / words_.rate);
  }

 private:
  struct Words {
    Duration offset{};
    Duration ahead{};
    double rate = 1;
  };

  // Signed, unlike every duration that users write: the parser for those has no sign.
  static Duration signed_duration(std::string_view text) {
    const bool negative = text.starts_with('-');
    const auto length = parse_duration(negative ? text.substr(1) : text);
    CHECK(length.has_value(), "a test's clock takes durations such as 90s or -2h");
    return negative ? -*length : *length;
  }

  SteadyInstant scaled_at(SteadyInstant kernel) const {
    return scaled_since_ + std::chrono::duration_cast<Duration>((kernel - since_) * words_.rate);
  }

  void look(SteadyInstant kernel) {
    constexpr Duration look_every = std::chrono::milliseconds{2};
    if (file_.empty() || (looked_ && kernel - since_look_ < look_every)) return;
    const SteadyInstant scaled = looked_ ? scaled_at(kernel) : kernel;
    const Words words = read();
    if (!looked_ || words.rate != words_.rate) {
      since_ = kernel;
      scaled_since_ = scaled;
    }
    words_ = words;
    looked_ = true;
    since_look_ = kernel;
  }

  Words read() const {
    Words words;
    std::ifstream in{file_};
    for (std::string word; in >> word;) {
      const std::size_t equals = word.find('=');
      CHECK(equals != std::string::npos, "a test's clock file holds words such as offset=-1h");
      const std::string value = word.substr(equals + 1);
      if (word.starts_with("offset=")) words.offset = signed_duration(value);
      if (word.starts_with("ahead=")) words.ahead = signed_duration(value);
      if (word.starts_with("rate=")) words.rate = std::strtod(value.c_str(), nullptr);
    }
    CHECK(words.rate >= 1, "a test's clock runs once as fast or faster");
    return words;
  }

  const Duration fixed_offset_;
  const std::string file_;
  std::mutex mutex_;
  Words words_;
  bool looked_ = false;
  SteadyInstant since_look_{};
  SteadyInstant since_{};         // since then at this rate,
  SteadyInstant scaled_since_{};  // and what the test's clock showed
};

SystemClock::SystemClock(Hooks hooks) {
  const char* offset = std::getenv("CRONALLY_TEST_CLOCK_OFFSET");
  const char* file = std::getenv("CRONALLY_TEST_CLOCK_FILE");
  if (hooks == Hooks::heed && (offset || file)) hook_ = std::make_unique<Hook>(offset, file);
}

#else

class SystemClock::Hook {
 public:
  Now apply(const Now& kernel) { return kernel; }
  Duration sleep_for(Duration length) { return length; }
};

SystemClock::SystemClock(Hooks) {}

#endif

SystemClock::~SystemClock() = default;

Duration SystemClock::sleep_for(Duration length) const {
  return hook_ ? hook_->sleep_for(length) : length;
}

std::string SystemClock::boot() const {
  std::string id;
  std::getline(std::ifstream{"/proc/sys/kernel/random/boot_id"}, id);
  return id;
}

Instant SystemClock::wall() const {
  return hook_ ? now().wall : Instant{read_clock(CLOCK_REALTIME)};
}

SteadyInstant SystemClock::steady() const {
  return hook_ ? now().steady : SteadyInstant{read_clock(CLOCK_BOOTTIME)};
}

Now SystemClock::now() const {
  constexpr Duration apart_max{50};
  // Preempted between the two readings, they are far apart; three times in a row is overload.
  for (int tries = 0;; ++tries) {
    const Duration before = read_clock(CLOCK_BOOTTIME);
    const Duration wall = read_clock(CLOCK_REALTIME);
    const Duration after = read_clock(CLOCK_BOOTTIME);
    if (after - before <= apart_max || tries == 2) {
      const Now kernel{Instant{wall}, SteadyInstant{after}};
      return hook_ ? hook_->apply(kernel) : kernel;
    }
  }
}

}  // namespace cronally::runtime
