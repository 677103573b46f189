#include "scheduler/restore_settler.h"

#include <array>
#include <future>
#include <utility>
#include <variant>

#include "base/check.h"

namespace cronally::scheduler {

namespace {

constexpr std::size_t items_per_batch = 8'192;

// Where this host lacks the zone the span is written and stays uncounted.
bool owes_nothing(const Result<cron::Schedule>& schedule, Instant from, Instant until) {
  if (!schedule) return false;
  const auto due = cron::next(*schedule, from);
  return !due || *due > until;
}

}  // namespace

Settled RestoreSettler::settle(NodeId node, const std::vector<core::End>& open, Instant until) {
  const auto acquired = spine_.acquire(node);
  batch_.fences = acquired.fence;
  for (const auto& end : open) add(end);
  std::array<Instant, shard_count> cursors{};
  for (const auto& shard : acquired.shards) {
    cursors.at(static_cast<std::size_t>(shard.no.value)) = shard.cursor;
  }
  for (const auto& job : acquired.jobs) {
    settle_job(job, cursors.at(static_cast<std::size_t>(job.shard.value)), until);
  }
  for (const auto& shard : acquired.shards) add(core::Advance{shard.no, until, shard.change});
  commit();
  return settled_;
}

void RestoreSettler::settle_job(const store::JobPlan& job, Instant cursor, Instant until) {
  if (!job.planned) {
    add(core::Replan{.job = job.no,
                     .shard = job.shard,
                     .revision = job.revision,
                     .changed_at = job.changed_at,
                     .change = job.last_change,
                     .skips = skips_before(job)});
  }
  if (job.paused || job.deleted) return;
  const auto from = job.planned ? std::max(cursor, job.changed_at) : job.changed_at;
  if (from >= until || owes_nothing(compiler_.schedule(job), from, until)) return;
  add(core::Skip{job.no, job.shard, job.revision, from, until, core::Reason::restored});
}

std::vector<core::Skip> RestoreSettler::skips_before(const store::JobPlan& job) const {
  std::vector<core::Skip> skips;
  for (const auto& owed : job.owed_before) {
    if (owes_nothing(compiler_.schedule(owed), owed.from, owed.until)) continue;
    const auto reason =
        owed.withdrawn == core::Reason::none ? core::Reason::restored : owed.withdrawn;
    skips.push_back({job.no, job.shard, owed.revision, owed.from, owed.until, reason});
  }
  return skips;
}

void RestoreSettler::add(core::Item item) {
  batch_.items.push_back(std::move(item));
  if (batch_.items.size() == items_per_batch) commit();
}

void RestoreSettler::commit() {
  if (batch_.items.empty()) return;
  std::promise<core::BatchFate> told;
  spine_.submit(batch_, [&](core::BatchFate fate) { told.set_value(std::move(fate)); });
  const auto fate = told.get_future().get();
  if (const auto* refused = std::get_if<core::BatchRefused>(&fate)) {
    throw Unavailable(refused->error.message);
  }
  const auto* committed = std::get_if<core::BatchCommitted>(&fate);
  if (!committed) throw Unavailable("the fate of a commit is not known; restore once more");
  for (std::size_t i = 0; i < batch_.items.size(); ++i) {
    if (committed->outcomes[i].status != core::ItemStatus::done) continue;
    settled_.spans += std::holds_alternative<core::Skip>(batch_.items[i]);
    if (const auto* replan = std::get_if<core::Replan>(&batch_.items[i])) {
      settled_.spans += std::ssize(replan->skips);
    }
    settled_.runs += std::holds_alternative<core::End>(batch_.items[i]);
  }
  batch_.items.clear();
}

}  // namespace cronally::scheduler
