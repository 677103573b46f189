#include "store/sqlite/spine.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "base/check.h"
#include "store/sqlite/batch_writer.h"
#include "store/sqlite/rows.h"

namespace cronally::store::sqlite {

namespace {

// About half a megabyte, read in some milliseconds: no snapshot is held for long.
constexpr std::int64_t plans_per_portion = 2'000;
constexpr unsigned readers_max = 4;  // more gain little, and there are no more connections

core::BatchRefused refusal(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const SqliteError& sqlite) {
    if (sqlite.primary() == SQLITE_FULL) {
      return {{"disk_full", "the disk is full; claims wait until there is space"}};
    }
    return {{"database_error", sqlite.what()}};
  } catch (const Unavailable& outage) {
    return {{outage.code(), outage.what()}};
  } catch (const std::exception& other) {
    return {{"database_error", other.what()}};
  }
}

JobPlan read_plan(Connection& db, const Statement& row) {
  JobPlan plan = plan_row(row);
  if (!owes_before(row)) return plan;
  std::vector<StoredRevision> revisions;
  auto rows = db.use("revisions_unplanned");
  rows.bind(plan.no).bind(plan.revision);
  while (rows.step()) revisions.push_back(revision_row(rows));
  plan.owed_before = owed_before(revisions, plan.deleted);
  return plan;
}

std::shared_ptr<const Deliverable> read_deliverable(Connection& db, JobNo job, Revision revision) {
  auto deliverable = std::make_shared<Deliverable>();
  {
    auto row = db.use("deliverable_read");
    row.bind(job).bind(revision);
    if (!row.step()) return nullptr;
    deliverable->job = {row.uuid(0)};
    deliverable->account = {row.integer(1)};
    deliverable->definition = definition_of(row.view(2));
  }
  for (const auto& secret : core::secrets_of(deliverable->definition.target)) {
    auto row = db.use("secret_read");
    row.bind(secret.secret);
    if (!row.step()) return nullptr;  // erased: no live revision uses it
    deliverable->sealed_headers.emplace_back(secret.name, row.text(0));
    deliverable->sealed_ids.push_back(secret.secret);
  }
  return deliverable;
}

}  // namespace

core::HeartbeatAnswer SqliteSpine::heartbeat(const core::Heartbeat& said) {
  std::lock_guard lock(fence_mutex_);
  core::HeartbeatAnswer answer{.endless = true};
  const bool holds_all = said.holds.size() == shard_count &&
                         std::ranges::all_of(said.holds, [this](const core::Lease& lease) {
                           return lease.fence == fence_;
                         });
  if (holds_all) {
    answer.at = engine_.clock->wall();
    for (const auto& lease : said.holds) answer.kept.push_back(lease.shard);
    return answer;
  }
  engine_.writer.write([&](Transaction& transaction) {
    auto& db = transaction.db();
    {
      auto next = db.use("fence_next");
      CHECK(next.step(), "the database has its meta row");
      answer.fence = {next.integer(0)};
    }
    db.use("lease_insert").bind(answer.fence).bind(said.node).bind(transaction.now()).run();
    db.use("shards_take").bind(answer.fence).run();
    answer.at = transaction.now();
  });
  for (int shard = 0; shard < shard_count; ++shard) answer.granted.push_back({shard});
  fence_ = answer.fence;
  return answer;
}

ShardsRead SqliteSpine::read_shards(const ShardSet& shards, const TakePlans& take) {
  ShardsRead found{.resume_at = engine_.writer.resume_at()};
  // The shards before the jobs: a job that changes in between is read as it then is, and told once
  // more by its shard's change number.
  engine_.writer.between([&](Connection& db) {
    auto rows = db.use("shards_read");
    while (rows.step()) {
      const ShardNo shard{rows.integer(0)};
      if (!shards.test(static_cast<std::size_t>(shard.value))) continue;
      found.shards.push_back({shard, rows.instant(1), rows.integer(3)});
    }
  });
  read_plans(shards, take);
  std::lock_guard lock(requests_mutex_);
  requested_up_to_ = RunNo{0};
  looked_ = false;
  return found;
}

// Reading a row and compiling it take about as long as each other, so each thread does both, of
// portions of its own.
void SqliteSpine::read_plans(const ShardSet& shards, const TakePlans& take) {
  const auto last = engine_.readers.read([](Connection& db) {
    auto newest = db.use("job_newest");
    return newest.step() ? newest.integer(0) : 0;
  });
  std::atomic<std::int64_t> next = 0;
  const auto read_portions = [&] {
    for (std::int64_t after = next.fetch_add(plans_per_portion); after < last;
         after = next.fetch_add(plans_per_portion)) {
      take(engine_.readers.read([&](Connection& db) {
        std::vector<JobPlan> plans;
        plans.reserve(plans_per_portion);
        auto rows = db.use("plans_to_start");
        rows.bind(after).bind(after + plans_per_portion);
        while (rows.step()) {
          JobPlan plan = read_plan(db, rows);
          if (shards.test(static_cast<std::size_t>(plan.shard.value)))
            plans.push_back(std::move(plan));
        }
        return plans;
      }));
    }
  };
  const std::size_t threads = std::clamp(std::thread::hardware_concurrency(), 1U, readers_max);
  std::vector<std::future<void>> others;
  while (others.size() + 1 < threads && (std::ssize(others) + 1) * plans_per_portion < last) {
    others.push_back(std::async(std::launch::async, read_portions));
  }
  read_portions();
  for (auto& other : others) other.get();
}

void SqliteSpine::submit(core::Batch batch, std::function<void(core::BatchFate)> done) {
  const bool claims = std::ranges::any_of(batch.items, [](const core::Item& item) {
    return std::holds_alternative<core::Claim>(item);
  });
  auto committed = std::make_shared<core::BatchCommitted>();
  engine_.writer.submit(
      [batch = std::move(batch), committed](Transaction& transaction) {
        committed->outcomes = BatchWriter(transaction, batch.fences).write(batch.items);
        committed->at = transaction.now();
      },
      [committed, done = std::move(done)](std::exception_ptr error) {
        if (!error) {
          done(std::move(*committed));
          return;
        }
        done(refusal(error));
      },
      claims ? Need::room : Need::little);
}

std::vector<core::OpenRun> SqliteSpine::read_open_runs(const ShardSet& shards, Instant until,
                                                       std::size_t limit) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<core::OpenRun> runs;
    auto rows = db.use("open_runs_due");
    rows.bind(until).bind(static_cast<std::int64_t>(limit));
    rows.bind(static_cast<std::int64_t>(shards.to_ullong()));
    while (rows.step()) runs.push_back(open_run_row(rows));
    return runs;
  });
}

Changes SqliteSpine::wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                                      Duration timeout) {
  std::lock_guard lock(requests_mutex_);
  if (!looked_) {  // for what was requested before this process began
    looked_ = true;
    auto found = look(since);
    if (!found.seen.empty() || !found.requested.empty()) return found;
  }
  if (!engine_.bell.wait_news(since, requests_known_, timeout)) return {};
  return look(since);
}

Changes SqliteSpine::look(const std::vector<std::pair<ShardNo, std::int64_t>>& since) {
  Changes changes;
  // Read before the rows: a request that commits in between is looked for once more, not missed.
  requests_known_ = engine_.bell.requests();
  const auto newest = engine_.bell.changes();
  engine_.readers.read([&](Connection& db) {
    for (const auto& [shard, known] : since) {
      if (newest.at(static_cast<std::size_t>(shard.value)) <= known) continue;
      auto rows = db.use("plans_changed");
      rows.bind(shard).bind(known);
      auto read_up_to = newest[static_cast<std::size_t>(shard.value)];
      while (rows.step()) {
        changes.jobs.push_back(read_plan(db, rows));
        read_up_to = std::max(read_up_to, changes.jobs.back().change);
      }
      changes.seen.emplace_back(shard, read_up_to);
    }
    auto requested = db.use("runs_requested");
    requested.bind(requested_up_to_);
    while (requested.step()) changes.requested.push_back(open_run_row(requested));
    return 0;
  });
  if (!changes.requested.empty()) requested_up_to_ = changes.requested.back().no;
  return changes;
}

std::vector<std::shared_ptr<const Deliverable>> SqliteSpine::read_deliverables(
    const std::vector<std::pair<JobNo, Revision>>& wanted) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<std::shared_ptr<const Deliverable>> found;
    found.reserve(wanted.size());
    for (const auto& [job, revision] : wanted) {
      found.push_back(read_deliverable(db, job, revision));
    }
    return found;
  });
}

Behind SqliteSpine::behind() {
  return engine_.readers.read([&](Connection& db) {
    const Instant now = engine_.clock->wall();
    const auto since = [&](Statement& oldest) {
      if (!oldest.step() || oldest.null(0)) return Duration{};
      return std::max(Duration{}, now - oldest.instant(0));
    };
    auto cursor = db.use("cursor_oldest");
    auto run = db.use("run_left_alone");
    run.bind(now);
    return Behind{.planning = since(cursor), .sending = since(run)};
  });
}

std::vector<Spine::UncountedSpan> SqliteSpine::uncounted_spans(std::size_t limit) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<UncountedSpan> spans;
    auto rows = db.use("spans_uncounted");
    rows.bind(static_cast<std::int64_t>(limit));
    while (rows.step()) {
      UncountedSpan span{.no = rows.integer(0), .from = rows.instant(1), .to = rows.instant(2)};
      span.job.id = {rows.uuid(3)};
      span.job.schedule = rows.text(4);
      span.job.zone = rows.text(5);
      span.job.dst = rows.as<cron::Dst>(6);
      span.job.anchor = rows.instant(7);
      span.job.name = rows.text(8);
      spans.push_back(std::move(span));
    }
    return spans;
  });
}

void SqliteSpine::set_span_counts(
    const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) {
  engine_.writer.write([&](Transaction& transaction) {
    for (const auto& [span, count] : counts) {
      transaction.db().use("span_count_set").bind(span).bind(count).run();
    }
  });
}

}  // namespace cronally::store::sqlite
