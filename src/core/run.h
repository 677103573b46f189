// A run: the record of one claimed occurrence. States claimed -> begun -> ended, with exactly one
// verdict; an attempt is one try of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace cronally::core {

enum class RunKind : std::uint8_t { scheduled, manual, once, backfill, retry };

// requested  inserted by the API (run now); only the shard's owner moves it on
// claimed    owed and owned; at least once: attempts go out in this state and in `begun`
// begun      at most once: the one request is about to leave or has left;
//            at least once: at least one attempt is recorded
// ended      has its verdict
enum class RunState : std::uint8_t { requested, claimed, begun, ended };

enum class Verdict : std::uint8_t { succeeded, failed, unknown, cancelled, skipped };

// Why a run ended as it did, or why occurrences were skipped. Texts: reason_text().
enum class Reason : std::uint8_t {
  none,
  exhausted,         // failed: the retry budget is used up
  too_old,           // failed: age_max passed after a recorded failure
  gone,              // failed: the receiver answered 410
  expired,           // failed/unknown: could not begin within due + catch_up.window
  fate_unknown,      // unknown: at most once, and whether the request arrived is not known
  unknown_attempts,  // unknown: 50 attempts of unknown fate
  changed,           // cancelled: the job was changed before the run began; skipped: before any
                     // owner could claim it
  deleted,           // cancelled, skipped: as changed, and the job was deleted
  drained,           // cancelled: begun and not sent at a stop; older ledgers only
  catch_up_latest,   // skipped: a later missed occurrence stands for it
  catch_up_skip,     // skipped: catch_up.mode is skip
  catch_up_window,   // skipped: older than catch_up.window when it could be claimed
  catch_up_limit,    // skipped: more than catch_up.limit were missed
  restored,          // skipped: due between a backup and its restore; unknown: open in the backup
  refused,           // failed: the target refused the request in a way that no retry mends
};

std::string_view text_of(RunKind kind);
std::string_view text_of(RunState state);
std::string_view text_of(Verdict verdict);
std::string_view text_of(Reason reason);
std::optional<RunKind> run_kind_of(std::string_view text);
std::optional<RunState> run_state_of(std::string_view text);
std::optional<Verdict> verdict_of(std::string_view text);
std::optional<Reason> reason_of(std::string_view text);

// What is known of an attempt's request.
enum class Fate : std::uint8_t {
  answered,   // a status came back
  not_sent,   // no byte of the request left (refused, no address, TLS failure)
  unknown,    // bytes left and no complete answer came (time-out, reset)
  withdrawn,  // called back before the first byte; the attempt number was not used
};

// What an attempt that failed says itself about a next one.
enum class Repeat : std::uint8_t {
  by_policy,  // after the job's backoff
  at_once,    // what stood in the way is gone: nothing is waited for
  never,      // it would be refused each time
};

// How an attempt ended. `status` is 0 unless answered. `response` is the first 64 KiB.
struct AttemptResult {
  Fate fate = Fate::unknown;
  int status = 0;
  std::optional<Duration> retry_after;
  Repeat repeat = Repeat::by_policy;  // for the next step only; the ledger does not keep it
  // One line for a person; empty when an HTTP target answered. Another target's answer may be told
  // here: "AuthorizationError: …".
  std::string error;
  std::string response;
  std::optional<Instant> first_byte_at;  // nullopt when nothing left
  Instant ended_at;
};

// An attempt as the ledger shows it.
struct Attempt {
  std::int32_t number = 0;
  Revision revision = 0;
  Fence fence;
  NodeId node;
  AttemptResult result;
};

// A run as the ledger shows it.
struct Run {
  RunId id;
  RunNo no;
  JobId job;
  JobNo job_no;
  std::string job_name;
  Revision revision = 0;
  RunKind kind = RunKind::scheduled;
  std::string key;  // empty for scheduled
  Instant scheduled_at;
  Instant due;
  RunState state = RunState::claimed;
  std::optional<Verdict> verdict;
  Reason reason = Reason::none;
  Fence fence;
  std::optional<Instant> ended_at;
  std::int64_t change = 0;
  std::vector<Attempt> attempts;  // oldest first
};

// Occurrences in (from, to] that were not run, and why. `count` is filled in later.
struct SkippedSpan {
  JobId job;
  Revision revision = 0;
  Instant from;
  Instant to;
  Reason reason = Reason::none;
  std::optional<std::int64_t> count;
};

// A run that has not ended, as the step machine needs it.
struct OpenRun {
  RunNo no;
  RunId id;
  JobNo job;
  ShardNo shard;
  Revision revision = 0;
  RunKind kind = RunKind::scheduled;
  RunState state = RunState::claimed;
  Instant scheduled_at;
  Instant due;
  Fence fence;                              // of the owner that wrote it last; 0 while requested
  std::int32_t attempt = 1;                 // the number reserved for the next, or current, request
  Instant send_at;                          // when that request is owed: due, later next_attempt_at
  std::int32_t failures = 0;                // recorded failures: what the retry budget counts
  std::int32_t unknowns = 0;                // attempts of unknown fate, capped at 50
  std::optional<Instant> first_attempt_at;  // first recorded attempt; what age_max counts from
  // The owner before let go of the shard while its request was out, and may record what became of
  // it until then; 0 where that is not so.
  Instant left_until{};
};

}  // namespace cronally::core
