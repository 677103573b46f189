// What the log says of batches that the store refuses: one line when that begins, however often
// they are repeated, and one when it is over. (The board says the same meanwhile.)
#pragma once

#include <atomic>
#include <variant>

#include "core/batch.h"
#include "runtime/log.h"

namespace cronally::scheduler {

// Any thread.
class RefusalLog {
 public:
  // `plans`: core::Batch::plans() of the batch. A refused one is repeated until it is committed, so
  // it is over when one of its kind is.
  void note(bool plans, const core::BatchFate& fate) {
    const unsigned kind = plans ? 1 : 2;
    if (const auto* refused = std::get_if<core::BatchRefused>(&fate)) {
      if (refused_.fetch_or(kind) != 0) return;
      runtime::log::error("store", "batches are refused",
                          {{"code", refused->error.code}, {"error", refused->error.message}});
    } else if (std::holds_alternative<core::BatchCommitted>(fate)) {
      if (refused_.fetch_and(~kind) == kind) {
        runtime::log::info("store", "batches are committed again");
      }
    }
  }

 private:
  std::atomic<unsigned> refused_ = 0;  // kinds
};

}  // namespace cronally::scheduler
