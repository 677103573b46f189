// Fills in how many occurrences a skipped span holds, in the background: the span itself is
// recorded at once, and counting a month of seconds is nobody's critical path.
#pragma once

#include <functional>
#include <stop_token>
#include <utility>

#include "scheduler/job_compiler.h"
#include "store/database.h"

namespace cronally::scheduler {

class SpanCounter {
 public:
  // `leads`: of several nodes one counts.
  SpanCounter(store::Spine& spine, const JobCompiler& compiler, std::function<bool()> leads)
      : spine_(spine), compiler_(compiler), leads_(std::move(leads)) {}

  // A supervised loop's body: a look every 10 s, more often while there is work.
  void run(const std::stop_token& stop);

 private:
  bool round();  // true: there may be more

  store::Spine& spine_;
  const JobCompiler& compiler_;
  const std::function<bool()> leads_;
};

}  // namespace cronally::scheduler
