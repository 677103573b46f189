// The server's own credentials for AWS, at hand when a delivery needs them.
//
// Fetched when they are first asked for, and from then on kept fresh: renewed ahead of their end,
// by one thread, so that there is never more than one search for them (a single flight). Who finds
// none at hand waits, on no thread of its own and no longer than it says. A renewal that fails
// leaves the old ones in use until they end (those of an instance even longer: AWS wants it so when
// its metadata service has trouble), and is repeated after 1 s, 2 s, … up to a minute.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/result.h"
#include "base/time.h"
#include "core/aws_signature.h"
#include "delivery/aws_sources.h"

namespace cronally::runtime {
class Clock;
}

namespace cronally::delivery {

// ---- When to renew: pure --------------------------------------------------------------------

// How long before their end credentials that live for `lifetime` are renewed: 5 minutes, or a
// quarter of a shorter life.
Duration renewal_margin(Duration lifetime);

// Those without an end are looked for again after so long: files change.
inline constexpr Duration lasting_renewal = std::chrono::minutes{5};

// The wait after the n-th failure in a row (n from 1); `random` from [0, 1) takes up to half of it.
Duration renewal_pause(int failures, double random);

// ---------------------------------------------------------------------------------------------

// Credentials of one fetch.
struct AwsIssue {
  core::AwsCredentials credentials;
  std::uint64_t number = 0;  // grows with every fetch that brought others than before
};

// Thread-safe.
class AwsCredentialsStore {
 public:
  using Issue = std::shared_ptr<const AwsIssue>;
  using Fetch = std::function<Result<FetchedCredentials>()>;
  using Then = std::function<void(Result<Issue>)>;

  // `fetch` may block; it is called on one thread. `clock` outlives the store.
  AwsCredentialsStore(Fetch fetch, const runtime::Clock& clock);

  ~AwsCredentialsStore();  // as stop()

  // Everyone who waits, and who asks later, gets the error "stopping". Waits for a fetch under way.
  // Idempotent; not from a callback.
  void stop();

  // What is at hand and holds; never blocks. Null: wait() for it.
  Issue find();

  // Calls `then` exactly once, on a thread of the store or, where the answer is known, at once on
  // this one: with an issue, or with an error: that of the fetch ("no_credentials"), "timed_out" at
  // `until`, or "stopping". It must not block.
  void wait(SteadyInstant until, Then then);

  // AWS does not take this issue any more: others are fetched. True when it makes sense to try
  // again at once with what find() and wait() give then; false when the issue before it was refused
  // less than a minute ago, or the fetch since brought the same again.
  bool refused(std::uint64_t number);

 private:
  struct Current {
    Issue issue;
    std::string source;
    SteadyInstant renew_at;
    std::optional<SteadyInstant> ends_at;  // nullopt: does not end
  };

  void run_fetches(const std::stop_token& stop);
  void run_waits(const std::stop_token& stop);
  void fetch_once();
  void install(FetchedCredentials&& fetched);
  void note_failure(Error error);
  bool fetch_due() const;
  Duration fetch_in() const;
  bool holds(const Current& current) const;
  bool answer_known() const;

  const Fetch fetch_;
  const runtime::Clock& clock_;

  std::mutex mutex_;
  std::condition_variable_any fetch_wanted_;
  std::condition_variable_any waits_changed_;
  std::optional<Current> current_;
  Issue newest_;  // also after it was refused or has ended
  bool stopped_ = false;
  bool wanted_ = false;  // somebody waits, or what was there was refused
  bool fetching_ = false;
  int failures_ = 0;            // in a row
  SteadyInstant next_try_{};    // not before; after a failure
  std::optional<Error> error_;  // of the last fetch, if it failed
  std::multimap<SteadyInstant, Then> waits_;
  std::uint64_t refused_number_ = 0;
  bool refused_at_once_ = true;
  std::optional<SteadyInstant> refused_at_;

  std::jthread fetches_;
  std::jthread answers_;
};

}  // namespace cronally::delivery
