// The board on which each component says whether it is well; /readyz reads it.
//
// A component posts under a constant name ("store", "clock", "vault"). Posting is cheap and may be
// repeated; the log gets a line when a state changes, not at each post. Any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace cronally::runtime {

struct HealthItem {
  std::string name;
  bool ok = false;
  std::string reason{};                 // for a person; of what is ok, what it has to say
  std::optional<Instant> resumes_at{};  // when work goes on by itself, if that is known
  friend bool operator==(const HealthItem&, const HealthItem&) = default;
};

struct Readiness {
  bool ready = false;             // every item is ok, and there is at least one
  std::vector<HealthItem> items;  // by name
};

class Health {
 public:
  // Puts a component on the board as failing, reason "starting", until it posts. Does nothing if
  // it is there already.
  void expect(std::string_view name);

  void ok(std::string_view name, std::string detail = {});
  void failing(std::string_view name, std::string reason,
               std::optional<Instant> resumes_at = std::nullopt);

  // Takes a component off the board.
  void remove(std::string_view name);

  Readiness readiness() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, HealthItem, std::less<>> items_;
};

}  // namespace cronally::runtime
