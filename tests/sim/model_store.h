// The simulation's store: what store/database.h promises, as plainly as it can be said, in memory.
//
// It passes the same conformance suite as the real ones, so a machine that is right over it is
// right over them. A batch is applied whole by apply(); submit() does that at once. Faults are
// the world's business: it delays, loses and doubts batches around apply().
//
// Beyond the interface it keeps what checkers want to know of the past: every definition with what
// was planned when it was replaced, every skipped span, every run that ever was.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/database.h"

namespace cronally::sim {

// One definition of a job, for as long as it was the newest.
struct DefinitionSpan {
  Revision revision = 0;
  core::JobDefinition definition;
  Instant anchor;
  Instant from;  // its commit: it owes from here on
  core::Replan::Change change = core::Replan::Change::created;
  // When it was replaced: up to where its occurrences were accounted for.
  std::optional<Instant> replaced_at;
  Instant accounted_until = Instant::min();
};

struct JobRecord {
  core::Job job;
  AccountNo account;
  bool deleted = false;
  Revision planned_revision = 0;
  core::Replan::Change last_change = core::Replan::Change::created;
  std::vector<DefinitionSpan> definitions;
};

// By its pause.
bool holds(const JobRecord& record, const core::OpenRun& run);

struct RunRecord {
  core::OpenRun open;
  std::string key;
  std::optional<core::Verdict> verdict;
  core::Reason reason = core::Reason::none;
  std::optional<Instant> ended_at;
  std::map<std::int32_t, core::Attempt> attempts;
};

struct SkipRecord {
  JobNo job;
  Revision revision = 0;
  Instant from;
  Instant to;
  core::Reason reason = core::Reason::none;
  Instant at;  // of its commit
  std::optional<std::int64_t> count{};
};

struct ShardRecord {
  Instant cursor;
  std::int64_t change = 0;  // the newest change of its jobs
  std::int64_t seen = 0;    // up to which the owner has committed
  Fence fence;
  NodeId holder;
  Instant ends = Instant::min();  // of the lease; where there is one holder it has no end
};

enum class Holders : std::uint8_t { one, several };

class ModelStore final : public store::Spine, public store::Jobs {
 public:
  using Clock = std::function<Now()>;
  // With one holder its leases are like SQLite's: all shards go to who asks last.
  ModelStore(Clock clock, Holders holders);

  // Switches of canaries. Writes of any owner before are accepted; of them, only what was seen of
  // changes; a lease that its holder stopped to trust comes back under its old fence; changes count
  // as seen when a lease is about to end.
  void ignore_fences() { ignore_fences_ = true; }
  void ignore_fences_of_acks() { ignore_fences_of_acks_ = true; }
  void grant_old_fences() { grant_old_fences_ = true; }
  void acknowledge_early() { acknowledge_early_ = true; }
  // After it forgot, grants shards as ever.
  void stay_loud() { loud_ = true; }

  // What is forgotten when an older one is put back: all but jobs, which no node remembers.
  struct Memory {
    std::vector<ShardRecord> shards;
    std::map<RunNo, RunRecord> runs;
    std::set<RunNo> open;
    std::map<RunId, RunNo> run_ids;
    std::map<std::pair<JobNo, Instant>, RunNo> scheduled;
    std::map<std::pair<JobNo, std::string>, RunNo> keys;
    std::vector<SkipRecord> spans;
    std::map<NodeId, core::NodeRow> living;
    std::map<JobNo, Revision> planned;
    std::int64_t generation = 0;
    std::int64_t counter = 0;
    core::Quiet quiet{};
  };
  Memory memory() const;
  // `promoted`: another server goes on, which can be told; else files were put in place of newer
  // ones, and what nodes know alone shows it.
  void put_back(const Memory& before, bool promoted);
  // Not every node may have heard that it forgot: what is open is not told.
  bool doubted() const { return unnoticed_ || clock_().wall < quiet_.until; }
  // How often it was put back, and how often that was noticed.
  int servers() const { return servers_; }
  int noticed() const { return noticed_; }
  // Also a run that was forgotten and never put back: as it was known last.
  const RunRecord* find_ever(const RunId& id) const;
  // Whether a success of it was ever committed, forgotten or not.
  bool ever_succeeded(const RunId& id) const { return succeeded_.contains(id); }

  // Applies a whole batch; never unknown.
  core::BatchFate apply(const core::Batch& batch);
  // What wait_for_changes tells; runs are told again each time.
  store::Changes peek_changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since) const;
  // Whether nothing starts any more under what `change` replaced: the holder has committed having
  // seen it, or its lease is over and who comes next begins with it.
  bool seen(ShardNo shard, std::int64_t change) const;

  // wait_for_changes without the wait.
  store::Changes changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since);

  const std::map<JobNo, JobRecord>& job_records() const { return jobs_; }
  const std::map<RunNo, RunRecord>& run_records() const { return runs_; }
  const std::vector<SkipRecord>& skip_records() const { return spans_; }  // oldest first
  const ShardRecord& shard(ShardNo no) const {
    return shards_.at(static_cast<std::size_t>(no.value));
  }
  const RunRecord* find_record(const RunId& id) const;
  // As Acquisition::resume_at, were it acquired now.
  Instant resume_at() const { return last_commit_ + (clock_().steady - last_steady_); }
  // Items that took effect though their owner's fence was not the shard's.
  std::int64_t stale_writes() const { return stale_writes_; }

  // ---- store::Spine
  using store::Spine::read_shards;
  core::HeartbeatAnswer heartbeat(const core::Heartbeat& said) override;
  void release(NodeId node, const core::Release& what) override;
  std::vector<core::PutBack> reassert(const std::vector<core::RememberedRun>& runs) override;
  store::ShardsRead read_shards(const ShardSet& shards, const TakePlans& take) override;
  void submit(core::Batch batch, std::function<void(core::BatchFate)> done) override;
  std::vector<core::OpenRun> read_open_runs(const ShardSet& shards, Instant until,
                                            std::size_t limit) override;
  store::Changes wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                                  Duration timeout) override;
  void interrupt_waits() override;
  std::vector<std::shared_ptr<const store::Deliverable>> read_deliverables(
      const std::vector<std::pair<JobNo, Revision>>& wanted) override;
  std::vector<UncountedSpan> uncounted_spans(std::size_t limit) override;
  void set_span_counts(const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) override;
  store::Behind behind() override;

  // ---- store::Jobs
  Result<store::Created> create_jobs(AccountNo account, std::vector<store::JobDraft> drafts,
                                     store::Existing existing,
                                     std::optional<store::Idempotency> idempotency) override;
  Result<core::Job> change_job(AccountNo account, store::JobDraft draft,
                               Revision expected) override;
  Result<core::Job> delete_job(AccountNo account, JobId job,
                               std::optional<Revision> expected) override;
  bool await_seen(ShardNo shard, std::int64_t change, Duration timeout) override;
  std::optional<core::Job> find_job(AccountNo account, JobId job) override;
  std::optional<core::Job> find_job(AccountNo account, std::string_view name) override;
  Result<store::Page<core::Job>> list_jobs(AccountNo account,
                                           const store::JobFilter& filter) override;
  Result<core::Run> request_run(AccountNo account, JobId job, core::RunKind kind, std::string key,
                                RunId id) override;

 private:
  // model_store_apply.cc
  core::ItemOutcome apply_item(const core::Claim& item, Fence fence);
  core::ItemOutcome apply_item(const core::Skip& item, Fence fence);
  core::ItemOutcome apply_item(const core::Advance& item, Fence fence);
  core::ItemOutcome apply_item(const core::Replan& item, Fence fence);
  core::ItemOutcome apply_item(const core::Accept& item, Fence fence);
  core::ItemOutcome apply_item(const core::Begin& item, Fence fence);
  core::ItemOutcome apply_item(const core::Takeover& item, Fence fence);
  core::ItemOutcome apply_item(const core::Outcome& item, Fence);
  core::ItemOutcome apply_item(const core::End& item, Fence fence);
  void replan_run(RunRecord& run, const core::Replan& item);
  void end_run(RunRecord& run, core::Verdict verdict, core::Reason reason);
  bool counts(const core::Item& item, const core::Fences& fences);
  RunRecord* find_run(RunNo no);
  JobRecord* live_revision(JobNo no, Revision revision, Instant until);
  void skip_before(const core::Skip& skip);

  // model_store_leases.cc
  bool holds_all(const core::Heartbeat& said) const;
  void free(ShardNo no);
  std::int64_t judge(const core::Heartbeat& said) const;
  std::vector<core::NodeRow> rows() const;
  void note_alive(const core::Heartbeat& said, Instant now);
  void revoke(std::int64_t rise, Instant now);
  bool is_quiet(const core::Heartbeat& said, core::HeartbeatAnswer& answer);
  RunRecord* holder_of(const core::RememberedRun& known, JobNo job);
  core::PutBack reassert(const core::RememberedRun& known);
  void insert(const core::RememberedRun& known, const JobRecord& job);
  static void note_attempts(RunRecord& record, const core::RememberedRun& known);
  ShardRecord& record(ShardNo no) { return shards_.at(static_cast<std::size_t>(no.value)); }

  // model_store.cc
  Instant commit_clock();
  Instant stamp();
  store::JobPlan plan_of(const JobRecord& record) const;
  store::JobPlan plan_of(const JobRecord& record, const DefinitionSpan& span) const;
  JobRecord* live_job(AccountNo account, const JobId& id);
  JobRecord* live_job(AccountNo account, std::string_view name);
  JobRecord& insert_job(AccountNo account, const store::JobDraft& draft);
  static void call_v1(core::Job& job, const store::JobDraft& draft);
  void revise(JobRecord& record, const store::JobDraft& draft, core::Replan::Change change);

  Clock clock_;
  const Holders holders_;
  std::map<NodeId, core::NodeRow> living_;
  bool ignore_fences_ = false;
  bool ignore_fences_of_acks_ = false;
  bool grant_old_fences_ = false;
  bool acknowledge_early_ = false;
  mutable std::recursive_mutex mutex_;
  std::condition_variable_any changed_;
  bool interrupted_ = false;

  std::vector<ShardRecord> shards_;
  std::map<JobNo, JobRecord> jobs_;
  std::map<RunNo, RunRecord> runs_;
  std::set<RunNo> open_;  // of these, which have not ended
  std::map<RunId, RunNo> run_ids_;
  std::map<std::pair<JobNo, Instant>, RunNo> scheduled_;
  std::map<std::pair<JobNo, std::string>, RunNo> keys_;
  std::vector<SkipRecord> spans_;
  std::map<SecretId, std::string> secrets_;
  std::map<Fence, NodeId> nodes_;
  std::map<RunNo, Fence> requested_told_;  // and the fence of the shard's holder by then
  std::map<std::string, std::pair<std::string, std::string>> idempotent_;  // digest, answer
  std::map<JobNo, std::map<Revision, std::shared_ptr<const store::Deliverable>>> deliverables_;
  std::int64_t counter_ = 0;  // fences
  std::int64_t generation_ = 1;
  bool unnoticed_ = false;
  bool loud_ = false;
  int servers_ = 0;
  int noticed_ = 0;
  core::Quiet quiet_{};
  std::map<RunId, RunRecord> forgotten_;
  std::set<RunId> succeeded_;
  std::int64_t last_job_ = 0;
  std::int64_t last_run_ = 0;
  std::int64_t stale_writes_ = 0;
  Instant last_commit_;
  SteadyInstant last_steady_;
  core::EarlyClaims early_;  // of the batch that is applied
  Instant last_stamp_;
};

}  // namespace cronally::sim
