// A batch that is committed and journaled side by side: the machine hears of it when both are done,
// so that nothing is sent that is not in the journal. Where the journal gives up, for the process
// ends, the batch's fate is as good as unknown.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "core/batch.h"
#include "core/journal_notes.h"
#include "scheduler/journal.h"

namespace cronally::scheduler {

class JournaledCommit : public std::enable_shared_from_this<JournaledCommit> {
 public:
  using Done = std::function<void(core::BatchFate)>;

  JournaledCommit(Journal& journal, core::BatchNotes notes, Done done)
      : journal_(journal), notes_(std::move(notes)), done_(std::move(done)) {}

  // Writes what stands before the commit.
  void begin() {
    journal_.under_way(notes_);
    journal_.record(std::move(notes_.first), notes_.durable,
                    [self = shared_from_this()](bool synced) { self->journaled(synced); });
  }

  void committed(core::BatchFate fate) {
    if (!std::holds_alternative<core::BatchUnknown>(fate)) journal_.settled(notes_);
    if (const auto* committed = std::get_if<core::BatchCommitted>(&fate)) {
      journal_.follow(core::following(notes_, *committed));
    }
    std::unique_lock lock(mutex_);
    fate_ = std::move(fate);
    finish(lock);
  }

 private:
  void journaled(bool synced) {
    std::unique_lock lock(mutex_);
    synced_ = synced;
    finish(lock);
  }

  void finish(std::unique_lock<std::mutex>& lock) {
    if (!fate_ || !synced_) return;
    auto fate = *synced_ ? std::move(*fate_) : core::BatchFate(core::BatchUnknown{});
    lock.unlock();
    done_(std::move(fate));
  }

  Journal& journal_;
  core::BatchNotes notes_;
  const Done done_;
  std::mutex mutex_;
  std::optional<core::BatchFate> fate_;
  std::optional<bool> synced_;
};

}  // namespace cronally::scheduler
