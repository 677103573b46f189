// A batch's items as sets, so that thousands of them are a handful of statements.
//
// Items of a stage touch different runs and jobs, so that each kind of them is one statement and
// the kinds may stand in any order. Stages stand in the order of the batch: what is written twice
// (a run that is begun and ended, a job that is replanned after its runs ended) is written in its
// order. Advances stand apart: they follow the claims of their whole batch (core::EarlyClaims), and
// nothing else looks at them.
#pragma once

#include <cstddef>
#include <vector>

#include "core/batch.h"

namespace cronally::store::postgres {

// An item and its place in the batch.
template <class T>
struct Placed {
  std::size_t place = 0;
  const T* item = nullptr;
};

// Either replans, or all other kinds.
struct Stage {
  std::vector<Placed<core::Claim>> claims;
  std::vector<Placed<core::Skip>> skips;
  std::vector<Placed<core::Replan>> replans;
  std::vector<Placed<core::Accept>> accepts;
  std::vector<Placed<core::Begin>> begins;
  std::vector<Placed<core::Takeover>> takeovers;
  std::vector<Placed<core::Outcome>> outcomes;
  std::vector<Placed<core::End>> ends;
};

struct Stages {
  std::vector<Stage> stages;
  std::vector<Placed<core::Advance>> advances;
};

// Points into `items`, of which those are left out where `wanted` is false at their place.
Stages stages_of(const std::vector<core::Item>& items, const std::vector<bool>& wanted);

}  // namespace cronally::store::postgres
