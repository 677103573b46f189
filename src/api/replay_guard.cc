#include "api/replay_guard.h"

namespace cronally::api {

ReplayGuard::Verdict ReplayGuard::take(const std::string& digest, SteadyInstant now,
                                       SteadyInstant until) {
  const std::lock_guard lock(mutex_);
  while (!ends_.empty() && ends_.front().first <= now) {
    taken_.erase(ends_.front().second);
    ends_.pop_front();
  }
  if (taken_.contains(digest)) return Verdict::taken;
  if (ends_.size() >= entries_max) return Verdict::full;
  taken_.insert(digest);
  ends_.emplace_back(until, digest);
  return Verdict::fresh;
}

void ReplayGuard::forget(const std::string& digest) {
  const std::lock_guard lock(mutex_);
  taken_.erase(digest);
}

}  // namespace cronally::api
