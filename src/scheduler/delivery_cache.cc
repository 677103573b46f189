#include "scheduler/delivery_cache.h"

#include "core/secret_context.h"
#include "core/signature.h"
#include "runtime/log.h"

namespace cronally::scheduler {

std::shared_ptr<const PreparedJob> DeliveryCache::find(Key key) const {
  auto now = clock_.steady();
  std::lock_guard lock(mutex_);
  auto entry = entries_.find(key);
  if (entry == entries_.end() || now - entry->second.read_at > age_max) return nullptr;
  return entry->second.job;
}

void DeliveryCache::load(const std::vector<Key>& keys) {
  std::vector<Key> wanted;
  for (const auto& key : keys) {
    if (!find(key)) wanted.push_back(key);
  }
  if (wanted.empty()) return;
  auto read_at = clock_.steady();
  auto deliverables = spine_.read_deliverables(wanted);
  std::vector<std::shared_ptr<const PreparedJob>> prepared;
  prepared.reserve(wanted.size());
  for (const auto& deliverable : deliverables) {
    prepared.push_back(deliverable ? prepare(*deliverable) : nullptr);
  }
  std::lock_guard lock(mutex_);
  if (entries_.size() + wanted.size() > entries_max) entries_.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (prepared[i]) entries_[wanted[i]] = {std::move(prepared[i]), read_at};
  }
}

std::shared_ptr<const PreparedJob> DeliveryCache::prepare(const store::Deliverable& deliverable) {
  auto prepared = std::make_shared<PreparedJob>();
  prepared->job = deliverable.job;
  auto headers = std::make_shared<std::vector<delivery::SecretHeaderValue>>();
  for (std::size_t i = 0; i < deliverable.sealed_headers.size(); ++i) {
    const auto& [name, sealed] = deliverable.sealed_headers[i];
    auto value = vault_.open(core::secret_context(deliverable.sealed_ids[i]), sealed);
    if (!value) {
      runtime::log::error(
          "scheduler", "a secret header cannot be opened; its job is not sent",
          {{"job", deliverable.job.text()}, {"header", name}, {"error", value.error().message}});
      return nullptr;
    }
    headers->push_back({name, std::move(*value)});
  }
  prepared->definition = std::make_shared<core::JobDefinition>(deliverable.definition);
  prepared->secret_headers = std::move(headers);
  prepared->signing_key = signing_key(deliverable);
  return prepared->signing_key ? prepared : nullptr;
}

std::shared_ptr<const core::SigningKey> DeliveryCache::signing_key(
    const store::Deliverable& deliverable) {
  constexpr std::size_t keys_max = 1'000;
  std::lock_guard lock(keys_mutex_);
  if (auto known = keys_.find(deliverable.sealed_signing_secret); known != keys_.end()) {
    return known->second;
  }
  auto secret =
      vault_.open(core::account_context(deliverable.account_id), deliverable.sealed_signing_secret);
  if (!secret) {
    runtime::log::error("scheduler", "the account's signing secret cannot be opened",
                        {{"job", deliverable.job.text()}, {"error", secret.error().message}});
    return nullptr;
  }
  auto key = core::parse_signing_secret(secret->reveal());
  if (!key) return nullptr;
  if (keys_.size() >= keys_max) keys_.clear();
  return keys_[deliverable.sealed_signing_secret] =
             std::make_shared<const core::SigningKey>(std::move(*key));
}

}  // namespace cronally::scheduler
