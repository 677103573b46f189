#include "runtime/supervise.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <optional>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "runtime/log.h"
#include "runtime/metrics.h"
#include "runtime/random.h"

namespace cronally::runtime {
namespace {

void name_this_thread(const std::string& name) {
  // pthread_setname_np(3): 16 bytes with the terminator, and an error for more.
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

// What is down, when the body ended by an outage; nullopt when it returned. Ends the process when
// the body threw anything else.
std::optional<std::string> run_body(const std::string& name, const Supervisor::Body& body,
                                    const std::stop_token& stop) {
  try {
    body(stop);
    return std::nullopt;
  } catch (const Unavailable& outage) {
    return outage.what();
  } catch (const std::exception& bug) {
    log::error("supervise", "bug: a loop threw what is not an outage",
               {{"loop", name}, {"reason", bug.what()}});
  } catch (...) {
    log::error("supervise", "bug: a loop threw what is not an exception", {{"loop", name}});
  }
  CHECK(false, "a supervised loop may throw Unavailable only");
}

}  // namespace

Duration restart_pause(const RestartPolicy& policy, int failures, double random) {
  const double doublings = std::min(std::max(failures - 1, 0), 40);
  const double ceiling =
      std::min(static_cast<double>(policy.pause_max.count()),
               static_cast<double>(policy.pause_min.count()) * std::exp2(doublings));
  const double floor = static_cast<double>(policy.pause_min.count()) / 2;
  return Duration{static_cast<std::int64_t>(std::max(floor, ceiling * random))};
}

bool spawn_apart(std::string name, std::function<void()> work) {
  try {
    std::thread{[name = std::move(name), work = std::move(work)] {
      name_this_thread(name);
      work();
    }}.detach();
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

bool wait_or_stop(const std::stop_token& stop, Duration length) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock{mutex};
  wake.wait_for(lock, stop, length, [] { return false; });
  return !stop.stop_requested();
}

Supervisor::Supervisor(Health& health, Metrics* metrics, RestartPolicy policy)
    : health_(health), metrics_(metrics), policy_(policy) {}

Supervisor::~Supervisor() { stop_and_join(); }

void Supervisor::spawn(std::string name, Body body) {
  std::lock_guard lock{mutex_};
  CHECK(!stopped_, "nothing is started while everything stops");
  Loop& loop = loops_.emplace_back();
  loop.name = std::move(name);
  loop.thread = std::jthread{[this, name = loop.name, body = std::move(body)](
                                 std::stop_token stop) { supervise(name, body, stop); }};
}

void Supervisor::stop_and_join() {
  std::list<Loop> loops;
  {
    std::lock_guard lock{mutex_};
    stopped_ = true;
    loops.swap(loops_);
  }
  for (auto it = loops.rbegin(); it != loops.rend(); ++it) it->thread.request_stop();
  while (!loops.empty()) loops.pop_back();  // joins
}

void Supervisor::supervise(const std::string& name, const Body& body, const std::stop_token& stop) {
  name_this_thread(name);
  health_.ok(name);
  int failures = 0;
  while (run_once(name, body, stop, failures)) {
    if (metrics_ != nullptr) metrics_->counter(metric::loop_restarts_total, {{"loop", name}}).add();
    if (!wait_or_stop(stop, restart_pause(policy_, failures, random_unit()))) break;
  }
}

bool Supervisor::run_once(const std::string& name, const Body& body, const std::stop_token& stop,
                          int& failures) {
  std::atomic<bool> settled = failures == 0;
  std::optional<std::string> outage;
  {
    // Lives only behind a failure: says "well again" once the body has lasted long enough, and
    // ends with it.
    std::jthread watch;
    if (failures > 0) {
      watch = std::jthread{[&](const std::stop_token& ended) {
        if (!wait_or_stop(ended, policy_.settle)) return;
        settled = true;
        health_.ok(name);
      }};
    }
    outage = run_body(name, body, stop);
  }
  if (!outage) health_.ok(name);
  if (!outage || stop.stop_requested()) return false;
  failures = settled ? 1 : failures + 1;
  log::warning("supervise", "loop failed and will be started again",
               {{"loop", name}, {"failures", failures}, {"reason", *outage}});
  health_.failing(name, *outage);
  return true;
}

}  // namespace cronally::runtime
