// A batch: what the step machine asks the store to write in ONE fenced transaction, and what it
// is told about each item.
//
// Rules every store keeps (tests/conformance shows them on each):
//  * Whole or nothing: a batch is committed, with an outcome per item in the same order, or
//    refused, or its fate is unknown. Unknown is a value; the machine repeats the same batch.
//  * Repeating a batch that did commit changes nothing and gives outcomes that mean the same
//    (a claim found with the same RunId is `done`, an ended run that this very item ended too).
//  * Every item of a shard counts only while that shard's lease carries the batch's fence for it;
//    otherwise its outcome is `fenced` and nothing of it is written. An Outcome alone also counts
//    while its run still carries the fence that the attempt was sent under (nobody took the run
//    over), whoever holds the shard by then.
//  * No item takes `now`: the store's own clock judges (`due <= clock + lead_max` for claims).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/run.h"

namespace cronally::core {

// Claims may be committed so far ahead of their instant, by the store's clock, and no further.
inline constexpr Duration lead_max = std::chrono::seconds{3};

// Attempts of unknown fate a run may have before it ends `unknown`.
inline constexpr std::int32_t unknown_attempts_max = 50;

// One scheduled occurrence becomes a run: state claimed, attempt 1 reserved, send_at = due.
// outcome  done      inserted (or found with this very id); `run` is its number
//          present   another run holds (job, due): accounted for already
//          early     due > store clock + lead_max: not written
//          stale     the job's revision is no longer `revision`, or it is deleted, or paused and
//                    `due` is after that
struct Claim {
  JobNo job;
  ShardNo shard;
  Revision revision = 0;
  RunId id;
  Instant scheduled_at;
  Instant due;
};

// Occurrences in (from, to] that are owed and will not run. done; stale as for Claim (then the
// change's own replan accounts for them); repeating it is harmless (unique by job, from, to).
struct Skip {
  JobNo job;
  ShardNo shard;
  Revision revision = 0;
  Instant from;
  Instant to;
  Reason reason = Reason::none;
};

// Moves a shard's cursor forward (never back) and says up to which change number its owner has
// seen: acks of delete, change and pause wait for `seen`. It follows the batch's claims; where one
// of this shard was early, the cursor stops right before its due (EarlyClaims). A `seen` that is
// the shard's newest change vouches for the batch's claims and skips: the store need not look
// whether each of them is stale. done.
struct Advance {
  ShardNo shard;
  Instant cursor;
  std::int64_t seen = 0;
};

// The claims of one batch that were found early (the clock was stepped back). What lies at or below
// a cursor is accounted for, and they are not: they hold the cursors of their shards back.
class EarlyClaims {
 public:
  void note(const Claim& claim) {
    Instant& first = first_.at(static_cast<std::size_t>(claim.shard.value));
    first = std::min(first, claim.due);
  }
  // Where an Advance of the same batch leaves the cursor, if that is not ahead already.
  Instant cursor_after(const Advance& advance) const {
    const Instant first = first_.at(static_cast<std::size_t>(advance.shard.value));
    return std::min(advance.cursor, first - Duration{1});
  }

 private:
  std::array<Instant, shard_count> first_ = filled();
  static constexpr std::array<Instant, shard_count> filled() {
    std::array<Instant, shard_count> all{};
    all.fill(Instant::max());
    return all;
  }
};

// Brings the open runs of a changed, paused, resumed or deleted job into line with its newest
// revision, whose edit committed at `changed_at`. Runs in `in_flight` (their request
// may have begun) are left alone. Of the others that are open:
//   scheduled, never attempted, due > changed_at   rebound to the revision if `owed` holds their
//                                                  due and the job is live; else deleted; left if
//                                                  they are due by the store's clock under another
//                                                  fence: that owner may have sent them, and their
//                                                  Takeover decides
//   never attempted (attempt 1, or no failure and no unknown), due <= changed_at
//                                                  changed/deleted: ended cancelled(reason);
//                                                  paused: left (held); resumed: left
//   attempted                                      deleted: ended cancelled; else left
// What revisions before it owed, nobody claimed, and will not run, is in `skips`: they are written
// but for what a run, or a span of that revision, accounts for already.
// Sets job.planned_revision = revision: from here the shard's cursor accounts for it.
// outcome done; stale when the job has a still newer revision (its own replan follows), but for a
// repeat of what was done before that came: runs that it deleted are to leave the journal.
struct Replan {
  enum class Change : std::uint8_t { created, changed, paused, resumed, deleted };
  JobNo job;
  ShardNo shard;
  Revision revision = 0;
  Instant changed_at;
  Change change = Change::changed;
  std::vector<Instant> owed;  // in (changed_at, cursor], sorted
  std::vector<RunNo> in_flight;
  std::vector<Skip> skips{};
};

// A requested run becomes claimed by this fence. done, or gone (it is no longer requested).
struct Accept {
  RunNo run;
  ShardNo shard;
};

// At most once: the request `attempt` of the run is about to leave; `taken_back`: it did not, and
// this owner will not send it any more, so that the run is claimed as before. done, or gone.
struct Begin {
  RunNo run;
  ShardNo shard;
  std::int32_t attempt = 1;
  bool taken_back = false;
};

// A new owner takes an open run over: writes its fence and, where the old owner may have sent
// `attempt_was` already, reserves the next number and counts one attempt of unknown fate.
// Guarded by (fence < mine, attempt = attempt_was, open). done, or gone.
struct Takeover {
  RunNo run;
  ShardNo shard;
  std::int32_t attempt_was = 1;
  bool sent_perhaps = false;
};

// What an attempt came to. `fence`: what it was sent under, which the sender may have lost since.
// Guarded by (run's fence = fence, attempt = number, open). `next` decides:
//   end    the run ends with verdict and reason
//   retry  number + 1 is reserved for `send_at`; failures or unknowns grow by one
// done; gone (late: the run has ended or moved on; the attempt's row alone is written).
struct Outcome {
  struct End {
    Verdict verdict;
    Reason reason;
  };
  struct Again {
    Instant send_at;
  };
  RunNo run;
  ShardNo shard;
  Fence fence;
  std::int32_t attempt = 1;
  Revision revision = 0;  // the definition that this attempt was sent under
  AttemptResult result;
  std::variant<End, Again> next;
};

// Ends an open run without an attempt (expired, cancelled, unknown at takeover). Guarded by
// fence <= mine and open. done, or gone.
struct End {
  RunNo run;
  ShardNo shard;
  Verdict verdict = Verdict::cancelled;
  Reason reason = Reason::none;
};

using Item = std::variant<Claim, Skip, Advance, Replan, Accept, Begin, Takeover, Outcome, End>;

// The fence that each shard is written under: of another shard than the writer's own, 0, which no
// lease carries.
class Fences {
 public:
  Fences() = default;
  // One fence for every shard: a store with one holder gives no other.
  Fences(Fence every) { fences_.fill(every); }  // NOLINT(google-explicit-constructor)

  Fence of(ShardNo shard) const { return fences_.at(static_cast<std::size_t>(shard.value)); }
  void set(ShardNo shard, Fence fence) {
    fences_.at(static_cast<std::size_t>(shard.value)) = fence;
  }
  friend bool operator==(const Fences&, const Fences&) = default;

 private:
  std::array<Fence, shard_count> fences_{};
};

struct Batch {
  Fences fences;
  std::vector<Item> items;

  // Whether it says what is planned; the others, what becomes of runs. One of each may be under way
  // at a time, and a store may write them side by side: no item of the one needs the other.
  bool plans() const {
    return std::ranges::any_of(items, [](const Item& item) {
      return std::holds_alternative<Claim>(item) || std::holds_alternative<Skip>(item) ||
             std::holds_alternative<Advance>(item) || std::holds_alternative<Replan>(item);
    });
  }
};

enum class ItemStatus : std::uint8_t { done, present, early, stale, gone, fenced };

struct ItemOutcome {
  ItemStatus status = ItemStatus::done;
  RunNo run;  // of a Claim that is done
};

struct BatchCommitted {
  std::vector<ItemOutcome> outcomes;
  Instant at;  // the store's clock in the transaction
};
struct BatchRefused {
  Error error;  // nothing was written; code says why ("disk_full")
};
struct BatchUnknown {};  // committed or not: repeat it

using BatchFate = std::variant<BatchCommitted, BatchRefused, BatchUnknown>;

}  // namespace cronally::core
