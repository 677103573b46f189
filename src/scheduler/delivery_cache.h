// What deliveries need of a job's revision, read a lead ahead and kept for a while. A revision
// never changes, so an entry is right however old it is; its age and size bound memory only.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "delivery/deliverer.h"
#include "runtime/clock.h"
#include "runtime/vault.h"
#include "scheduler/signing_keys.h"
#include "store/database.h"

namespace cronally::scheduler {

// Unsealed and ready to send; shared by all attempts of the revision.
struct PreparedJob {
  JobId job;
  AccountNo account;
  std::shared_ptr<const core::JobDefinition> definition;
  std::shared_ptr<const std::vector<delivery::SecretHeaderValue>> secret_headers;
  SteadyInstant read_at;
};

// Thread-safe.
class DeliveryCache {
 public:
  using Key = std::pair<JobNo, Revision>;

  struct Found {
    std::shared_ptr<const PreparedJob> job;
    std::shared_ptr<const core::SigningKey> signing_key;
  };

  static constexpr Duration age_max = std::chrono::minutes{1};
  // Of definitions in memory, roughly; a herd of 100,000 small ones is 100 MiB.
  static constexpr std::size_t bytes_max = 160 << 20;

  DeliveryCache(store::Database& database, const runtime::Vault& vault, const runtime::Clock& clock,
                std::size_t with_bytes_max = bytes_max)
      : spine_(database.spine()),
        vault_(vault),
        clock_(clock),
        bytes_max_(with_bytes_max),
        signing_keys_(database.accounts(), vault, clock) {}

  // What is needed, if it is at hand; never blocks on the store.
  std::optional<Found> find(Key key) const;

  // The same for each of `keys`, in order, after reading what is not at hand; blocks. Absent where
  // the revision is gone or a secret does not open (the latter with an error in the log).
  std::vector<std::optional<Found>> load(const std::vector<Key>& keys);

  // Reads ahead what will be asked for; blocks. Does nothing once three quarters are filled: what
  // would be dropped for it is asked for earlier, and the rest is for what is loaded.
  void prepare(const std::vector<Key>& keys);

 private:
  struct Entry {
    std::shared_ptr<const PreparedJob> job;
    std::size_t bytes = 0;
  };

  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<JobNo>{}(key.first) * 31 + static_cast<std::size_t>(key.second);
    }
  };

  std::shared_ptr<const PreparedJob> job_of(Key key) const;
  std::vector<std::shared_ptr<const PreparedJob>> jobs_of(const std::vector<Key>& keys);
  std::shared_ptr<const PreparedJob> unseal(std::shared_ptr<const store::Deliverable> stored,
                                            SteadyInstant read_at) const;
  void keep(Key key, std::shared_ptr<const PreparedJob> job);
  bool full();
  void drop_oldest();

  store::Spine& spine_;
  const runtime::Vault& vault_;
  const runtime::Clock& clock_;
  const std::size_t bytes_max_;
  SigningKeys signing_keys_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Entry, KeyHash> entries_;
  std::deque<Key> order_;  // of entries_, the oldest first
  std::size_t bytes_ = 0;
};

}  // namespace cronally::scheduler
