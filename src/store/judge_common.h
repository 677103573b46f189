// What the judges of all databases share.
#pragma once

#include <cstddef>

#include "store/facts.h"
#include "store/finding.h"

namespace cronally::store {

inline Finding judge_key(std::size_t accounts, const SelfFacts& self) {
  if (self.key) {
    return {"key", Level::failing, self.key->message,
            "put the master.key there that the secrets were sealed with"};
  }
  if (accounts == 0) return {"key", Level::ok, "nothing is sealed yet"};
  return {"key", Level::ok, "master.key opens what is sealed"};
}

}  // namespace cronally::store
