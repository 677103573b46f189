// One request on its way through a handler, and what the handlers share.
#pragma once

#include <atomic>
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/api.h"
#include "api/replay_guard.h"
#include "base/result.h"
#include "core/manifest.h"

namespace cronally::api {

// Long polls that found nothing new: how far the ledger was then. While it stands there, asking
// the store again is needless. Bounded; losing an entry costs one query. Any thread.
class QuietPolls {
 public:
  struct Poll {
    std::uint64_t tick = 0;  // Database::run_change_tick() before the ledger was read
    Duration wait{};         // what the request asked for
  };

  // One for each token and target.
  static std::string key_of(const net::Request& request);

  // Whether this request, which has waited so long, has been found quiet at this very tick and
  // may wait on.
  bool goes_on(const std::string& key, std::uint64_t tick, Duration waited) const;
  void note(const std::string& key, Poll poll);

 private:
  static constexpr std::size_t entries_max = 4096;  // four times the server's connections
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Poll> polls_;
};

// A sealed secret of nobody: an unknown api key is refused in the time that a wrong signature
// takes.
struct Decoy {
  explicit Decoy(const runtime::Vault& vault);
  AccountId account;
  std::string sealed_secret;
};

struct Shared {
  explicit Shared(ApiDeps with) : deps(std::move(with)), decoy(deps.vault) {}

  ApiDeps deps;
  const runtime::SystemClock waits{runtime::SystemClock::Hooks::ignore};  // what waiting goes by
  const Decoy decoy;
  ReplayGuard replays;
  QuietPolls quiet_polls;
  std::mutex backup_mutex;   // one backup at a time
  std::mutex account_mutex;  // one change of an account at a time
  std::atomic<bool> stopping{false};

  core::ZoneResolver zone_resolver() {
    return [this](std::string_view name) { return deps.zones.load(name); };
  }
};

struct Call {
  Shared& shared;
  const net::Request& request;
  store::Principal principal;       // of routes that ask for a token
  std::vector<std::string> params;  // the path's {parts}, decoded, from the left

  ApiDeps& deps() const { return shared.deps; }
  AccountNo account() const { return principal.account; }
  Instant now() const { return shared.deps.clock.wall(); }
  // What is left of ApiDeps::answer_max.
  Duration time_left() const;
};

// An error becomes its problem (api/problem.h).
using Answer = Result<net::Reply>;

net::Response json_response(int status, const boost::json::value& body);

// {"items": [...], "next_cursor": ... or null}
boost::json::object list_body(boost::json::array items, const std::optional<std::string>& next);

// Seals new secrets and gives each its id.
SecretId seal_secret(const Call& call, const SecretText& plain,
                     std::vector<store::NewSecret>& into);

// That a request without fields has no query, and no body but an empty object. Code
// "invalid_request", and those of Query and read_body.
Result<void> no_body(const Call& call);

// Idempotency-Key, bare or as a structured-field string (RFC 8941 §3.3.3); nullopt without one.
// Code "invalid_request".
Result<std::optional<std::string>> idempotency_key(const net::Request& request);

// The store's own codes that a handler does not tell apart, as codes of the API.
Error not_found(std::string_view what, std::string_view reference);

}  // namespace cronally::api
