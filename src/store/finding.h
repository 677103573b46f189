// What an examination of a database found, for those who run it: one line for each check.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cronally::store {

enum class Level : std::uint8_t {
  ok,
  warning,  // it works, and something is weaker than it could be
  failing,  // a promise does not hold, or work stands still
};

struct Finding {
  std::string check;  // one word: "replication"
  Level level = Level::ok;
  std::string says;      // what is so, and what that means
  std::string remedy{};  // what to do; empty when it is ok
  friend bool operator==(const Finding&, const Finding&) = default;
};

inline std::string_view text_of(Level level) {
  switch (level) {
    case Level::ok: return "ok";
    case Level::warning: return "warning";
    case Level::failing: return "failing";
  }
  return "";
}

inline Level worst_of(const std::vector<Finding>& findings) {
  Level worst = Level::ok;
  for (const auto& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

}  // namespace cronally::store
