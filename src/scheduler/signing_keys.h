// The keys that sign deliveries, one for each account. A key is read again once it is older than
// `age_max`, so a new signing secret signs everything that starts later than that; and one that is
// older than the definition it is to sign, so it signs every job that is newer than it at once.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "base/ids.h"
#include "core/signature.h"
#include "runtime/clock.h"
#include "runtime/vault.h"
#include "store/database.h"

namespace cronally::scheduler {

// Thread-safe.
class SigningKeys {
 public:
  static constexpr Duration age_max = std::chrono::seconds{5};

  SigningKeys(store::Accounts& accounts, const runtime::Vault& vault, const runtime::Clock& clock)
      : accounts_(accounts), vault_(vault), clock_(clock) {}

  // The key if it was read lately and not before `not_before`, else null; never blocks on the
  // store.
  std::shared_ptr<const core::SigningKey> find(AccountNo account, SteadyInstant not_before) const;

  // As find(), after reading what is missing or old; blocks. Null, with an error in the log, where
  // the secret does not open.
  std::shared_ptr<const core::SigningKey> load(AccountNo account, SteadyInstant not_before);

 private:
  struct Entry {
    std::shared_ptr<const core::SigningKey> key;
    SteadyInstant read_at;
  };

  std::shared_ptr<const core::SigningKey> read(AccountNo account) const;

  store::Accounts& accounts_;
  const runtime::Vault& vault_;
  const runtime::Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<AccountNo, Entry> entries_;  // an installation has few accounts
};

}  // namespace cronally::scheduler
