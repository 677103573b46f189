#include "scheduler/delivery_cache.h"

#include "core/secret_context.h"
#include "runtime/log.h"

namespace cronally::scheduler {

namespace {

// What an entry takes in memory, roughly: the parts of a definition that can be long, and the rest.
std::size_t bytes_of(const core::JobDefinition& definition) {
  return 1024 + definition.description.size() + core::text_bytes(definition.target);
}

}  // namespace

std::optional<DeliveryCache::Found> DeliveryCache::find(Key key) const {
  auto job = job_of(key);
  if (!job) return std::nullopt;
  auto signing_key = signing_keys_.find(job->account, job->read_at);
  if (!signing_key) return std::nullopt;
  return Found{std::move(job), std::move(signing_key)};
}

std::vector<std::optional<DeliveryCache::Found>> DeliveryCache::load(const std::vector<Key>& keys) {
  std::vector<std::optional<Found>> found;
  found.reserve(keys.size());
  for (auto& job : jobs_of(keys)) {
    auto signing_key = job ? signing_keys_.load(job->account, job->read_at) : nullptr;
    found.push_back(signing_key ? std::optional(Found{std::move(job), std::move(signing_key)})
                                : std::nullopt);
  }
  return found;
}

void DeliveryCache::prepare(const std::vector<Key>& keys) {
  if (!full()) (void)load(keys);
}

std::shared_ptr<const PreparedJob> DeliveryCache::job_of(Key key) const {
  std::lock_guard lock(mutex_);
  const auto entry = entries_.find(key);
  return entry == entries_.end() ? nullptr : entry->second.job;
}

std::vector<std::shared_ptr<const PreparedJob>> DeliveryCache::jobs_of(
    const std::vector<Key>& keys) {
  std::vector<std::shared_ptr<const PreparedJob>> jobs(keys.size());
  std::vector<Key> missing;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    jobs[i] = job_of(keys[i]);
    if (jobs[i]) continue;
    missing.push_back(keys[i]);
    places.push_back(i);
  }
  if (missing.empty()) return jobs;
  const SteadyInstant read_at = clock_.steady();
  auto stored = spine_.read_deliverables(missing);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (stored[i]) jobs[places[i]] = unseal(std::move(stored[i]), read_at);
  }
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    if (jobs[places[i]]) keep(missing[i], jobs[places[i]]);
  }
  return jobs;
}

std::shared_ptr<const PreparedJob> DeliveryCache::unseal(
    std::shared_ptr<const store::Deliverable> stored, SteadyInstant read_at) const {
  auto headers = std::make_shared<std::vector<delivery::SecretHeaderValue>>();
  for (std::size_t i = 0; i < stored->sealed_headers.size(); ++i) {
    const auto& [name, sealed] = stored->sealed_headers[i];
    auto value = vault_.open(core::secret_context(stored->sealed_ids[i]), sealed);
    if (!value) {
      runtime::log::error(
          "scheduler", "a secret header cannot be opened; its job is not sent",
          {{"job", stored->job.text()}, {"header", name}, {"error", value.error().message}});
      return nullptr;
    }
    headers->push_back({name, std::move(*value)});
  }
  auto prepared = std::make_shared<PreparedJob>();
  prepared->job = stored->job;
  prepared->account = stored->account;
  prepared->secret_headers = std::move(headers);
  const core::JobDefinition& definition = stored->definition;
  prepared->definition = {std::move(stored), &definition};
  prepared->read_at = read_at;
  return prepared;
}

void DeliveryCache::keep(Key key, std::shared_ptr<const PreparedJob> job) {
  const SteadyInstant read_at = job->read_at;
  const std::size_t bytes = bytes_of(*job->definition);
  if (!entries_.try_emplace(key, Entry{std::move(job), bytes}).second) return;
  order_.push_back(key);
  bytes_ += bytes;
  while (bytes_ > bytes_max_ || read_at - entries_.at(order_.front()).job->read_at > age_max) {
    drop_oldest();
  }
}

bool DeliveryCache::full() {
  const SteadyInstant now = clock_.steady();
  std::lock_guard lock(mutex_);
  while (!order_.empty() && now - entries_.at(order_.front()).job->read_at > age_max) drop_oldest();
  return bytes_ >= bytes_max_ / 4 * 3;
}

void DeliveryCache::drop_oldest() {
  const auto entry = entries_.find(order_.front());
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
  order_.pop_front();
}

}  // namespace cronally::scheduler
