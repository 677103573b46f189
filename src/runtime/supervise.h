// Named threads that outlive outages and end together.
//
// A body runs until it returns or its stop token is set. When it throws Unavailable, the outage is
// logged and posted on the health board under the loop's name, and after a pause the body is run
// again; the board says ok once a restarted body has lasted `settle`, or returned. Anything else
// thrown is a bug: logged, and the process aborts.
//
//   supervisor.spawn("writer", [&](std::stop_token stop) { while (!stop.stop_requested()) … });
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "base/time.h"
#include "runtime/health.h"

namespace cronally::runtime {

class Metrics;

// Pauses between restarts: full jitter over min × 2^failures, at most max.
struct RestartPolicy {
  Duration pause_min = std::chrono::milliseconds{100};
  Duration pause_max = std::chrono::seconds{10};
  Duration settle = std::chrono::seconds{5};  // then it counts as recovered
};

// The pause after the n-th failure in a row (n from 1), `random` from [0, 1). Pure: at least half
// of pause_min, at most pause_max.
Duration restart_pause(const RestartPolicy& policy, int failures, double random);

// Sleeps until `length` has passed (true) or a stop is requested (false).
bool wait_or_stop(const std::stop_token& stop, Duration length);

// Runs `work` on a thread that nobody waits for, for calls that cannot be ended from outside
// (getaddrinfo(3)). `work` must own all that it touches, and not throw; the process may end before
// it does. The name's first 15 characters show in the kernel. False: no thread is to be had.
[[nodiscard]] bool spawn_apart(std::string name, std::function<void()> work);

class Supervisor {
 public:
  using Body = std::function<void(std::stop_token)>;

  // Both must outlive the supervisor; `metrics` may be null.
  explicit Supervisor(Health& health, Metrics* metrics = nullptr, RestartPolicy policy = {});
  ~Supervisor();  // stops and joins
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts a thread. The name is the loop's on the board, in the log and (its first 15
  // characters) in the kernel, so use each once. Any thread; after stop_and_join() it is a bug.
  void spawn(std::string name, Body body);

  // Asks every body to stop, in the reverse order of their start, then waits for all. Idempotent;
  // not from a supervised thread.
  void stop_and_join();

 private:
  struct Loop {
    std::string name;
    std::jthread thread;
  };
  void supervise(const std::string& name, const Body& body, const std::stop_token& stop);
  // Whether the body is to be run again; counts failures in a row.
  bool run_once(const std::string& name, const Body& body, const std::stop_token& stop,
                int& failures);

  Health& health_;
  Metrics* metrics_;
  RestartPolicy policy_;
  std::mutex mutex_;
  bool stopped_ = false;
  std::list<Loop> loops_;
};

}  // namespace cronally::runtime
