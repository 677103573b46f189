// Which signed requests were taken already, where a server refuses to take one twice. In memory
// alone: a restart forgets them.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/time.h"

namespace cronally::api {

// Bounded: while it is full of requests that might still be replayed, no further one is taken. Any
// thread.
class ReplayGuard {
 public:
  static constexpr std::size_t entries_max = 200'000;

  enum class Verdict { fresh, taken, full };

  // Notes the request until `until`.
  Verdict take(const std::string& digest, SteadyInstant now, SteadyInstant until);
  // It did not come to an end: it may be sent again.
  void forget(const std::string& digest);

 private:
  std::mutex mutex_;
  std::unordered_set<std::string> taken_;
  std::deque<std::pair<SteadyInstant, std::string>> ends_;  // what is forgotten too, until then
};

}  // namespace cronally::api
