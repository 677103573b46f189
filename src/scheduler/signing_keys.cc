#include "scheduler/signing_keys.h"

#include "core/secret_context.h"
#include "runtime/log.h"

namespace cronally::scheduler {

std::shared_ptr<const core::SigningKey> SigningKeys::find(AccountNo account,
                                                          SteadyInstant not_before) const {
  const SteadyInstant now = clock_.steady();
  std::lock_guard lock(mutex_);
  const auto entry = entries_.find(account);
  if (entry == entries_.end()) return nullptr;
  const SteadyInstant read_at = entry->second.read_at;
  return read_at < not_before || now - read_at > age_max ? nullptr : entry->second.key;
}

std::shared_ptr<const core::SigningKey> SigningKeys::load(AccountNo account,
                                                          SteadyInstant not_before) {
  if (auto known = find(account, not_before)) return known;
  const SteadyInstant read_at = clock_.steady();
  auto key = read(account);
  std::lock_guard lock(mutex_);
  entries_[account] = {key, read_at};
  return key;
}

std::shared_ptr<const core::SigningKey> SigningKeys::read(AccountNo account) const {
  const store::Account stored = accounts_.account(account);
  const auto secret = vault_.open(core::account_context(stored.id), stored.sealed_signing_secret);
  if (!secret) {
    runtime::log::error("scheduler", "the account's signing secret cannot be opened",
                        {{"account", stored.id.text()}, {"error", secret.error().message}});
    return nullptr;
  }
  auto key = core::parse_signing_secret(secret->reveal());
  return key ? std::make_shared<const core::SigningKey>(std::move(*key)) : nullptr;
}

}  // namespace cronally::scheduler
