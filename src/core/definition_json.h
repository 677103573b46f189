// A job's definition as the store keeps it: lossless JSON, secrets by id. Not the API's shape
// (core/manifest), which shows secrets as *** and is read with suggestions.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/job.h"

namespace cronally::core {

// Every field, durations and instants in microseconds.
std::string write_definition(const JobDefinition& definition);

// Reads what write_definition wrote; code "definition_damaged" for anything else.
Result<JobDefinition> read_definition(std::string_view text);

}  // namespace cronally::core
