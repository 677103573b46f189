#include "runtime/health.h"

#include <algorithm>

#include "runtime/log.h"

namespace cronally::runtime {

void Health::expect(std::string_view name) {
  std::lock_guard lock{mutex_};
  items_.try_emplace(std::string{name}, HealthItem{std::string{name}, false, "starting"});
}

void Health::ok(std::string_view name, std::string detail) {
  bool recovered = false;
  {
    std::lock_guard lock{mutex_};
    auto [it, added] = items_.try_emplace(std::string{name});
    recovered = !added && !it->second.ok && it->second.reason != "starting";
    it->second = HealthItem{std::string{name}, true, std::move(detail)};
  }
  if (recovered) log::info("health", "component is well again", {{"component", name}});
}

void Health::failing(std::string_view name, std::string reason, std::optional<Instant> resumes_at) {
  bool changed = false;
  {
    std::lock_guard lock{mutex_};
    HealthItem& item = items_[std::string{name}];
    HealthItem failing{std::string{name}, false, reason, resumes_at};
    changed = item.ok || item.reason != reason;
    item = std::move(failing);
  }
  if (!changed) return;
  if (resumes_at) {
    log::warning("health", "component is failing",
                 {{"component", name}, {"reason", reason}, {"resumes_at", *resumes_at}});
  } else {
    log::warning("health", "component is failing", {{"component", name}, {"reason", reason}});
  }
}

void Health::remove(std::string_view name) {
  std::lock_guard lock{mutex_};
  if (const auto it = items_.find(name); it != items_.end()) items_.erase(it);
}

Readiness Health::readiness() const {
  std::lock_guard lock{mutex_};
  Readiness readiness;
  for (const auto& [name, item] : items_) readiness.items.push_back(item);
  readiness.ready =
      !readiness.items.empty() && std::ranges::all_of(readiness.items, &HealthItem::ok);
  return readiness;
}

}  // namespace cronally::runtime
