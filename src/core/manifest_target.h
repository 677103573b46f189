// Reading the target of a job: one reader for each type. Used by the manifest's reader.
#pragma once

#include <string>
#include <vector>

#include "core/manifest.h"
#include "core/manifest_section.h"
#include "core/target.h"

namespace cronally::core {

struct ReadTarget {
  Target target;
  std::vector<PlainSecret> secrets;  // named as in secrets_of(target), where their ids are zero
};

// Notes every fault in the section's faults; what it gives holds only if there was none. `stored`
// is what "***" refers to; null: nothing.
ReadTarget read_target(Section section, const Target* stored);

}  // namespace cronally::core
