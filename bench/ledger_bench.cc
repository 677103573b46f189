// A large ledger on the disk of TMPDIR: how long lists take, a start, and what pruning costs those
// who commit beside it.
//
//   ledger_bench [RUNS] [JOBS]     10,000,000 and 1,000,000 without them; some minutes, some 6 GB
//
// The rows are written by SQL: made through the store they would take longer than the rest.
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/uuid.h"
#include "runtime/clock.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/open.h"

namespace cronally {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr AccountNo account{1};

// Job 7 has a tenth of all runs. One run in 1,000 failed, one in 100,003 is unknown, the last
// 1,000 are open; the newest are due now, the oldest 10 days ago.
constexpr const char* jobs_sql = R"(
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $JOBS)
INSERT INTO job SELECT i, randomblob(16), 1, i % 64, printf('team-%02d/job-%07d', i % 100, i), 1,
  1, i / 64 + 1, 0, 0, 0, 0, 0, '@every 1h', 'UTC', 0, i * 1000, 0, 5, 1000000, 300000000, NULL, 0,
  3600000000, 1000, 'http://127.0.0.1:9' FROM n;
INSERT INTO job_revision SELECT job_no, 1, (SELECT definition FROM job_revision LIMIT 1), schedule,
  zone, dst, anchor, name, 0 FROM job WHERE job_no > 1;
INSERT INTO job_label SELECT 1, 'env', iif(job_no % 10, 'prod', 'dev'), job_no FROM job;
INSERT INTO job_label SELECT 1, 'rare', 'yes', job_no FROM job WHERE job_no % 1000 = 0;
INSERT INTO job_label SELECT 1, 'team', printf('%02d', job_no % 100), job_no FROM job;
UPDATE shard SET change = $JOBS;)";

constexpr const char* runs_sql = R"(
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $RUNS)
INSERT INTO run SELECT i, randomblob(16), iif(i % 10, i * 7919 % $JOBS + 1, 7), 0, 1, 0, '',
  $NOW - ($RUNS - i) * (864000000000 / $RUNS), $NOW - ($RUNS - i) * (864000000000 / $RUNS),
  iif(i > $RUNS - 1000, 1, 3),
  iif(i > $RUNS - 1000, NULL, iif(i % 100003 = 0, 2, i % 1000 = 0)), 0, 1, 1, $NOW, 0, 0, $NOW, $NOW
FROM n;
UPDATE run SET shard = job_no % 64 WHERE state < 3;
INSERT INTO attempt SELECT run_no, 1, 1, 1, 0, 200, due, due + 5000, '', x'6f6b' FROM run;
INSERT OR IGNORE INTO lease VALUES (1, zeroblob(16), 0);
UPDATE meta SET runs = $RUNS, run_last = $RUNS;)";

std::string with(std::string sql, const std::vector<std::pair<std::string, std::int64_t>>& values) {
  for (const auto& [name, value] : values) {
    for (auto at = sql.find(name); at != sql.npos; at = sql.find(name)) {
      sql.replace(at, name.size(), std::to_string(value));
    }
  }
  return sql;
}

class Bench {
 public:
  Bench(std::int64_t runs, std::int64_t jobs) : runs_(runs), jobs_(jobs) {
    std::string made = fs::temp_directory_path() / "cronally-bench-XXXXXX";
    CHECK(::mkdtemp(made.data()), "the temporary directory takes no new folder");
    directory_ = made;
  }
  ~Bench() {
    database_.reset();
    fs::remove_all(directory_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void run() {
    fill();
    start();
    lists();
    prune();
  }

 private:
  double seconds(const std::function<void()>& work) {
    const auto began = clock_->steady();
    work();
    return std::chrono::duration<double>(clock_->steady() - began).count();
  }

  void open() {
    auto opened = store::open_sqlite({.file = directory_ / "cronally.db", .clock = clock_});
    CHECK(opened, "the database opens");
    database_ = std::move(*opened);
  }

  void fill() {
    open();
    const store::Account made{.id = AccountId{uuid_v4(1, 1)}, .name = "default"};
    const store::Token token{.id = TokenId{uuid_v4(1, 2)}, .name = "admin", .admin = true};
    database_->accounts().bootstrap(made, token, "digest");
    store::JobDraft draft{.id = JobId{uuid_v4(2, 2)}};
    draft.definition.name = "first";
    draft.definition.schedule = "@every 1h";
    draft.definition.target = core::HttpTarget{.url = "http://127.0.0.1:9/hook"};
    CHECK(database_->jobs().create_jobs(account, {draft}, store::Existing::fail, {}), "it is new");
    database_.reset();
    store::sqlite::Connection db(directory_ / "cronally.db",
                                 store::sqlite::Connection::Mode::write);
    const std::vector<std::pair<std::string, std::int64_t>> values{
        {"$JOBS", jobs_}, {"$RUNS", runs_}, {"$NOW", us_of(clock_->wall())}};
    const double took = seconds([&] {
      db.execute(
          "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;"
          "BEGIN; DELETE FROM job");
      db.execute(with(jobs_sql, values));
      db.execute(with(runs_sql, values));
      db.execute("COMMIT");
    });
    std::printf("filled: %lld runs of %lld jobs in %.0f s, %.1f GB\n",
                static_cast<long long>(runs_), static_cast<long long>(jobs_), took,
                static_cast<double>(fs::file_size(directory_ / "cronally.db")) / 1e9);
  }

  void start() {
    open();
    std::atomic<std::size_t> handed = 0;
    const double took = seconds([&] {
      fence_ = database_->spine()
                   .acquire(NodeId{uuid_v4(1, 3)},
                            [&](std::vector<store::JobPlan>&& plans) { handed += plans.size(); })
                   .fence;
    });
    std::printf("start: %lld jobs handed out in %.0f ms\n", static_cast<long long>(handed.load()),
                took * 1000);
  }

  void list(const char* what, const store::RunFilter& filter) {
    std::vector<double> times;
    std::size_t found = 0;
    for (int i = 0; i < 5; ++i) {
      times.push_back(seconds([&] {
        try {
          found = database_->ledger().list_runs(account, filter)->items.size();
        } catch (const Unavailable&) {
          found = 0;
        }
      }));
    }
    report(what, found, times);
  }
  void list(const char* what, const store::JobFilter& filter) {
    std::vector<double> times;
    std::size_t found = 0;
    for (int i = 0; i < 5; ++i) {
      times.push_back(
          seconds([&] { found = database_->jobs().list_jobs(account, filter)->items.size(); }));
    }
    report(what, found, times);
  }
  static void report(const char* what, std::size_t found, std::vector<double> times) {
    const double first = times.front() * 1000;
    std::ranges::sort(times);
    std::printf("%-44s %4zu found  first %7.1f ms  median %7.1f ms\n", what, found, first,
                times[times.size() / 2] * 1000);
  }

  JobId id_of(std::int64_t number) {
    const auto page = database_->jobs().list_jobs(
        account, {.name_prefix = with("team-0$J/job-000000$J", {{"$J", number}})});
    return page->items.at(0).id;
  }

  void lists() {
    using Runs = store::RunFilter;
    using Jobs = store::JobFilter;
    const Instant now = clock_->wall();
    list("jobs", Jobs{});
    list("jobs, name_prefix of 10,000", Jobs{.name_prefix = "team-07/"});
    list("jobs, name_prefix of all", Jobs{.name_prefix = "team"});
    list("jobs, name_prefix of none", Jobs{.name_prefix = "zzz"});
    list("jobs, label of 900,000", Jobs{.labels = {{"env", "prod"}}});
    list("jobs, label of 1,000", Jobs{.labels = {{"rare", "yes"}}});
    list("jobs, two labels, none has both", Jobs{.labels = {{"env", "prod"}, {"rare", "yes"}}});
    list("jobs, label and prefix", Jobs{.name_prefix = "team-07/", .labels = {{"env", "prod"}}});
    list("runs", Runs{});
    list("runs, 1,000 of them", Runs{.limit = 1000});
    list("runs of a job with 1,000,000", Runs{.job = id_of(7)});
    list("runs of a job, failed", Runs{.job = id_of(7), .verdict = core::Verdict::failed});
    list("runs of a job, unknown", Runs{.job = id_of(7), .verdict = core::Verdict::unknown});
    list("runs of a job with few", Runs{.job = id_of(8)});
    list("runs, failed", Runs{.verdict = core::Verdict::failed});
    list("runs, unknown", Runs{.verdict = core::Verdict::unknown});
    list("runs, cancelled (none)", Runs{.verdict = core::Verdict::cancelled});
    list("runs, claimed", Runs{.state = core::RunState::claimed});
    list("runs, begun (none)", Runs{.state = core::RunState::begun});
    list("runs, ended", Runs{.state = core::RunState::ended});
    list("runs until 9 days ago", Runs{.until = now - 9 * 24h});
    list("runs since an hour", Runs{.since = now - 1h, .limit = 1000});
    list("runs, failed, until 9 days ago",
         Runs{.verdict = core::Verdict::failed, .until = now - 9 * 24h});
    list("runs, label of 900,000", Runs{.labels = {{"env", "prod"}}});
    list("runs, label of 1,000", Runs{.labels = {{"rare", "yes"}}});
    list("runs, label of 10,000", Runs{.labels = {{"team", "07"}}});
    list("runs, label of none", Runs{.labels = {{"team", "zz"}}});
    list("runs, name_prefix of 10,000", Runs{.name_prefix = "team-07/"});
    list("runs, name_prefix of 10", Runs{.name_prefix = "team-07/job-00000"});
    list("runs, label of 1,000, failed",
         Runs{.verdict = core::Verdict::failed, .labels = {{"rare", "yes"}}});
    deep_page();
  }

  void deep_page() {
    store::RunFilter filter{.until = clock_->wall() - 5 * 24h, .limit = 1000};
    for (int i = 0; i < 20; ++i) {
      filter.cursor = database_->ledger().list_runs(account, filter)->next_cursor;
    }
    list("runs, page 21 of 1,000 in the middle", filter);
  }

  // 100 claims in a commit, one after the other: what each waits.
  std::vector<double> commits(int count) {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      core::Batch batch{fence_, {}};
      const Instant due = clock_->wall();
      for (std::int64_t job = 1; job <= 100; ++job) {
        batch.items.push_back(core::Claim{.job = JobNo{job * 97},
                                          .shard = ShardNo{job * 97 % 64},
                                          .revision = 1,
                                          .id = RunId{uuid_v7(due, ++ids_, 1)},
                                          .scheduled_at = due,
                                          .due = due});
      }
      times.push_back(seconds([&] {
        std::promise<void> told;
        database_->spine().submit(std::move(batch), [&](core::BatchFate) { told.set_value(); });
        told.get_future().get();
      }));
      std::this_thread::sleep_for(5ms);
    }
    std::ranges::sort(times);
    return times;
  }
  static void print(const char* what, const std::vector<double>& sorted) {
    const auto at = [&](double share) {
      return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))] * 1e3;
    };
    std::printf("%-44s p50 %6.2f ms  p99 %6.2f ms  max %6.2f ms\n", what, at(0.5), at(0.99), at(1));
  }

  void prune() {
    print("commit of 100 claims, alone", commits(400));
    std::atomic<bool> done = false;
    store::Pruned total;
    double pruning = 0;
    int portions = 0;
    std::thread pruner([&] {
      const store::Keep keep{.runs_max = runs_ / 2};
      while (!done) {
        pruning += seconds([&] { total.runs += database_->retention().prune(keep).runs; });
        ++portions;
        std::this_thread::sleep_for(20ms);
      }
    });
    const auto beside = commits(400);
    done = true;
    pruner.join();
    print("commit of 100 claims, beside pruning", beside);
    std::printf("pruned %lld runs in %d portions: %.2f ms a portion, %.2f ms per 1,000 runs\n",
                static_cast<long long>(total.runs), portions, pruning * 1e3 / portions,
                pruning * 1e6 / static_cast<double>(total.runs));
  }

  const std::int64_t runs_;
  const std::int64_t jobs_;
  fs::path directory_;
  std::shared_ptr<runtime::SystemClock> clock_ = std::make_shared<runtime::SystemClock>();
  std::unique_ptr<store::Database> database_;
  Fence fence_;
  std::uint64_t ids_ = 0;
};

}  // namespace
}  // namespace cronally

int main(int count, char** words) {
  const auto number = [&](int at, std::int64_t otherwise) {
    return count > at ? std::stoll(words[at]) : otherwise;
  };
  cronally::Bench(number(1, 10'000'000), number(2, 1'000'000)).run();
}
