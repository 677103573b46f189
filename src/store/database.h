// The database, as verbs of the domain. Two implementations (sqlite/, later postgres/) and the
// simulation's model keep the same conformance suite (tests/conformance).
//
// Conventions of every verb:
//  * A verb blocks until its answer is durable (writes) or read; call it from threads that may
//    block. All verbs are thread-safe. Writes of all callers join group commits.
//  * No verb takes `now`: the store's clock decides, and every written instant is its.
//  * Within a DeadlineScope (runtime/deadline.h) a verb of PostgreSQL has answered or thrown by its
//    deadline; without one, a read or an edit within 4.5 s. SQLite waits for its disk alone.
//  * Result errors are outcomes (codes are listed at each verb); an outage throws Unavailable.
//  * Secrets come and go sealed; the store never sees a plain value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/batch.h"
#include "core/job.h"
#include "core/journal.h"
#include "core/lease.h"
#include "core/run.h"

namespace cronally::store {

// ---- Spine: what the scheduler needs ----------------------------------------------------------

// core::OwedBefore, before it is compiled.
struct OwedBefore {
  Revision revision = 0;
  std::string name;
  std::string schedule;
  std::string zone;
  cron::Dst dst = cron::Dst::run;
  Instant anchor;
  Instant from;
  Instant until;
  core::Reason withdrawn = core::Reason::none;
};

// A job as the scheduler compiles it; texts, because compiling needs zones.
struct JobPlan {
  JobNo no;
  JobId id;
  ShardNo shard;
  Revision revision = 0;
  std::string name;  // for H
  std::string schedule;
  std::string zone;
  cron::Dst dst = cron::Dst::run;
  Instant anchor;      // the effective one
  Instant changed_at;  // commit time of the newest revision
  std::int64_t change = 0;
  bool planned = false;
  bool paused = false;
  bool deleted = false;
  core::Replan::Change last_change = core::Replan::Change::created;
  core::DeliveryMode delivery = core::DeliveryMode::at_least_once;
  core::Retry retry;
  core::CatchUp catch_up;
  std::string destination;                // core::destination_of(target)
  std::vector<OwedBefore> owed_before{};  // oldest first; empty where `planned`
};

// What the machine starts some shards from.
struct ShardsRead {
  struct Shard {
    ShardNo no;
    Instant cursor;
    std::int64_t change = 0;  // the shard's change number as of `jobs`
  };
  std::vector<Shard> shards;
  std::vector<JobPlan> jobs;  // live jobs, and deleted or paused ones not yet replanned
  // Sending waits until the wall clock has passed this: the newest clock that any commit carried,
  // moved on by the steady time since then. What may have been sent before lies below it, even if
  // the wall clock was set back while no server ran. After a reboot, by lead_max: claims reach no
  // further.
  Instant resume_at;
};

struct Acquisition : ShardsRead {
  Fence fence;
};

struct Changes {
  std::vector<JobPlan> jobs;             // newest revision of each changed job, deleted included
  std::vector<core::OpenRun> requested;  // runs in state requested, of these shards
  std::vector<std::pair<ShardNo, std::int64_t>> seen;  // per shard: read up to here
};

// What a delivery needs of a job's revision. Immutable, shared, cached by (job, revision).
struct Deliverable {
  JobId job;
  AccountNo account;
  core::JobDefinition definition;
  std::vector<std::pair<std::string, std::string>> sealed_headers;  // name, sealed value
  std::vector<SecretId> sealed_ids;  // same order: the vault's context is the id
};

// Zero where nothing is behind.
struct Behind {
  // Since the oldest cursor of a shard: what fell due there after it need not be claimed.
  Duration planning{};
  // Since the oldest open run was to be sent, or asked for by hand, that is left alone: no owner
  // that lives has it under its fence. Requests that their sender may yet record, and what a pause
  // holds, do not count. Of many such runs those of the longest queues may be overlooked.
  Duration sending{};
};

class Spine {
 public:
  virtual ~Spine() = default;

  // ---- Leases. By the store's clock, in one transaction; see core/lease.h. The fence of what is
  // granted is new (generation * 2^36 + counter), and is recorded with its node for attempts. Of a
  // node one heartbeat is under way at a time; one whose answer is not awaited any more may take
  // effect later: it then frees what it does not name. SQLite: one holder. All shards are granted
  // to who does not say that it holds them all, and stand as long as the process.
  virtual core::HeartbeatAnswer heartbeat(const core::Heartbeat& said) = 0;
  // Gives shards back before their leases end, and says which runs are left alone until when.
  // SQLite: nothing happens, its lease ends with the process.
  virtual void release(NodeId node, const core::Release& what) = 0;

  // Puts back runs that a node remembers and the store has forgotten (docs/design/journal.md); an
  // outcome for each. No lease guards it: what is newer than the node's memory is left alone.
  // Idempotent. Some thousand at a time. SQLite forgets nothing: all is known.
  virtual std::vector<core::PutBack> reassert(const std::vector<core::RememberedRun>& runs) {
    return std::vector<core::PutBack>(runs.size(), core::PutBack::known);
  }

  // Reads what the machine starts these shards from; call it after they are granted. The jobs are
  // handed to `take` before this returns, in portions and from several threads at once: a million
  // plans side by side would be half a gigabyte, and compiling them takes as long as reading them.
  // What `take` throws, this throws. Runs requested in these shards are told once more by
  // wait_for_changes.
  using TakePlans = std::function<void(std::vector<JobPlan>&&)>;
  virtual ShardsRead read_shards(const ShardSet& shards, const TakePlans& take) = 0;
  // The same with the jobs side by side, in ShardsRead::jobs.
  ShardsRead read_shards(const ShardSet& shards);

  // The start of a store's only node: every shard under a new fence, and what it starts from.
  Acquisition acquire(NodeId node, const TakePlans& take);
  // The same with the jobs side by side, in Acquisition::jobs.
  Acquisition acquire(NodeId node);

  // Commits a batch; see core/batch.h. Returns at once; `done` is called exactly once, from the
  // writer's thread, and must not block. Submissions commit in the order they were made.
  virtual void submit(core::Batch batch, std::function<void(core::BatchFate)> done) = 0;

  // Open runs (claimed, begun) of these shards with send_at <= until, oldest first, at most
  // `limit`. Runs that a pause holds (job paused and due <= its changed_at) are left out.
  virtual std::vector<core::OpenRun> read_open_runs(const ShardSet& shards, Instant until,
                                                    std::size_t limit) = 0;

  // Blocks until the change number of a shard named in `since` is above the one given, or a run is
  // requested there that was not returned by an earlier call, or `timeout` passed (then: empty).
  // The wait holds no connection. A store with one holder tells requested runs of every shard.
  virtual Changes wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                                   Duration timeout) = 0;
  // Makes a waiting wait_for_changes return, or the next one; used when stopping, and when shards
  // were granted.
  virtual void interrupt_waits() = 0;

  // The deliverable of each (job, revision); null where it is unknown. Revision 0: the newest.
  virtual std::vector<std::shared_ptr<const Deliverable>> read_deliverables(
      const std::vector<std::pair<JobNo, Revision>>& wanted) = 0;

  // Skipped spans whose count is not filled in, oldest first, with what counting needs.
  struct UncountedSpan {
    std::int64_t no = 0;
    JobPlan job;  // as of the span's revision
    Instant from;
    Instant to;
  };
  virtual std::vector<UncountedSpan> uncounted_spans(std::size_t limit) = 0;
  virtual void set_span_counts(
      const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) = 0;

  // How far the work of all nodes is behind, by the store's clock. One cheap read.
  virtual Behind behind() = 0;
};

// ---- Jobs -------------------------------------------------------------------------------------

struct NewSecret {
  SecretId id;
  std::string sealed;
};

struct JobDraft {
  JobId id;
  core::JobDefinition definition;
  std::vector<NewSecret> secrets;  // those of definition.target that are new
  // What API v1 shall call it from now on (kept as Job::v1_name, if it is not the definition's
  // name). Without one, what v1 calls it stays for as long as the definition's name does.
  std::optional<std::string> v1_name{};
};

enum class Existing : std::uint8_t { fail, replace };

// Idempotency-Key of a create: the answer is rendered inside the transaction and kept 24 h.
struct Idempotency {
  std::string key;
  std::string digest;  // SHA-256 of method, path and body
  std::function<std::string(const std::vector<core::Job>&)> render;
};
struct Replayed {
  std::string answer;
};
using Created = std::variant<std::vector<core::Job>, Replayed>;

struct JobFilter {
  std::optional<std::string> name_prefix;
  std::map<std::string, std::string> labels;
  std::optional<std::string> cursor;  // opaque, from Page::next_cursor; else "invalid_cursor"
  std::size_t limit = 100;
};

template <class T>
struct Page {
  std::vector<T> items;
  std::optional<std::string> next_cursor;
};

class Jobs {
 public:
  virtual ~Jobs() = default;

  // All or nothing, in order. With `replace`, a live job of the same name gets the definition as
  // a new revision (none if nothing differs). Codes: "name_taken" (fields name "/items/N/name"),
  // "idempotency_mismatch".
  virtual Result<Created> create_jobs(AccountNo account, std::vector<JobDraft> drafts,
                                      Existing existing,
                                      std::optional<Idempotency> idempotency) = 0;

  // Writes revision expected + 1. Codes: "not_found", "revision_conflict" (the newest is not
  // `expected`), "name_taken". `draft.id` names the job. The effective anchor stays unless the
  // schedule text changed or the definition gives one. No difference: no new revision (what API v1
  // calls the job is no part of it, and is written all the same).
  virtual Result<core::Job> change_job(AccountNo account, JobDraft draft, Revision expected) = 0;

  // Codes: "not_found", "revision_conflict" (only with `expected`). The answer's `change` is what
  // await_seen takes.
  virtual Result<core::Job> delete_job(AccountNo account, JobId job,
                                       std::optional<Revision> expected) = 0;

  // True once the owner committed having seen `change` or its lease is over; false after `timeout`.
  virtual bool await_seen(ShardNo shard, std::int64_t change, Duration timeout) = 0;

  virtual std::optional<core::Job> find_job(AccountNo account, JobId job) = 0;
  virtual std::optional<core::Job> find_job(AccountNo account, std::string_view name) = 0;
  virtual Result<Page<core::Job>> list_jobs(AccountNo account, const JobFilter& filter) = 0;

  // Inserts a run in state requested, or returns the run that already has this key. `kind` and
  // `key` as DESIGN §3.5 ("manual:<Idempotency-Key>"). Codes: "not_found", "key_used" (the run
  // that has the key is no longer kept).
  virtual Result<core::Run> request_run(AccountNo account, JobId job, core::RunKind kind,
                                        std::string key, RunId id) = 0;
};

// ---- Ledger -----------------------------------------------------------------------------------

struct RunFilter {
  std::optional<JobId> job;
  std::optional<core::Verdict> verdict;
  std::optional<core::RunState> state;
  std::optional<Instant> since;               // due >= since
  std::optional<Instant> until;               // due < until
  std::map<std::string, std::string> labels;  // of the job
  std::optional<std::string> name_prefix;     // of the job
  std::optional<std::string> cursor;
  std::size_t limit = 100;
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual std::optional<core::Run> find_run(AccountNo account, RunId run) = 0;
  // Newest due first, with attempts.
  virtual Result<Page<core::Run>> list_runs(AccountNo account, const RunFilter& filter) = 0;
  // Each run changed since the cursor, oldest change first, as it is now; without a cursor, none
  // and the cursor of now. next_cursor is always set. Never waits. Code "cursor_expired" after
  // 10 min, "invalid_cursor".
  virtual Result<Page<core::Run>> run_changes(AccountNo account, std::optional<std::string> after,
                                              const RunFilter& filter) = 0;
  virtual std::vector<core::SkippedSpan> list_skipped(AccountNo account, std::optional<JobId> job,
                                                      std::size_t limit) = 0;
};

// ---- Accounts ---------------------------------------------------------------------------------

struct FailureWebhook {
  std::string url;
  std::vector<std::pair<std::string, SecretId>> secret_headers;
};

// Who signs requests instead of carrying a token (core/v1_signature).
struct ApiCredentials {
  ApiKey key;
  std::string sealed_secret;  // base64; context: core::api_secret_context(account)
};

struct Account {
  AccountNo no;
  AccountId id;
  std::string name;
  std::string sealed_signing_secret;  // context: "account|<id>"
  std::optional<FailureWebhook> failure_webhook;
  std::string email{};  // empty: none
  std::optional<ApiCredentials> api{};
};

struct Token {
  TokenId id;
  std::string name;
  bool admin = false;
  Instant created_at;
};

struct Principal {
  AccountNo account;
  AccountId account_id;
  TokenId token;
  bool admin = false;
};

class Accounts {
 public:
  virtual ~Accounts() = default;
  // The first account and its admin token, if there is no account yet; true if it was made.
  virtual bool bootstrap(const Account& account, const Token& token,
                         std::string_view token_digest) = 0;
  // Every account, oldest first; empty before bootstrap.
  virtual std::vector<Account> all() = 0;
  virtual std::optional<Principal> authenticate(std::string_view token_digest) = 0;

  virtual Account account(AccountNo account) = 0;
  virtual std::optional<Account> find_account(ApiKey key) = 0;
  virtual std::optional<Account> find_account(AccountId id) = 0;
  // Letters compare without case.
  virtual std::optional<Account> find_account(std::string_view email) = 0;
  // Another account, with its email and credentials, and no token; its number is given. Codes:
  // "email_taken".
  virtual Result<Account> create_account(const Account& account) = 0;
  // What was signed with the credentials before is refused from here on. Codes: "not_found".
  virtual Result<void> rotate_credentials(AccountNo account, const ApiCredentials& fresh) = 0;
  // Jobs that are not deleted.
  virtual std::int64_t job_count(AccountNo account) = 0;
  // Name, signing secret and webhook; not the rest. Secrets that the webhook no longer names are
  // erased; without a webhook, waiting notices too.
  virtual void change_account(const Account& changed, const std::vector<NewSecret>& secrets) = 0;

  virtual std::vector<Token> tokens(AccountNo account) = 0;
  // Codes: "name_taken".
  virtual Result<Token> create_token(AccountNo account, const Token& token,
                                     std::string_view digest) = 0;
  // Codes: "not_found", "last_admin_token".
  virtual Result<void> revoke_token(AccountNo account, TokenId token) = 0;
};

// ---- Failure notices (the account's failure webhook) ------------------------------------------

// Every run that ends failed or unknown leaves a notice, in the same commit, if its account has a
// failure webhook. Notices leave in batches; a batch is fixed and durable before it is sent.
struct NoticeBatch {
  AccountNo account;
  RunId id;  // the webhook-id of all its attempts
  std::int32_t attempt = 1;
  Instant send_at;
  std::int64_t count = 0;
  Instant since;            // the oldest notice
  std::vector<RunId> runs;  // at most 100
  std::string url;
  std::vector<std::pair<SecretId, std::pair<std::string, std::string>>> sealed_headers;
  std::string sealed_signing_secret;
  AccountId account_id;
};

class Notices {
 public:
  virtual ~Notices() = default;
  // Gathers waiting notices of accounts without an open batch into one batch each (with fresh ids
  // from `make_id`), and returns all open batches.
  virtual std::vector<NoticeBatch> open_batches(const std::function<RunId(Instant)>& make_id) = 0;
  // Delivered or given up: the batch and its notices go.
  virtual void settle(AccountNo account, RunId batch) = 0;
  // Attempt + 1 at `send_at`.
  virtual void postpone(AccountNo account, RunId batch, Instant send_at) = 0;
};

// ---- Retention --------------------------------------------------------------------------------

// What the ledger keeps. Open runs, and those due within the last `young_age`, are kept whatever
// this says: a change that is not yet replanned asks which of its occurrences are claimed.
struct Keep {
  static constexpr Duration young_age = std::chrono::minutes{5};
  Duration runs_age = std::chrono::days{30};  // ended runs, their attempts, spans of skips
  std::int64_t runs_max = 10'000'000;         // runs in all: above it the oldest due go first
  Duration keys_age = std::chrono::days{90};  // occurrence keys, by the due of their run
};

struct Pruned {
  std::int64_t runs = 0;
  std::int64_t spans = 0;
  std::int64_t keys = 0;
  bool more = false;  // there may be more to prune now: call again
};

class Retention {
 public:
  virtual ~Retention() = default;
  // Removes one portion of what `keep` does not keep, in one commit: ended runs, oldest due first,
  // and keys and spans. A portion is small enough to stand between other work (some hundred rows,
  // a few ms), whatever the size of the ledger. A key outlives its run and is never removed
  // before it; a run's number is never given again.
  virtual Pruned prune(const Keep& keep) = 0;
  // Runs in the ledger, open ones too. Cheap and exact as of the last commit.
  virtual std::int64_t runs_kept() = 0;
};

// ---- The whole --------------------------------------------------------------------------------

class Database {
 public:
  virtual ~Database() = default;
  virtual Spine& spine() = 0;
  virtual Jobs& jobs() = 0;
  virtual Ledger& ledger() = 0;
  virtual Accounts& accounts() = 0;
  virtual Notices& notices() = 0;
  virtual Retention& retention() = 0;

  // A value that grows with every commit that changed a run; cheap. Pollers compare it.
  virtual std::uint64_t run_change_tick() const = 0;

  // Copies the database, online, into the file `to` (created 0600), fsynced.
  virtual void backup(const std::string& to) = 0;

  // For /readyz and `version`: "SQLite 3.40.1".
  virtual std::string engine() const = 0;
};

}  // namespace cronally::store
