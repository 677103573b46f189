// What deliveries need of a job's revision, read a lead ahead and kept for a short while.
//
// Definitions never change within a revision, but an account's signing secret does; so entries
// live for `age_max`, and a new secret signs everything that starts later than that.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "delivery/deliverer.h"
#include "runtime/clock.h"
#include "runtime/vault.h"
#include "store/database.h"

namespace cronally::scheduler {

// Unsealed and ready to send; shared by all attempts of the revision.
struct PreparedJob {
  JobId job;
  std::shared_ptr<const core::JobDefinition> definition;
  std::shared_ptr<const std::vector<delivery::SecretHeaderValue>> secret_headers;
  std::shared_ptr<const core::SigningKey> signing_key;
};

// Thread-safe.
class DeliveryCache {
 public:
  using Key = std::pair<JobNo, Revision>;

  static constexpr Duration age_max = std::chrono::seconds{5};
  // About a herd's worth; beyond it the cache starts afresh and entries are read on demand.
  static constexpr std::size_t entries_max = 50'000;

  DeliveryCache(store::Spine& spine, const runtime::Vault& vault, const runtime::Clock& clock)
      : spine_(spine), vault_(vault), clock_(clock) {}

  // The entry if it is there and fresh; never blocks on the store.
  std::shared_ptr<const PreparedJob> find(Key key) const;

  // Reads what is missing or stale; blocks. A revision that is gone or whose secrets do not open
  // stays absent (the latter with an error in the log).
  void load(const std::vector<Key>& keys);

 private:
  struct Entry {
    std::shared_ptr<const PreparedJob> job;
    SteadyInstant read_at;
  };

  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<JobNo>{}(key.first) * 31 + static_cast<std::size_t>(key.second);
    }
  };

  std::shared_ptr<const PreparedJob> prepare(const store::Deliverable& deliverable);
  std::shared_ptr<const core::SigningKey> signing_key(const store::Deliverable& deliverable);

  store::Spine& spine_;
  const runtime::Vault& vault_;
  const runtime::Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Entry, KeyHash> entries_;

  // load() only. The keys of the accounts, as last seen sealed: most jobs share one.
  std::mutex keys_mutex_;
  std::unordered_map<std::string, std::shared_ptr<const core::SigningKey>> keys_;
};

}  // namespace cronally::scheduler
