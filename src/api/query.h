// The query of a request: names and values decoded, each name known.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace cronally::api {

class Query {
 public:
  // Code "invalid_parameter" for a name that is not `known` (with a near match), a broken
  // percent-encoding, or a name that stands twice (`label` may).
  static Result<Query> parse(std::string_view text, std::span<const std::string_view> known);

  std::optional<std::string> find(std::string_view name) const;
  Result<std::size_t> limit() const;  // 1 to 1,000, 100 by default
  Result<std::optional<Instant>> instant(std::string_view name) const;
  Result<std::map<std::string, std::string>> labels() const;  // label=k=v, repeated

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

Error invalid_parameter(std::string_view name, std::string_view why);

}  // namespace cronally::api
