// The PostgreSQL store when it has forgotten: how it notices, what follows, and how what nodes
// remember is put back (docs/design/journal.md).
#include <future>
#include <thread>

#include "core/journal.h"
#include "runtime/deadline.h"
#include "tests/conformance/postgres_world.h"
#include "tests/conformance/spine_memory.h"

namespace cronally::conformance {
namespace {

StoreFactory server() {
  return {"Server", []() -> std::unique_ptr<World> {
            if (!PostgresCluster::get()) return nullptr;
            return std::make_unique<PostgresWorld>();
          }};
}

// ---- how it notices, and what follows -----------------------------------------------------------

class Forgetting : public StoreTest {
 protected:
  store::postgres::Connection& sql() { return static_cast<PostgresWorld&>(*world).test(); }

  std::vector<core::Lease> held() const {
    std::vector<core::Lease> all;
    for (const auto& shard : grant.shards) all.push_back({shard.no, fence});
    return all;
  }
  core::HeartbeatAnswer beat(core::Heartbeat said = {}) {
    said.node = node;
    return spine().heartbeat(said);
  }
  core::HeartbeatAnswer keep() { return beat({.holds = held()}); }
  void promote() { sql().execute("UPDATE cronally.fence_source SET timeline = timeline - 1"); }
  Instant now() const { return world->clock().wall(); }
};

TEST_P(Forgetting, IsNotFoundWhereNothingHappened) {
  const auto answer = keep();
  EXPECT_THAT(answer.kept, SizeIs(shard_count));
  EXPECT_EQ(answer.generation, core::generation_of(fence));
  EXPECT_LE(answer.quiet_until, answer.at);
}

TEST_P(Forgetting, RevokesEveryLeaseAndGrantsNothingUntilTheQuietIsOver) {
  auto job = create("report");
  const auto before = core::generation_of(fence);
  promote();
  const auto answer = keep();
  EXPECT_EQ(answer.generation, before + 1);
  EXPECT_EQ(answer.quiet_until, now() + core::quiet_min);
  EXPECT_THAT(answer.kept, IsEmpty());
  EXPECT_THAT(answer.granted, IsEmpty());
  EXPECT_GT(answer.lacking, 0) << "so that it looks again soon";
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::fenced) << "under a lease of before";
  const NodeId other{uuid_v4(3, 4)};
  world->clock().advance(core::quiet_min - 1us);
  EXPECT_THAT(spine().heartbeat({.node = other}).granted, IsEmpty()) << "nobody else either";
  world->clock().advance(1us);
  const auto after = beat({.generation = answer.generation});
  EXPECT_THAT(after.granted, SizeIs(shard_count / 2)) << "its share";
  EXPECT_EQ(core::generation_of(after.fence), before + 1);
  EXPECT_EQ(after.generation, before + 1) << "once is enough";
}

TEST_P(Forgetting, IsFoundByACursorThatANodeKnows) {
  auto job = create("report");
  commit({core::Advance{job.shard, at(1s), 0}});
  const auto generation = core::generation_of(fence);
  const auto knows = [&](Instant cursor) {
    return beat({.holds = held(), .generation = generation, .cursors = {{job.shard, cursor}}});
  };
  EXPECT_THAT(knows(at(1s)).kept, SizeIs(shard_count));
  const auto answer = knows(at(1s) + 1us);
  EXPECT_EQ(answer.generation, generation + 256);
  EXPECT_THAT(answer.kept, IsEmpty());
}

TEST_P(Forgetting, IsToldOnceByNodesThatKnowWhatIsForgotten) {
  auto job = create("report");
  const auto generation = core::generation_of(fence);
  promote();
  const auto knows = [&] {
    return beat({.holds = held(), .generation = generation, .cursors = {{job.shard, at(1h)}}});
  };
  EXPECT_EQ(knows().generation, generation + 1);
  world->clock().advance(1s);
  const auto again = knows();  // another one's, which was under way
  EXPECT_EQ(again.generation, generation + 1);
  EXPECT_EQ(again.quiet_until, now() + core::quiet_min) << "it has yet to put back";
}

// Its own run, of its own fence: the owner would send it under the number that it sent already.
TEST_P(Forgetting, TellsNobodyOfOpenRunsWhileItIsQuiet) {
  auto job = create("report");
  claimed(job, at(-1s));
  promote();
  EXPECT_THROW(open_runs(), Unavailable);
  (void)beat();  // any node's
  EXPECT_THROW(open_runs(), Unavailable) << "its owner may not have heard yet";
  world->clock().advance(core::quiet_min);
  EXPECT_THAT(open_runs(), SizeIs(1));
}

TEST_P(Forgetting, IsFoundByAGenerationThatANodeKnows) {
  const auto generation = core::generation_of(fence);
  EXPECT_EQ(beat({.holds = held(), .generation = generation + 4}).generation, generation + 4 + 256);
}

TEST_P(Forgetting, GrantsNothingToWhoHasYetToLookAtItsJournal) {
  const auto generation = core::generation_of(fence);
  promote();
  (void)keep();
  world->clock().advance(core::quiet_min);
  EXPECT_THAT(beat({.generation = generation}).granted, IsEmpty()) << "it slept through it";
  EXPECT_THAT(beat({.generation = generation + 1, .putting_back = true}).granted, IsEmpty());
  EXPECT_THAT(beat({.generation = generation + 1}).granted, SizeIs(shard_count));
}

TEST_P(Forgetting, StaysQuietWhileANodePutsBackButNotForEver) {
  promote();
  const auto generation = keep().generation;
  const Instant began = now();
  Instant until{};
  for (int i = 0; i < 30; ++i) {
    world->clock().advance(2s);
    until = beat({.generation = generation, .putting_back = true}).quiet_until;
    if (until <= now()) break;
  }
  EXPECT_EQ(until, began + core::quiet_max);
}

TEST_P(Forgetting, IsQuietNoLongerThanUntilAllAreBackWhoWereThere) {
  const NodeId other{uuid_v4(3, 4)};
  promote();
  const auto generation = keep().generation;
  const std::vector<NodeId> peers{node, other};
  world->clock().advance(100ms);
  const auto back = beat({.generation = generation, .peers = peers});
  EXPECT_EQ(back.quiet_until, back.at + 4900ms) << "the other was there";
  EXPECT_THAT(back.living, ElementsAre(node)) << "it has yet to be heard of";
  world->clock().advance(100ms);
  const auto came =
      spine().heartbeat({.node = other, .generation = generation, .putting_back = true});
  EXPECT_EQ(came.quiet_until, came.at + 5s);
  EXPECT_THAT(came.living, testing::UnorderedElementsAre(node, other));
  const auto done = spine().heartbeat({.node = other, .generation = generation});
  EXPECT_EQ(done.quiet_until, done.at + 800ms) << "a second since it began";
  EXPECT_THAT(done.granted, IsEmpty());
  world->clock().advance(800ms);
  EXPECT_THAT(beat({.generation = generation, .peers = peers}).granted, SizeIs(shard_count / 2));
  EXPECT_THAT(open_runs(), IsEmpty()) << "it is over for everybody";
}

TEST_P(Forgetting, AcknowledgesNoEditWhileAnOwnerMayNotHaveHeardOfIt) {
  auto job = create("report");
  promote();
  (void)keep();
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change, 0ms));
  world->clock().advance(core::quiet_min);
  EXPECT_TRUE(jobs().await_seen(job.shard, job.change, 0ms)) << "who comes next begins with it";
}

// What an owner trusts is longer than what an older database shows of its lease.
TEST_P(Forgetting, AcknowledgesNoEditBeforeAHeartbeatHasNoticed) {
  auto job = create("report");
  world->clock().advance(10s);
  EXPECT_TRUE(jobs().await_seen(job.shard, job.change, 0ms)) << "the lease is over";
  promote();
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change, 0ms));
}

// A database that forgot changes gives their numbers once more.
TEST_P(Forgetting, AChangeWhoseNumberWasSeenBeforeIsNewsAndHasToBeSeen) {
  auto job = create("report");
  const auto before = job.change;
  job = describe(job, "which is forgotten");
  commit({core::Advance{job.shard, at(0s), job.change}});
  promote();
  sql().execute("UPDATE cronally.shard_change SET change = change - 1 WHERE change > 0");
  sql().execute("UPDATE cronally.shard SET seen = seen - 1 WHERE seen > 0");
  const auto generation = keep().generation;
  world->clock().advance(core::quiet_min);
  ASSERT_THAT(beat({.generation = generation}).granted, SizeIs(shard_count));
  EXPECT_THAT(spine().wait_for_changes({{job.shard, before}}, 0ms).seen, IsEmpty())
      << "there is nothing that it could have seen";
  const auto again = describe(job, "with the number of the forgotten one");
  ASSERT_EQ(again.change, job.change);
  EXPECT_FALSE(jobs().await_seen(again.shard, again.change, 0ms)) << "its owner lives";
  EXPECT_THAT(spine().wait_for_changes({{job.shard, before}}, 5s).jobs, SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Postgres, Forgetting, ::testing::Values(server()), store_name);

// ---- putting back -------------------------------------------------------------------------------

INSTANTIATE_TEST_SUITE_P(Postgres, SpinePuttingBack, ::testing::Values(server()), store_name);

class PuttingBack : public SpinePuttingBack {};

TEST_P(PuttingBack, WhatMayHaveBeenPrunedIsNotPutBack) {
  auto job = create("report");
  EXPECT_EQ(put_back(lost(job, at(-25h))), PutBack::too_old);
  EXPECT_EQ(put_back(lost(job, at(-2h))), PutBack::inserted) << "the ledger is empty";
  EXPECT_EQ(put_back(lost(job, at(-3h))), PutBack::too_old) << "below its oldest run";
  EXPECT_EQ(put_back(lost(job, at(-1h))), PutBack::inserted);
}

TEST_P(PuttingBack, TakesThousandsAtOnceAndAnswersEach) {
  auto job = create("report");
  std::vector<core::RememberedRun> many;
  for (int i = 0; i < 2'500; ++i) many.push_back(lost(job, at(-1s * (i % 1'000) - 1us * i)));
  many[1'700].job = fresh_job_id();
  const auto what = spine().reassert(many);
  ASSERT_THAT(what, SizeIs(many.size()));
  for (std::size_t i = 0; i < what.size(); ++i) {
    EXPECT_EQ(what[i], i == 1'700 ? PutBack::job_lost : PutBack::inserted) << i;
  }
  EXPECT_EQ(world->database()->retention().runs_kept(), 2'499);
}

INSTANTIATE_TEST_SUITE_P(Postgres, PuttingBack, ::testing::Values(server()), store_name);

// ---- a server that really forgets ---------------------------------------------------------------

class OwnServer : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_ = PostgresCluster::make({"-c", "fsync=off", "-c", "autovacuum=off"});
    if (!cluster_) GTEST_SKIP() << "this machine has no such database server";
    name_ = cluster_->create_database();
    open();
    store::Account account{.id = AccountId{uuid_v4(21, 1)}, .name = "default"};
    database_->accounts().bootstrap(
        account, {.id = TokenId{uuid_v4(21, 2)}, .name = "admin", .admin = true}, "digest");
    job_ = create("report");
    fence_ = await_shards().fence;
    generation_ = core::generation_of(fence_);
  }

  void open() {
    database_.reset();
    auto opened = store::open_postgres({.address = cluster_->address(name_), .clock = clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }
  core::Job create(const std::string& name, JobId id = JobId{uuid_v4(5, 6)}) {
    core::JobDefinition made;
    made.name = name;
    made.schedule = "@every 1s";
    made.target = core::HttpTarget{.url = "https://example.com/hook"};
    const auto account = database_->accounts().all().at(0).no;
    auto created = database_->jobs().create_jobs(account, {{id, made, {}}}, store::Existing::fail,
                                                 std::nullopt);
    return std::get<std::vector<core::Job>>(*created).at(0);
  }
  // Until all shards are granted.
  core::HeartbeatAnswer await_shards() {
    for (int tries = 0; tries < 600; ++tries) {
      try {
        auto answer = database_->spine().heartbeat({.node = node_, .generation = generation_});
        generation_ = answer.generation;
        if (answer.granted.size() == shard_count) return answer;
      } catch (const Unavailable&) {
        // Connections of before are dead.
      }
      std::this_thread::sleep_for(50ms);
    }
    ADD_FAILURE() << "no shards";
    return {};
  }
  core::ItemOutcome claim(RunId id, Instant due) {
    std::promise<core::BatchFate> told;
    auto fate = told.get_future();
    const core::Claim made{job_.no, job_.shard, job_.revision, id, due, due};
    database_->spine().submit({fence_, {made, core::Advance{job_.shard, due, 0}}},
                              [&](core::BatchFate it) { told.set_value(std::move(it)); });
    const auto committed = fate.get();
    if (!std::holds_alternative<core::BatchCommitted>(committed)) return {ItemStatus::gone, {}};
    return std::get<core::BatchCommitted>(committed).outcomes.at(0);
  }

  std::shared_ptr<const runtime::Clock> clock_ = std::make_shared<runtime::SystemClock>();
  std::unique_ptr<PostgresCluster> cluster_;
  std::string name_;
  std::unique_ptr<store::Database> database_;
  core::Job job_;
  const NodeId node_{uuid_v4(1, 2)};
  std::int64_t generation_ = 0;
  Fence fence_;
};

class PutBackInTime : public OwnServer, public ::testing::WithParamInterface<bool> {};

// The occurrence is claimed, sent, forgotten: it would be claimed anew under another id, were it
// not put back.
TEST_P(PutBackInTime, ForgetsAClaimAndHasItAgain) {
  const bool promoted = GetParam();
  cluster_->save();
  fence_ = await_shards().fence;
  const Instant due = clock_->wall() + 1s;
  const RunId sent{uuid_v7(due, 1, 1)};
  ASSERT_EQ(claim(sent, due).status, ItemStatus::done);
  const auto before = generation_;
  cluster_->put_back(promoted);
  open();
  const auto open_runs = [&] {
    return database_->spine().read_open_runs(all_shards(), Instant::max(), 10);
  };
  // On a new timeline nothing is read before a heartbeat has looked for what is forgotten.
  if (promoted) EXPECT_THROW(open_runs(), Unavailable);
  // And nothing is written: a batch would move the cursors by which it is noticed.
  EXPECT_EQ(claim(RunId{uuid_v7(due, 3, 3)}, due).status, ItemStatus::gone);

  const auto beat = [&] {
    return database_->spine().heartbeat(
        {.node = node_, .generation = before, .cursors = {{job_.shard, due}}});
  };
  const auto found = beat();
  EXPECT_EQ(found.generation, before + (promoted ? 1 : 256));
  EXPECT_THAT(found.granted, IsEmpty());
  EXPECT_THROW(open_runs(), Unavailable) << "nor while it is quiet";
  const core::RememberedRun known{.node = node_,
                                  .job = job_.id,
                                  .run = {.id = sent,
                                          .shard = job_.shard,
                                          .revision = 1,
                                          .scheduled_at = due,
                                          .due = due,
                                          .fence = fence_,
                                          .send_at = due}};
  EXPECT_THAT(database_->spine().reassert({known}), ElementsAre(PutBack::inserted));
  generation_ = found.generation;
  const auto granted = await_shards();
  EXPECT_GE(granted.at, found.quiet_until);
  fence_ = granted.fence;
  EXPECT_GT(fence_, known.run.fence);
  EXPECT_EQ(claim(RunId{uuid_v7(due, 2, 2)}, due).status, ItemStatus::present);
}

TEST_P(PutBackInTime, DoublesWithoutTheJournal) {
  cluster_->save();
  fence_ = await_shards().fence;
  const Instant due = clock_->wall() + 1s;
  ASSERT_EQ(claim(RunId{uuid_v7(due, 1, 1)}, due).status, ItemStatus::done);
  cluster_->put_back(GetParam());
  open();
  fence_ = await_shards().fence;
  EXPECT_EQ(claim(RunId{uuid_v7(due, 2, 2)}, due).status, ItemStatus::done);
}

// ---- a server that began anew, and forgot nothing -----------------------------------------------

class BegunAnew : public OwnServer {
 protected:
  // Stops and starts it, and returns when this process knows.
  void begin_anew() {
    cluster_->save();
    for (int tries = 0; tries < 600; ++tries) {
      try {
        (void)database_->jobs().find_job(account(), job_.id);
        return;
      } catch (const Unavailable&) {
        std::this_thread::sleep_for(50ms);
      }
    }
    ADD_FAILURE() << "the server does not come back";
  }
  AccountNo account() { return database_->accounts().all().at(0).no; }
  bool has(const std::string& name) {
    return database_->jobs().find_job(account(), name).has_value();
  }
};

// Nobody used the connection while the server was away, so nobody knows that it is dead.
TEST_F(BegunAnew, ABatchIsWrittenBehindTheNextHeartbeat) {
  const Instant due = clock_->wall() + 1s;
  ASSERT_EQ(claim(RunId{uuid_v7(due, 1, 1)}, due).status, ItemStatus::done);
  begin_anew();
  fence_ = await_shards().fence;
  const Instant next = clock_->wall() + 1s;
  EXPECT_EQ(claim(RunId{uuid_v7(next, 2, 2)}, next).status, ItemStatus::done);
}

TEST_F(BegunAnew, AnEditWaitsForAHeartbeatAndNoLongerThanItsDeadline) {
  begin_anew();
  const auto edit = [&](const std::string& name, std::uint64_t number, Duration length) {
    const runtime::DeadlineScope scope(runtime::Deadline::after(clock_->steady(), length));
    (void)create(name, JobId{uuid_v4(number, 6)});
  };
  const auto began = clock_->steady();
  EXPECT_THROW(edit("hasty", 1, 600ms), Unavailable);
  EXPECT_GE(clock_->steady() - began, 500ms) << "it was waited for a heartbeat";
  EXPECT_LT(clock_->steady() - began, 1s);
  auto patient = std::async(std::launch::async, [&] { edit("patient", 2, 4500ms); });
  EXPECT_EQ(patient.wait_for(300ms), std::future_status::timeout);
  (void)await_shards();
  EXPECT_NO_THROW(patient.get());
  EXPECT_TRUE(has("patient"));
  EXPECT_FALSE(has("hasty"));
}

INSTANTIATE_TEST_SUITE_P(Postgres, PutBackInTime, ::testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Promoted" : "SameTimeline"; });

}  // namespace
}  // namespace cronally::conformance
