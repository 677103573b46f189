#include "store/postgres/batch_replans.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "store/postgres/batch_writer.h"
#include "store/stored.h"

namespace cronally::store::postgres {

namespace {

using Change = core::Replan::Change;
using core::ItemStatus;

class Replans {
 public:
  Replans(Transaction& transaction, const std::vector<Placed<core::Replan>>& replans,
          const core::Fences& fences, std::vector<core::ItemOutcome>& outcomes)
      : transaction_(transaction), replans_(replans), fences_(fences), outcomes_(outcomes) {}

  void write(Exchange& writes) {
    read();
    find_unused_secrets();
    add_decisions(writes);
  }

 private:
  struct Fresh {
    const core::Replan* replan = nullptr;
    bool live = false;
    bool deleted = false;
    bool keeps_runs = false;  // some run of the job stays open
  };
  struct Open {
    RunNo run;
    JobNo job;
    Instant due;
    core::RunKind kind = core::RunKind::scheduled;
    Fence fence;
    bool attempted = false;
  };

  // One round trip, which reads for all jobs what only the fresh ones need.
  void read() {
    Numbers jobs, revisions;
    for (const auto& [place, replan] : replans_) {
      jobs.add(replan->job);
      revisions.add(replan->revision);
      outcomes_[place] = {ItemStatus::stale, {}};
    }
    Exchange exchange;
    exchange.add("replans_begin", std::move(Params().add(jobs).add(revisions)),
                 [this](const Rows& rows) { begin(rows); });
    exchange.add("replans_find", std::move(Params().add(jobs)),
                 [this](const Rows& rows) { judge_others(rows); });
    exchange.add("open_runs_of_jobs", std::move(Params().add(jobs)), [this](const Rows& rows) {
      for (const Row row : rows) {
        if (!fresh_.contains(JobNo{row.integer(1)})) continue;
        decide({.run = {row.integer(0)},
                .job = {row.integer(1)},
                .due = row.instant(2),
                .kind = row.as<core::RunKind>(3),
                .fence = {row.integer(4)},
                .attempted = row.integer(5) + row.integer(6) > 0});
      }
    });
    exchange.add("secrets_of_jobs", std::move(Params().add(jobs)), [this](const Rows& rows) {
      for (const Row row : rows) {
        const JobNo job{row.integer(1)};
        if (fresh_.contains(job)) secrets_[job].insert(SecretId{row.uuid(0)});
      }
    });
    exchange.run(transaction_.db());
  }

  // Those whose revision is the newest and not planned yet are to be done now.
  void begin(const Rows& rows) {
    std::unordered_map<JobNo, Placed<core::Replan>> by_job;
    for (const auto& placed : replans_) by_job.emplace(placed.item->job, placed);
    for (const Row row : rows) {
      const JobNo job{row.integer(0)};
      const auto& placed = by_job.at(job);
      outcomes_[placed.place].status = ItemStatus::done;
      skip_before(*placed.item);
      fresh_[job] = {
          .replan = placed.item, .live = !row.flag(1) && !row.flag(2), .deleted = row.flag(2)};
    }
  }

  void skip_before(const core::Replan& replan) {
    for (const auto& skip : replan.skips) {
      skip_jobs_.add(skip.job);
      skip_revisions_.add(skip.revision);
      skip_froms_.add(skip.from);
      skip_tos_.add(skip.to);
      skip_reasons_.add(skip.reason);
    }
  }

  // Repeated: runs that were claimed since are none of its business.
  void judge_others(const Rows& rows) {
    std::unordered_map<JobNo, Revision> planned;
    for (const Row row : rows) {
      planned.emplace(JobNo{row.integer(0)}, static_cast<Revision>(row.integer(1)));
    }
    for (const auto& [place, replan] : replans_) {
      const auto found = planned.find(replan->job);
      if (found != planned.end() && found->second == replan->revision) {
        outcomes_[place].status = ItemStatus::done;
      }
    }
  }

  void decide(const Open& run) {
    auto& fresh = fresh_.at(run.job);
    const auto& replan = *fresh.replan;
    if (std::ranges::find(replan.in_flight, run.run) != replan.in_flight.end()) {
      fresh.keeps_runs = true;
      return;
    }
    const bool scheduled = run.kind == core::RunKind::scheduled;
    const bool ahead = scheduled && !run.attempted && run.due > replan.changed_at;
    // By an owner before: its takeover decides.
    const bool sent_perhaps =
        run.fence != fences_.of(replan.shard) && run.due <= transaction_.now();
    const bool deleted = replan.change == Change::deleted;
    const bool cancelled = deleted || (replan.change == Change::changed && !run.attempted &&
                                       run.due <= replan.changed_at);
    if (ahead && !sent_perhaps) {
      rebind_or_delete(run, fresh);
    } else if (!ahead && cancelled) {
      ends_.add(run.run, fences_.of(replan.shard), core::Verdict::cancelled,
                deleted ? core::Reason::deleted : core::Reason::changed);
      shards_.emplace(run.run, replan.shard);
    } else {
      fresh.keeps_runs = true;
    }
  }

  void rebind_or_delete(const Open& run, Fresh& fresh) {
    const auto& replan = *fresh.replan;
    if (fresh.live && std::ranges::binary_search(replan.owed, run.due)) {
      fresh.keeps_runs = true;
      rebound_.add(run.run);
      rebound_dues_.add(run.due);
      rebound_to_.add(replan.revision);
    } else {
      deleted_.add(run.run);
      deleted_dues_.add(run.due);
      transaction_.runs_added(replan.shard, -1);
    }
    transaction_.run_changed(replan.shard, run.run);
  }

  // Secrets that neither the newest definition nor an open run can still use. A job with an open
  // run keeps all of them; its next change looks again.
  void find_unused_secrets() {
    Numbers jobs;
    for (const auto& [job, secrets] : secrets_) {
      if (!fresh_.at(job).keeps_runs && !fresh_.at(job).deleted) jobs.add(job);
    }
    if (jobs.size() > 0) {
      for (const Row row :
           transaction_.db().run("definitions_newest", std::move(Params().add(jobs)))) {
        auto& secrets = secrets_.at(JobNo{row.integer(0)});
        for (const auto& used : core::secrets_of(definition_of(row.view(1)).target)) {
          secrets.erase(used.secret);
        }
      }
    }
    for (const auto& [job, secrets] : secrets_) {
      if (fresh_.at(job).keeps_runs) continue;
      for (const SecretId& secret : secrets) unused_.add(secret);
    }
  }

  void add_decisions(Exchange& writes) {
    if (rebound_.size() > 0) {
      Params params;
      params.add(rebound_).add(rebound_dues_).add(rebound_to_);
      writes.add("runs_rebind", std::move(params));
    }
    if (deleted_.size() > 0) {
      Params params;
      params.add(deleted_).add(deleted_dues_);
      writes.add("runs_delete", std::move(params));
    }
    ends_.add_to(writes,
                 [&transaction = transaction_, shards = std::move(shards_)](const Rows& rows) {
                   for (const Row row : rows) {
                     const RunNo run{row.integer(0)};
                     transaction.run_changed(shards.at(run), run);
                   }
                 });
    if (skip_jobs_.size() > 0) {
      Params params;
      params.add(skip_jobs_).add(skip_revisions_).add(skip_froms_).add(skip_tos_);
      params.add(skip_reasons_);
      writes.add("skips_before_insert", std::move(params));
    }
    if (unused_.size() > 0) writes.add("secrets_delete", std::move(Params().add(unused_)));
  }

  Transaction& transaction_;
  const std::vector<Placed<core::Replan>>& replans_;
  const core::Fences& fences_;
  std::vector<core::ItemOutcome>& outcomes_;
  std::unordered_map<JobNo, Fresh> fresh_;
  std::unordered_map<JobNo, std::unordered_set<SecretId>> secrets_;
  Numbers rebound_, rebound_dues_, rebound_to_;
  Numbers deleted_, deleted_dues_;
  Numbers skip_jobs_, skip_revisions_, skip_froms_, skip_tos_, skip_reasons_;
  EndRows ends_;
  std::unordered_map<RunNo, ShardNo> shards_;  // of ends_
  Uuids unused_;
};

}  // namespace

void write_replans(Transaction& transaction, const std::vector<Placed<core::Replan>>& replans,
                   const core::Fences& fences, std::vector<core::ItemOutcome>& outcomes,
                   Exchange& writes) {
  Replans(transaction, replans, fences, outcomes).write(writes);
}

}  // namespace cronally::store::postgres
