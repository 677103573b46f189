// Names to addresses for a thread that must not wait: getaddrinfo(3) on threads of their own, so
// that nsswitch.conf counts. Hides those threads, which nobody waits for: a name server that stays
// silent delays neither other names nor the end of the resolver.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/address.h"

namespace cronally::net {

struct ResolverOptions {
  std::size_t lookups_max = 256;             // under way at a time; others wait
  Duration kept = std::chrono::seconds{60};  // an answer; a failure is not kept
  std::size_t kept_max = 10'000;             // answers
};

// For one thread.
class Resolver {
 public:
  struct Answer {
    std::string host;
    Result<Addresses> addresses;
  };

  // `wake` is called, on some other thread, when there is an answer to take; never after the
  // resolver's end, which waits for no lookup.
  explicit Resolver(std::function<void()> wake, ResolverOptions options = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // What is known at `now` without asking: addresses, localhost, answers that are kept. Else null.
  Addresses find(const std::string& host, SteadyInstant now);

  // Asks for a name, unless that is under way; its answer comes by take().
  void ask(const std::string& host);

  // The answers since the last call.
  std::vector<Answer> take(SteadyInstant now);

 private:
  class Desk;
  struct Kept {
    Addresses addresses;
    SteadyInstant until;
  };

  void keep(const Answer& answer, SteadyInstant now);

  const ResolverOptions options_;
  const std::shared_ptr<Desk> desk_;  // shared with the threads
  std::unordered_map<std::string, Kept> kept_;
  std::unordered_set<std::string> asked_;
};

}  // namespace cronally::net
