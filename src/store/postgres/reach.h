// Whether the database answers, as the listener last found out. While it does not, whoever would
// wait for it is told so at once: a server that is frozen takes seconds for each try, and callers
// would queue for them. And until when a caller waits otherwise.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "base/error.h"
#include "runtime/deadline.h"
#include "runtime/health.h"

namespace cronally::store::postgres {

// When a read or an edit that begins now has to have its answer: the deadline of its thread, or the
// same time for who has none.
inline SteadyInstant answer_by(SteadyInstant now) {
  constexpr Duration patience = std::chrono::milliseconds{4500};
  return runtime::DeadlineScope::current().value_or(runtime::Deadline::after(now, patience)).at;
}

// Thread-safe.
class Reach {
 public:
  // Posts "database" on the board, which may be null.
  explicit Reach(runtime::Health* health) : health_(health) {
    if (health_) health_->ok("database");
  }

  void answered() {
    away_ = false;
    if (health_) health_->ok("database");
  }
  void failed(const std::string& why) {
    {
      std::lock_guard lock(mutex_);
      why_ = why;
    }
    away_ = true;
    if (health_) health_->failing("database", why);
  }

  bool away() const { return away_; }
  // Throws Unavailable, with the reason, while the database is away.
  void require() const {
    if (!away_) return;
    std::lock_guard lock(mutex_);
    throw Unavailable(why_);
  }

 private:
  runtime::Health* const health_;
  std::atomic<bool> away_ = false;
  mutable std::mutex mutex_;
  std::string why_;
};

}  // namespace cronally::store::postgres
