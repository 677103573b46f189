// Where the machine's events wait for its thread. Any thread posts; whoever may still post when the
// driver is gone shares it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

#include "core/planner.h"

namespace cronally::scheduler {

class Inbox {
 public:
  void post(core::Event event) {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    filled_.notify_one();
  }

  void post(std::vector<core::AttemptEnded>&& ended) {
    {
      std::lock_guard lock(mutex_);
      for (auto& one : ended) events_.emplace_back(std::move(one));
    }
    filled_.notify_one();
  }

  // All that came, in order; waits for the first of them at most so long, or until a stop.
  std::vector<core::Event> take(const std::stop_token& stop, Duration wait) {
    std::unique_lock lock(mutex_);
    if (events_.empty() && wait > Duration::zero()) {
      filled_.wait_for(lock, stop, wait, [this] { return !events_.empty(); });
    }
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any filled_;
  std::vector<core::Event> events_;
};

}  // namespace cronally::scheduler
