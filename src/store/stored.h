// Values that a database keeps as JSON, the same in every store.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "core/job.h"

namespace cronally::store {

// The account's webhook headers: JSON [[name, secret id], …].
std::string write_headers(const std::vector<std::pair<std::string, SecretId>>& headers);
std::vector<std::pair<std::string, SecretId>> read_headers(const std::string& text);

// A stored definition; a damaged one is an outage (Unavailable), since nobody can choose on it.
core::JobDefinition definition_of(std::string_view text);

}  // namespace cronally::store
