// What the stores' writers cost: 10,000 jobs created, 10,000 claims, 10,000 outcomes with
// their attempts, 10,000 definitions read for delivery, and a start with 10,000 jobs; beside the
// claims, what PostgreSQL alone takes for the same rows. On the disk of TMPDIR, with its fsyncs;
// PostgreSQL in a server of its own there, on the same cores, with synchronous_commit = on.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/uuid.h"
#include "runtime/clock.h"
#include "store/postgres/copy_in.h"
#include "store/postgres/engine.h"
#include "store/postgres/open.h"
#include "store/sqlite/open.h"
#include "tests/conformance/postgres_cluster.h"

namespace cronally {
namespace {

constexpr int jobs_max = 10'000;
constexpr int jobs_per_create = 1'000;

const std::shared_ptr<runtime::SystemClock> the_clock = std::make_shared<runtime::SystemClock>();

// A fresh database for as long as this lives.
class Sqlite {
 public:
  Sqlite() {
    std::string made = std::filesystem::temp_directory_path() / "cronally-bench-XXXXXX";
    CHECK(::mkdtemp(made.data()), "the temporary directory takes no new folder");
    directory_ = made;
  }
  ~Sqlite() { std::filesystem::remove_all(directory_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  static bool is_here() { return true; }
  Result<std::unique_ptr<store::Database>> open() const {
    return store::open_sqlite({.file = directory_ / "cronally.db", .clock = the_clock});
  }

 private:
  std::filesystem::path directory_;
};

class Postgres {
 public:
  Postgres() : name_(cluster()->create_database()) {}
  ~Postgres() { cluster()->drop_database(name_); }
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  static bool is_here() { return cluster() != nullptr; }
  Result<std::unique_ptr<store::Database>> open() const {
    return store::open_postgres({.address = cluster()->address(name_), .clock = the_clock});
  }
  store::postgres::Connection connect() const {
    return store::postgres::Connection(
        store::postgres::connection_options(cluster()->address(name_), "bench"));
  }

 private:
  static conformance::PostgresCluster* cluster() {
    static const auto cluster = conformance::PostgresCluster::make(
        {"-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB"});
    return cluster.get();
  }

  const std::string name_;
};

template <class Place>
class Store {
 public:
  Store() {
    auto opened = place_.open();
    CHECK(opened, "a new database opens");
    database_ = std::move(*opened);
    store::Account account{.id = AccountId{uuid_v4(1, 1)}, .name = "default"};
    store::Token token{.id = TokenId{uuid_v4(1, 2)}, .name = "admin", .admin = true};
    database_->accounts().bootstrap(account, token, "digest");
    account_ = database_->accounts().authenticate("digest")->account;
    create_jobs();
    fence_ = spine().acquire(NodeId{uuid_v4(1, 3)}).fence;
  }

  store::Spine& spine() { return database_->spine(); }
  const Place& place() const { return place_; }

  // Every job's newest revision, in portions.
  std::vector<std::vector<std::pair<JobNo, Revision>>> keys(std::size_t portion) const {
    std::vector<std::vector<std::pair<JobNo, Revision>>> portions;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (i % portion == 0) portions.emplace_back();
      portions.back().emplace_back(jobs_[i].no, 1);
    }
    return portions;
  }

  // One claim of every job, at an instant of its own herd.
  std::vector<core::Item> claims() {
    due_ = the_clock->wall();
    std::vector<core::Item> items;
    for (const auto& job : jobs_) {
      items.push_back(core::Claim{.job = job.no,
                                  .shard = job.shard,
                                  .revision = 1,
                                  .id = fresh_run_id(),
                                  .scheduled_at = due_,
                                  .due = due_});
    }
    return items;
  }

  std::vector<core::Item> outcomes(const core::BatchCommitted& claimed) {
    std::vector<core::Item> items;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      core::AttemptResult result{.fate = core::Fate::answered, .status = 200, .response = "ok"};
      result.first_byte_at = due_;
      result.ended_at = due_;
      items.push_back(
          core::Outcome{.run = claimed.outcomes[i].run,
                        .shard = jobs_[i].shard,
                        .fence = fence_,
                        .attempt = 1,
                        .revision = 1,
                        .result = result,
                        .next = core::Outcome::End{core::Verdict::succeeded, core::Reason::none}});
    }
    return items;
  }

  core::BatchCommitted commit(std::vector<core::Item> items) {
    std::promise<core::BatchFate> told;
    spine().submit({fence_, std::move(items)},
                   [&](core::BatchFate fate) { told.set_value(std::move(fate)); });
    return std::get<core::BatchCommitted>(told.get_future().get());
  }

 private:
  RunId fresh_run_id() {
    ++ids_;
    return RunId{uuid_v7(due_, ids_, spread())};
  }
  std::uint64_t spread() const { return ids_ * 0x9e3779b97f4a7c15U; }

  void create_jobs() {
    for (int first = 0; first < jobs_max; first += jobs_per_create) {
      std::vector<store::JobDraft> drafts;
      for (int i = first; i < first + jobs_per_create; ++i) {
        ++ids_;
        store::JobDraft draft{.id = JobId{uuid_v4(ids_, spread())}};
        draft.definition.name = "job-" + std::to_string(i);
        draft.definition.schedule = "@every 1s";
        draft.definition.target = core::HttpTarget{.url = "http://127.0.0.1:9/hook"};
        drafts.push_back(std::move(draft));
      }
      auto made = database_->jobs().create_jobs(account_, std::move(drafts), store::Existing::fail,
                                                std::nullopt);
      CHECK(made, "the names are new");
      auto& list = std::get<std::vector<core::Job>>(*made);
      jobs_.insert(jobs_.end(), list.begin(), list.end());
    }
  }

  Place place_;
  std::unique_ptr<store::Database> database_;  // ends before its place
  AccountNo account_;
  Fence fence_;
  std::vector<core::Job> jobs_;
  Instant due_{};
  std::uint64_t ids_ = 0;
};

// A new database and its first 10,000 jobs, as bulk creates of the API's size.
template <class Place>
void jobs_created(benchmark::State& state) {
  if (!Place::is_here()) {
    state.SkipWithError("PostgreSQL is not installed");
    return;
  }
  for (auto _ : state) {
    auto store = std::make_unique<Store<Place>>();
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * jobs_max);
}

template <class Place>
void claims_committed(benchmark::State& state) {
  if (!Place::is_here()) {
    state.SkipWithError("PostgreSQL is not installed");
    return;
  }
  Store<Place> store;
  for (auto _ : state) {
    state.PauseTiming();
    auto items = store.claims();
    state.ResumeTiming();
    benchmark::DoNotOptimize(store.commit(std::move(items)));
  }
  state.SetItemsProcessed(state.iterations() * jobs_max);
}

// The rows of claims as PostgreSQL takes them fastest: COPY into both tables and a commit. Nothing
// is asked: whether the job is still there, whose the shard is, whether somebody has the
// occurrence.
void copy_claims(store::postgres::Connection& db, const std::vector<core::Item>& items,
                 std::int64_t first_run) {
  db.run("begin");
  for (const bool open : {false, true}) {
    store::postgres::CopyIn copy(db, open ? "move_in_open_runs" : "move_in_runs");
    std::int64_t number = first_run;
    for (const auto& item : items) {
      const auto& claim = std::get<core::Claim>(item);
      const auto due = us_of(claim.due);
      const auto& id = claim.id.value.bytes;
      copy.row(open ? 15 : 14).integer(number++, 8).integer(due, 8);
      copy.bytes({reinterpret_cast<const char*>(id.data()), id.size()});
      copy.integer(claim.job.value, 8).integer(claim.shard.value, 2).integer(1, 4).integer(0, 2);
      if (open) {
        copy.integer(due, 8).integer(1, 2).integer(1, 8).integer(1, 4).integer(due, 8);
        copy.integer(0, 4).integer(0, 4).null();
      } else {
        copy.bytes("").integer(due, 8).null().integer(0, 2).integer(1, 8).integer(1, 4).null();
      }
    }
    copy.finish();
  }
  db.run("commit");
}

void claims_copied(benchmark::State& state) {
  if (!Postgres::is_here()) {
    state.SkipWithError("PostgreSQL is not installed");
    return;
  }
  Store<Postgres> store;
  const auto first = store.commit(store.claims());  // makes the day's partitions
  auto db = store.place().connect();
  std::int64_t run = first.outcomes[0].run.value + (std::int64_t{1} << 32);
  for (auto _ : state) {
    state.PauseTiming();
    const auto items = store.claims();
    state.ResumeTiming();
    copy_claims(db, items, run);
    run += jobs_max;
  }
  state.SetItemsProcessed(state.iterations() * jobs_max);
}

template <class Place>
void outcomes_committed(benchmark::State& state) {
  if (!Place::is_here()) {
    state.SkipWithError("PostgreSQL is not installed");
    return;
  }
  Store<Place> store;
  for (auto _ : state) {
    state.PauseTiming();
    auto items = store.outcomes(store.commit(store.claims()));
    state.ResumeTiming();
    benchmark::DoNotOptimize(store.commit(std::move(items)));
  }
  state.SetItemsProcessed(state.iterations() * jobs_max);
}

// As a herd reads them, a thousand at a time.
template <class Place>
void deliverables_read(benchmark::State& state) {
  if (!Place::is_here()) {
    state.SkipWithError("PostgreSQL is not installed");
    return;
  }
  Store<Place> store;
  for (auto _ : state) {
    for (const auto& wanted : store.keys(1'000)) {
      benchmark::DoNotOptimize(store.spine().read_deliverables(wanted));
    }
  }
  state.SetItemsProcessed(state.iterations() * jobs_max);
}

template <class Place>
void started(benchmark::State& state) {
  if (!Place::is_here()) {
    state.SkipWithError("PostgreSQL is not installed");
    return;
  }
  Store<Place> store;
  for (auto _ : state) {
    benchmark::DoNotOptimize(store.spine().acquire(NodeId{uuid_v4(1, 4)}));
  }
}

BENCHMARK(jobs_created<Sqlite>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK(jobs_created<Postgres>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK(claims_committed<Sqlite>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(claims_committed<Postgres>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(claims_copied)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(outcomes_committed<Sqlite>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(outcomes_committed<Postgres>)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(20);
BENCHMARK(deliverables_read<Sqlite>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(deliverables_read<Postgres>)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(20);
BENCHMARK(started<Sqlite>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);
BENCHMARK(started<Postgres>)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(20);

}  // namespace
}  // namespace cronally

BENCHMARK_MAIN();
