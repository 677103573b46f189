#include "store/postgres/spine.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <unordered_map>
#include <utility>

#include "store/postgres/batch_writer.h"
#include "store/postgres/reassert.h"
#include "store/postgres/rows.h"

namespace cronally::store::postgres {

namespace {

// What a requested run's send_at is, so that the index of open runs leads to it.
constexpr auto not_owed = std::numeric_limits<std::int64_t>::min();

// Plans read in one exchange: a million side by side would be half a gigabyte.
constexpr std::int64_t plans_per_read = 10'000;

// Runs that are looked for, or written, in one exchange.
constexpr std::size_t remembered_per_exchange = 1'000;

bool has(const ShardSet& shards, ShardNo shard) {
  return shards.test(static_cast<std::size_t>(shard.value));
}

Numbers numbers_of(const ShardSet& shards) {
  Numbers numbers;
  for (std::int64_t shard = 0; shard < shard_count; ++shard) {
    if (has(shards, {shard})) numbers.add(shard);
  }
  return numbers;
}

core::OpenRun open_run(const Row& row) {
  auto run = open_run_row(row);
  run.left_until = row.instant(15);
  return run;
}

// Rows of a server that has forgotten would show runs as not sent that were: who owns their shards
// may not act on them.
void need_judged(const Rows& rows) {
  if (rows[0].flag(0)) return;
  throw Unavailable(
      "another database server took over, or the database was put back in time; what is forgotten "
      "is looked for first");
}

core::BatchRefused refusal(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const PgError& pg) {
    if (pg.state() == "53100") return {{"disk_full", "the database's disk is full"}};
    if (pg.lost()) return {{"unavailable", outage_text(pg)}};
    return {{"database_error", outage_text(pg)}};
  } catch (const Unavailable& outage) {
    return {{outage.code(), outage.what()}};
  } catch (const std::exception& other) {
    return {{"database_error", other.what()}};
  }
}

// Plans whose rows were read, with what revisions before owed: one more exchange where there is
// any.
class Plans {
 public:
  const JobPlan& add(const Row& row) {
    const JobPlan& plan = plans_.emplace_back(plan_row(row));
    if (owes_before(row)) {
      owing_.emplace(plan.no, plans_.size() - 1);
      jobs_.add(plan.no);
      newest_.add(plan.revision);
    }
    return plan;
  }
  std::vector<JobPlan> take(Connection& db) {
    if (owing_.empty()) return std::move(plans_);
    std::unordered_map<JobNo, std::vector<StoredRevision>> revisions;
    for (const Row row :
         db.run("revisions_unplanned", std::move(Params().add(jobs_).add(newest_)))) {
      revisions[JobNo{row.integer(0)}].push_back(revision_row(row));
    }
    for (const auto& [job, place] : owing_) {
      plans_[place].owed_before = owed_before(revisions[job], plans_[place].deleted);
    }
    return std::move(plans_);
  }

 private:
  std::vector<JobPlan> plans_;
  std::unordered_map<JobNo, std::size_t> owing_;  // places in plans_
  Numbers jobs_, newest_;
};

// Null where one of its secrets is erased: then no live revision uses it.
std::shared_ptr<const Deliverable> with_secrets(
    std::shared_ptr<Deliverable> deliverable,
    const std::unordered_map<SecretId, std::string>& sealed) {
  if (!deliverable) return nullptr;
  for (const auto& secret : core::secrets_of(deliverable->definition.target)) {
    const auto value = sealed.find(secret.secret);
    if (value == sealed.end()) return nullptr;
    deliverable->sealed_headers.emplace_back(secret.name, value->second);
    deliverable->sealed_ids.push_back(secret.secret);
  }
  return deliverable;
}

}  // namespace

ShardsRead PostgresSpine::read_shards(const ShardSet& shards, const TakePlans& take) {
  ShardsRead found{.resume_at = engine_.resume_at};
  // The shards before the jobs.
  engine_.readers.read([&](Connection& db) {
    found.shards.clear();
    for (const Row row : db.run("shards_read")) {
      const ShardNo shard{row.integer(0)};
      if (!has(shards, shard)) continue;
      found.shards.push_back({shard, row.instant(1), row.integer(2)});
    }
    return 0;
  });
  read_plans(shards, take);
  std::lock_guard lock(requests_mutex_);
  std::erase_if(requested_, [&](const auto& run) { return has(shards, run.second); });
  looked_ = false;
  return found;
}

// A job that changes meanwhile is read as it then is, and told once more by the shard's change
// number.
void PostgresSpine::read_plans(const ShardSet& shards, const TakePlans& take) {
  std::int64_t last = 0;
  while (true) {
    std::vector<JobPlan> plans;
    engine_.readers.read([&](Connection& db) {
      Plans read;
      Params params;
      params.add(last).add(plans_per_read).add(numbers_of(shards));
      for (const Row row : db.run("plans_to_start", std::move(params))) {
        read.add(row);
      }
      plans = read.take(db);
      return 0;
    });
    if (plans.empty()) return;
    last = plans.back().no.value;
    take(std::move(plans));
  }
}

void PostgresSpine::submit(core::Batch batch, std::function<void(core::BatchFate)> done) {
  auto committed = std::make_shared<core::BatchCommitted>();
  auto& writer = batch.plans() ? engine_.batches : engine_.outcomes;
  writer.submit(
      [batch = std::move(batch), committed](Transaction& transaction) {
        committed->outcomes = BatchWriter(transaction, batch).write();
        committed->at = transaction.now();
      },
      [committed, done = std::move(done)](Written written) {
        if (written.committed) {
          done(std::move(*committed));
        } else if (written.error) {
          done(refusal(written.error));
        } else {
          done(core::BatchUnknown{});
        }
      });
}

std::vector<core::OpenRun> PostgresSpine::read_open_runs(const ShardSet& shards, Instant until,
                                                         std::size_t limit) {
  return engine_.readers.read([&](Connection& db) {
    Params params;
    params.add(numbers_of(shards)).add(until).add(static_cast<std::int64_t>(limit)).add(not_owed);
    const auto rows = db.run({{"open_runs_judged"}, {"open_runs_due", std::move(params)}});
    need_judged(rows[0]);
    std::vector<core::OpenRun> runs;
    for (const Row row : rows[1]) runs.push_back(open_run(row));
    return runs;
  });
}

Changes PostgresSpine::wait_for_changes(const std::vector<std::pair<ShardNo, std::int64_t>>& since,
                                        Duration timeout) {
  std::lock_guard lock(requests_mutex_);
  if (!looked_) {  // for what was requested before this process began
    auto found = look(since);
    looked_ = true;
    if (!found.seen.empty() || !found.requested.empty()) return found;
  }
  if (!engine_.bell.wait_news(since, requests_known_, interrupts_known_, timeout)) return {};
  return look(since);
}

Changes PostgresSpine::look(const std::vector<std::pair<ShardNo, std::int64_t>>& since) {
  // Read before the rows: a request that commits in between is looked for once more, not missed.
  const auto requests = engine_.bell.requests();
  const auto newest = engine_.bell.changes();
  Changes changes;
  std::unordered_map<RunNo, ShardNo> requested;
  engine_.readers.read([&](Connection& db) {
    changes = {};
    requested.clear();
    Numbers shards, changed, known_changes;
    std::unordered_map<ShardNo, std::int64_t> read_up_to;
    for (const auto& [shard, known] : since) {
      shards.add(shard);
      const auto number = newest.at(static_cast<std::size_t>(shard.value));
      if (number <= known) continue;
      changed.add(shard);
      known_changes.add(known);
      read_up_to[shard] = number;
    }
    Plans plans;
    Exchange exchange;
    exchange.add("memory_judged", {}, need_judged);
    if (changed.size() > 0) {
      exchange.add("plans_changed", std::move(Params().add(changed).add(known_changes)),
                   [&](const Rows& rows) {
                     for (const Row row : rows) {
                       const auto& plan = plans.add(row);
                       auto& up_to = read_up_to[plan.shard];
                       up_to = std::max(up_to, plan.change);
                     }
                   });
    }
    exchange.add("runs_requested", std::move(Params().add(shards).add(not_owed)),
                 [&](const Rows& rows) {
                   for (const Row row : rows) {
                     auto run = open_run(row);
                     requested.emplace(run.no, run.shard);
                     if (!requested_.contains(run.no)) changes.requested.push_back(std::move(run));
                   }
                 });
    exchange.run(db);
    changes.jobs = plans.take(db);
    for (const auto& [shard, up_to] : read_up_to) changes.seen.emplace_back(shard, up_to);
    return 0;
  });
  requested_ = std::move(requested);
  requests_known_ = requests;
  return changes;
}

std::vector<core::PutBack> PostgresSpine::reassert(const std::vector<core::RememberedRun>& runs) {
  using core::PutBack;
  std::vector<PutBack> what;
  for (std::size_t from = 0; from < runs.size(); from += remembered_per_exchange) {
    const auto until = std::min(runs.size(), from + remembered_per_exchange);
    const std::vector<core::RememberedRun> portion(
        runs.begin() + static_cast<std::ptrdiff_t>(from),
        runs.begin() + static_cast<std::ptrdiff_t>(until));
    auto found = engine_.readers.read(
        [&](Connection& db) { return look_back(db, portion, db.run("clock_read")[0].instant(0)); });
    std::vector<core::RememberedRun> missing;
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < portion.size(); ++at) {
      const bool to_write = found[at] == PutBack::inserted || found[at] == PutBack::raised ||
                            found[at] == PutBack::ended;
      if (!to_write) continue;
      missing.push_back(portion[at]);
      places.push_back(at);
    }
    if (!missing.empty()) {
      std::vector<PutBack> written;
      engine_.edits.write(
          [&](Transaction& transaction) { written = put_back(transaction, missing); });
      for (std::size_t i = 0; i < places.size(); ++i) found[places[i]] = written.at(i);
    }
    what.insert(what.end(), found.begin(), found.end());
  }
  return what;
}

std::vector<std::shared_ptr<const Deliverable>> PostgresSpine::read_deliverables(
    const std::vector<std::pair<JobNo, Revision>>& wanted) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<std::shared_ptr<Deliverable>> found(wanted.size());
    Numbers jobs, revisions;
    for (const auto& [job, revision] : wanted) {
      jobs.add(job);
      revisions.add(revision);
    }
    Uuids secrets;
    for (const Row row :
         db.run("deliverables_read", std::move(Params().add(jobs).add(revisions)))) {
      auto deliverable = std::make_shared<Deliverable>();
      deliverable->job = {row.uuid(1)};
      deliverable->account = {row.integer(2)};
      deliverable->definition = definition_of(row.view(3));
      for (const auto& secret : core::secrets_of(deliverable->definition.target)) {
        secrets.add(secret.secret);
      }
      found.at(static_cast<std::size_t>(row.integer(0) - 1)) = std::move(deliverable);
    }
    std::unordered_map<SecretId, std::string> sealed;
    if (secrets.size() > 0) {
      for (const Row row : db.run("secrets_read", std::move(Params().add(secrets)))) {
        sealed.emplace(SecretId{row.uuid(0)}, row.text(1));
      }
    }
    std::vector<std::shared_ptr<const Deliverable>> complete;
    complete.reserve(found.size());
    for (auto& deliverable : found) {
      complete.push_back(with_secrets(std::move(deliverable), sealed));
    }
    return complete;
  });
}

Behind PostgresSpine::behind() {
  return engine_.readers.read([](Connection& db) { return behind_of(db.run("behind_read")); });
}

std::vector<Spine::UncountedSpan> PostgresSpine::uncounted_spans(std::size_t limit) {
  return engine_.readers.read([&](Connection& db) {
    std::vector<UncountedSpan> spans;
    for (const Row row :
         db.run("spans_uncounted", std::move(Params().add(static_cast<std::int64_t>(limit))))) {
      UncountedSpan span{.no = row.integer(0), .from = row.instant(1), .to = row.instant(2)};
      span.job.id = {row.uuid(3)};
      span.job.schedule = row.text(4);
      span.job.zone = row.text(5);
      span.job.dst = row.as<cron::Dst>(6);
      span.job.anchor = row.instant(7);
      span.job.name = row.text(8);
      spans.push_back(std::move(span));
    }
    return spans;
  });
}

void PostgresSpine::set_span_counts(
    const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) {
  Numbers spans, values;
  for (const auto& [span, count] : counts) {
    spans.add(span);
    values.add(count);
  }
  engine_.edits.write([&](Transaction& transaction) {
    transaction.db().run("span_counts_set", std::move(Params().add(spans).add(values)));
  });
}

}  // namespace cronally::store::postgres
