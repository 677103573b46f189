// The PostgreSQL store when connections are lost, transactions stand in the way, and the server is
// not what it was.
#include "tests/conformance/postgres_proxy.h"
#include "tests/conformance/postgres_world.h"
#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {
namespace {

using store::postgres::PgError;
using Cut = PostgresProxy::Cut;

// The store reaches its server through a proxy that loses connections.
class ProxiedWorld : public PostgresWorld {
 public:
  ProxiedWorld() { reopen(); }
  ~ProxiedWorld() override { database_.reset(); }

  PostgresProxy proxy{PostgresCluster::get()->port()};
  runtime::Health health;

 protected:
  void open() override {
    auto opened = store::open_postgres(
        {.address = proxy.address_of(name()), .clock = clock_, .health = &health});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }
};

class PostgresFaults : public StoreTest {
 protected:
  ProxiedWorld& faulty() { return static_cast<ProxiedWorld&>(*world); }
  store::postgres::Connection& sql() { return faulty().test(); }

  std::int64_t count(const std::string& query) {
    return sql().execute("SELECT count(*) FROM cronally." + query)[0].integer(0);
  }
  // Ends every session of this database that calls itself so. Not by sql(): a transaction sees the
  // sessions as they were when it first looked.
  std::int64_t end_sessions(const std::string& name) {
    return PostgresCluster::get()
        ->connect("postgres")
        .execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '" +
                 faulty().name() + "' AND application_name = '" + name + "'")[0]
        .integer(0);
  }
  // Waits until a session of that name waits for a lock.
  void await_blocked(const std::string& name) {
    auto watch = PostgresCluster::get()->connect("postgres");
    for (int tries = 0; tries < 500; ++tries) {
      const auto blocked = watch.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = '" +
                                         faulty().name() + "' AND application_name = '" + name +
                                         "' AND wait_event_type = 'Lock'");
      if (blocked[0].integer(0) > 0) return;
      std::this_thread::sleep_for(10ms);
    }
    ADD_FAILURE() << name << " waits for no lock";
  }
};

StoreFactory proxied() {
  return {"Proxied", []() -> std::unique_ptr<World> {
            if (!PostgresCluster::get()) return nullptr;
            return std::make_unique<ProxiedWorld>();
          }};
}

// ---- batches whose commit is lost ---------------------------------------------------------------

TEST_P(PostgresFaults, ABatchCutOffBeforeItsCommitIsUnknownAndTheRepeatWritesIt) {
  auto job = create("report");
  const std::vector<core::Item> items{claim(job, at(1s)), core::Advance{job.shard, at(1s), 7}};
  faulty().proxy.cut_next(Cut::before_commit);
  EXPECT_TRUE(std::holds_alternative<core::BatchUnknown>(fate_of(items)));
  EXPECT_TRUE(faulty().proxy.cut_done());
  EXPECT_EQ(count("run"), 0);
  for (const auto& outcome : commit(items)) EXPECT_EQ(outcome.status, ItemStatus::done);
  EXPECT_EQ(count("run"), 1);
}

TEST_P(PostgresFaults, ABatchWhoseAnswerIsLostIsUnknownAndTheRepeatFindsIt) {
  auto job = create("report");
  const std::vector<core::Item> items{claim(job, at(1s)), core::Advance{job.shard, at(1s), 7}};
  faulty().proxy.cut_next(Cut::after_commit);
  EXPECT_TRUE(std::holds_alternative<core::BatchUnknown>(fate_of(items)));
  EXPECT_EQ(count("run"), 1) << "it did commit";
  const auto again = commit(items);
  EXPECT_EQ(again[0].status, ItemStatus::done);
  EXPECT_TRUE(is_open(again[0].run)) << "the run of the first commit";
  EXPECT_EQ(count("run"), 1);
}

TEST_P(PostgresFaults, AnOutcomeWhoseAnswerIsLostIsFoundByItsRepeat) {
  auto run = claimed(create("report"), at(-1s));
  const auto item = success(run);
  faulty().proxy.cut_next(Cut::after_commit);
  EXPECT_TRUE(std::holds_alternative<core::BatchUnknown>(fate_of({item})));
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  EXPECT_THAT(ledger_run(run.id).attempts, SizeIs(1));
}

TEST_P(PostgresFaults, AnUnknownBatchOfAnOwnerThatLostItsShardsIsFencedInTheEnd) {
  auto job = create("report");
  const std::vector<core::Item> items{claim(job, at(1s))};
  faulty().proxy.cut_next(Cut::before_commit);
  EXPECT_TRUE(std::holds_alternative<core::BatchUnknown>(fate_of(items)));
  const auto past = fence;
  // The server may not have noticed yet that the first one's session is gone, whose locks keep its
  // shards from being taken.
  do acquire();
  while (grant.shards.size() < shard_count);
  fence = past;
  EXPECT_EQ(commit_one(items[0]), ItemStatus::fenced);
  EXPECT_EQ(count("run"), 0);
}

#ifdef CRONALLY_TEST_HOOKS
TEST_P(PostgresFaults, ABatchUnderAnOldFenceIsWrittenWhereTheProofsControlAsksForIt) {
  auto job = create("report");
  const auto past = fence;
  acquire();
  ASSERT_NE(fence, past);
  fence = past;
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::fenced);
  ::setenv("CRONALLY_TEST_UNFENCED", "1", 1);
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::done);
  ::unsetenv("CRONALLY_TEST_UNFENCED");
}
#endif

// ---- batches whose session ends before their commit ---------------------------------------------

TEST_P(PostgresFaults, ASessionThatIsEndedWhileItWaitsIsReplacedAndTheBatchCommits) {
  auto job = create("report");
  sql().execute("BEGIN");
  sql().execute("SELECT 1 FROM cronally.shard_lease FOR UPDATE");
  std::promise<core::BatchFate> told;
  spine().submit({fence, {claim(job, at(1s))}},
                 [&](core::BatchFate fate) { told.set_value(std::move(fate)); });
  await_blocked("cronally batches");
  EXPECT_EQ(end_sessions("cronally batches"), 1);
  await_blocked("cronally batches");
  sql().execute("COMMIT");
  const auto fate = told.get_future().get();
  ASSERT_TRUE(std::holds_alternative<core::BatchCommitted>(fate));
  EXPECT_EQ(std::get<core::BatchCommitted>(fate).outcomes[0].status, ItemStatus::done);
}

TEST_P(PostgresFaults, SessionsThatEndedWhileTheyWereIdleAreReplacedUnseen) {
  auto job = create("report");
  claimed(job, at(1s));
  for (const auto* name : {"cronally batches", "cronally edits", "cronally reads"}) {
    EXPECT_GE(end_sessions(name), 1) << name;
  }
  EXPECT_EQ(commit_one(claim(job, at(2s))), ItemStatus::done);
  describe(job, "another");
  EXPECT_EQ(jobs().find_job(world->account(), job.id)->revision, 2);
}

TEST_P(PostgresFaults, ABatchThatALockHoldsTooLongIsRefusedAndLeavesNothing) {
  auto job = create("report");
  sql().execute("BEGIN");
  sql().execute("SELECT 1 FROM cronally.shard_lease FOR UPDATE");
  const auto fate = fate_of({claim(job, at(1s))});
  sql().execute("COMMIT");
  ASSERT_TRUE(std::holds_alternative<core::BatchRefused>(fate));
  EXPECT_EQ(std::get<core::BatchRefused>(fate).error.code, "database_error");
  EXPECT_EQ(count("run"), 0);
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::done);
}

TEST_P(PostgresFaults, AServerThatTakesNoWritesRefusesAndIsUsedAgainLater) {
  auto job = create("report");
  const auto database = "ALTER DATABASE " + faulty().name();
  sql().execute(database + " SET default_transaction_read_only = on");
  end_sessions("cronally batches");
  const auto fate = fate_of({claim(job, at(1s))});
  EXPECT_TRUE(std::holds_alternative<core::BatchRefused>(fate));
  sql().execute("SET default_transaction_read_only = off");
  sql().execute(database + " RESET default_transaction_read_only");
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::done);
}

TEST_P(PostgresFaults, AServerOutOfReachRefusesAtOnceAndIsUsedAgainLater) {
  auto job = create("report");
  faulty().proxy.refuse(true);
  for (const auto* name : {"cronally batches", "cronally edits", "cronally reads"}) {
    end_sessions(name);
  }
  EXPECT_TRUE(std::holds_alternative<core::BatchRefused>(fate_of({claim(job, at(1s))})));
  EXPECT_THROW((void)jobs().find_job(world->account(), job.id), Unavailable);
  EXPECT_THROW((void)remove(job), Unavailable);
  faulty().proxy.refuse(false);
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::done);
  EXPECT_TRUE(jobs().find_job(world->account(), job.id));
}

TEST_P(PostgresFaults, AServerThatIsAwayIsOnTheBoardAndNobodyWaitsForIt) {
  auto job = create("report");
  const auto well = [&](bool wanted) {
    for (int tries = 0; tries < 500; ++tries) {
      if (faulty().health.readiness().ready == wanted) return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  };
  EXPECT_TRUE(well(true));
  faulty().proxy.refuse(true);
  for (const auto* name : {"cronally listens", "cronally edits", "cronally reads"}) {
    end_sessions(name);
  }
  EXPECT_TRUE(well(false));
  EXPECT_THROW((void)jobs().find_job(world->account(), job.id), Unavailable);
  EXPECT_THROW((void)remove(job), Unavailable);
  faulty().proxy.refuse(false);
  EXPECT_TRUE(well(true));
  EXPECT_TRUE(jobs().find_job(world->account(), job.id));
}

// ---- edits: whose fate is found out -------------------------------------------------------------

TEST_P(PostgresFaults, AnEditCutOffBeforeItsCommitIsWrittenOnce) {
  faulty().proxy.cut_next(Cut::before_commit);
  const auto job = create("report");
  EXPECT_TRUE(faulty().proxy.cut_done());
  EXPECT_EQ(count("job"), 1);
  EXPECT_EQ(jobs().find_job(world->account(), "report")->no, job.no);
}

TEST_P(PostgresFaults, AnEditWhoseAnswerIsLostIsFoundAndNotWrittenAgain) {
  const auto job = create("report");
  faulty().proxy.cut_next(Cut::after_commit);
  const auto changed = describe(job, "another");
  EXPECT_TRUE(faulty().proxy.cut_done());
  EXPECT_EQ(changed.revision, 2);
  EXPECT_EQ(count("job_revision"), 2);
  EXPECT_EQ(all_changes().jobs.at(0).revision, 2) << "and those who wait are told";
}

TEST_P(PostgresFaults, ARunAskedForWhoseAnswerIsLostIsAskedForOnce) {
  const auto job = create("report");
  faulty().proxy.cut_next(Cut::after_commit);
  const auto run = request(job, "manual:1");
  EXPECT_EQ(count("run"), 1);
  EXPECT_EQ(ledger_run(run.id).state, core::RunState::requested);
}

// ---- partitions ---------------------------------------------------------------------------------

TEST_P(PostgresFaults, ADayThatIsPastItsAgeGoesWithItsPartitions) {
  auto job = create("report");
  std::vector<core::Item> ends;
  for (int i = 0; i < 50; ++i) {
    ends.emplace_back(success(claimed(job, at(-1h + i * 1s))));
  }
  commit(ends);
  world->clock().advance(24h);
  auto young = claimed(job, at(24h));
  commit({success(young)});
  EXPECT_EQ(count("run_day"), 2);
  world->clock().advance(30 * 24h);
  const auto pruned = world->database()->retention().prune({});
  EXPECT_EQ(pruned.runs, 50);
  EXPECT_TRUE(pruned.more);
  EXPECT_EQ(count("run_day"), 1);
  EXPECT_EQ(count("attempt"), 1);
  EXPECT_EQ(world->database()->retention().runs_kept(), 1);
  EXPECT_TRUE(world->find_run(young.id));
}

TEST_P(PostgresFaults, ADayWithAnOpenRunStays) {
  auto job = create("report");
  auto open = claimed(job, at(-1h));
  commit({success(claimed(job, at(-2h)))});
  world->clock().advance(60 * 24h);
  while (world->database()->retention().prune({}).more) {
  }
  EXPECT_EQ(count("run_day"), 1);
  EXPECT_EQ(world->database()->retention().runs_kept(), 1);
  EXPECT_EQ(commit_one(success(open)), ItemStatus::done);
}

TEST_P(PostgresFaults, ADayThatSomebodyReadsIsDroppedLater) {
  auto job = create("report");
  commit({success(claimed(job, at(-1h)))});
  world->clock().advance(60 * 24h);
  sql().execute("BEGIN");
  sql().execute("SELECT count(*) FROM cronally.run");
  world->database()->retention().prune({});
  EXPECT_EQ(count("run_day"), 1);
  sql().execute("COMMIT");
  while (world->database()->retention().prune({}).more) {
  }
  EXPECT_EQ(count("run_day"), 0);
}

// ---- fences of a server that was put back in time -----------------------------------------------

TEST_P(PostgresFaults, APromotionRaisesTheGenerationByItsTimelines) {
  const auto generation = [](Fence fence) { return fence.value >> 36; };
  const auto acquire_after_quiet = [&] {
    EXPECT_THAT(spine().heartbeat({.node = node}).granted, IsEmpty()) << "it is quiet";
    world->clock().advance(core::quiet_min);
    acquire();
  };
  const auto before = generation(fence);
  acquire();
  EXPECT_EQ(generation(fence), before) << "the same server on the same timeline";
  sql().execute("UPDATE cronally.fence_source SET timeline = timeline - 3");
  acquire_after_quiet();
  EXPECT_EQ(generation(fence), before + 3);
  sql().execute("UPDATE cronally.fence_source SET timeline = timeline + 1");
  acquire_after_quiet();
  EXPECT_EQ(generation(fence), before + 3 + 256) << "its timeline fell";
  sql().execute("UPDATE cronally.fence_source SET system = system + 1");
  acquire_after_quiet();
  EXPECT_EQ(generation(fence), before + 3 + 512) << "another cluster altogether";
}

// ---- how far away the server may be -------------------------------------------------------------

class Distance : public PostgresFaults {
 protected:
  // How many round trips it takes on the connection of that kind.
  template <class Act>
  int round_trips(const std::string& kind, Act act) {
    const std::string name = "cronally " + kind;
    const int before = faulty().proxy.exchanges(name);
    act();
    return faulty().proxy.exchanges(name) - before;
  }
  int of_heartbeat(std::vector<core::Lease> holds) {
    return round_trips("leases",
                       [&] { (void)spine().heartbeat({.node = node, .holds = std::move(holds)}); });
  }
  std::vector<core::Lease> all_held() const {
    std::vector<core::Lease> held;
    for (const auto& shard : grant.shards) held.push_back({shard.no, fence});
    return held;
  }
};

TEST_P(Distance, AHeartbeatIsTwoRoundTripsAndThreeWhereItTakesShards) {
  EXPECT_EQ(of_heartbeat(all_held()), 2);
  EXPECT_EQ(of_heartbeat({}), 3);
}

TEST_P(Distance, AReleaseIsOneRoundTrip) {
  const auto run = claimed(create("report"), at(1s));
  EXPECT_EQ(round_trips("leases",
                        [&] {
                          spine().release(
                              node, {all_held(), {{run.no, run.shard, run.attempt, at(30s)}}});
                        }),
            1);
  EXPECT_EQ(open_run(run.no).left_until, at(30s));
}

TEST_P(Distance, ABatchIsTwoRoundTripsAndFourWhereItReplans) {
  auto job = create("report");
  const auto run = claimed(job, at(1s));
  const auto replan = [&] {
    describe(job, "after revision " + std::to_string(job.revision));
    ++job.revision;
    return core::Replan{.job = job.no,
                        .shard = job.shard,
                        .revision = job.revision,
                        .changed_at = world->clock().wall(),
                        .owed = {at(2s)},
                        .in_flight = {run.no}};
  };
  commit({replan()});
  commit({success(claimed(job, at(-1s)))});
  EXPECT_EQ(round_trips("batches",
                        [&] {
                          const core::Advance advance{job.shard, at(2s), 7};
                          for (const auto& outcome : commit({claim(job, at(1500ms)), advance})) {
                            EXPECT_EQ(outcome.status, ItemStatus::done);
                          }
                        }),
            2);
  EXPECT_EQ(round_trips("batches",
                        [&] {
                          for (const auto& outcome : commit({replan(), claim(job, at(2s))})) {
                            EXPECT_EQ(outcome.status, ItemStatus::done);
                          }
                        }),
            4);
  EXPECT_EQ(round_trips("outcomes", [&] { EXPECT_EQ(commit_one(success(run)), ItemStatus::done); }),
            2);
}

// Somebody who is heard of between the two transactions of a heartbeat keeps what it has.
TEST_P(Distance, ALeaseThatChangedSinceItWasReadIsNotTaken) {
  world->clock().advance(core::lease_ttl_default);
  sql().execute(std::vector<std::string>{
      "SET search_path = cronally",
      "CREATE FUNCTION renew() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE cronally.node "
      "SET ends = ends + 1 WHERE ends <= cronally.clock_us(); RETURN NULL; END'",
      // Fires at the commit of the first of them.
      "CREATE CONSTRAINT TRIGGER renew AFTER INSERT ON node DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION renew()"});
  const NodeId second{uuid_v4(8, 8)};
  auto answer = spine().heartbeat({.node = second});
  EXPECT_THAT(answer.granted, IsEmpty());
  EXPECT_EQ(answer.fence, Fence{}) << "none is used up";
  EXPECT_EQ(answer.lacking, shard_count) << "so that it looks again soon";
  sql().execute("DROP TRIGGER renew ON cronally.node");
  world->clock().advance(1us);
  EXPECT_THAT(spine().heartbeat({.node = second}).granted, SizeIs(shard_count));
}

INSTANTIATE_TEST_SUITE_P(Postgres, Distance, ::testing::Values(proxied()), store_name);

// ---- two processes ------------------------------------------------------------------------------

class TwoNodes : public PostgresFaults {
 protected:
  void SetUp() override {
    PostgresFaults::SetUp();
    if (IsSkipped()) return;
    auto opened = store::open_postgres({.address = PostgresCluster::get()->address(faulty().name()),
                                        .clock = std::make_shared<runtime::ManualClock>(at(0s))});
    ASSERT_TRUE(opened) << opened.error().message;
    other = std::move(*opened);
  }

  // How long `wait` takes.
  template <class Wait>
  static Duration took(Wait wait) {
    const runtime::SystemClock clock;
    const auto before = clock.steady();
    wait();
    return clock.steady() - before;
  }

  std::unique_ptr<store::Database> other;
};

TEST_P(TwoNodes, AnEditOfOneWakesTheOther) {
  auto job = create("report");
  while (other->spine().wait_for_changes({{job.shard, 0}}, 1s).jobs.empty()) {
  }
  auto waiting = std::async(std::launch::async, [&] {
    return other->spine().wait_for_changes({{job.shard, job.change}}, 5s);
  });
  std::this_thread::sleep_for(50ms);
  describe(job, "another");
  store::Changes told;
  EXPECT_LT(took([&] { told = waiting.get(); }), 150ms);
  ASSERT_THAT(told.jobs, SizeIs(1));
  EXPECT_EQ(told.jobs[0].revision, 2);
}

TEST_P(TwoNodes, AnInterruptEndsOneWaitForNewsAndNoneForASight) {
  auto job = create("report");
  (void)other->spine().wait_for_changes({{job.shard, job.change}}, 0s);
  other->spine().interrupt_waits();
  const auto wait = [&](Duration length) {
    return took([&] { (void)other->spine().wait_for_changes({{job.shard, job.change}}, length); });
  };
  EXPECT_LT(wait(5s), 1s);
  EXPECT_GE(wait(200ms), 200ms);
  other->spine().interrupt_waits();
  EXPECT_GE(took([&] { EXPECT_FALSE(other->jobs().await_seen(job.shard, job.change, 300ms)); }),
            300ms);
}

TEST_P(TwoNodes, AChangeThatNobodyAnnouncedIsFoundByLooking) {
  auto job = create("report");
  while (other->spine().wait_for_changes({{job.shard, 0}}, 1s).jobs.empty()) {
  }
  sql().execute(std::vector<std::string>{
      "UPDATE cronally.shard_change SET change = change + 1 WHERE shard = " +
          std::to_string(job.shard.value),
      "UPDATE cronally.job SET change = change + 1, revision = revision + 1"});
  store::Changes told;
  EXPECT_LT(took([&] { told = other->spine().wait_for_changes({{job.shard, job.change}}, 5s); }),
            1500ms);
  ASSERT_THAT(told.jobs, SizeIs(1));
}

TEST_P(TwoNodes, WhatOneOwnerHasSeenTheOtherHears) {
  auto job = create("report");
  auto waiting = std::async(std::launch::async,
                            [&] { return other->jobs().await_seen(job.shard, job.change, 5s); });
  commit({core::Advance{job.shard, at(0s), job.change}});
  EXPECT_LT(took([&] { EXPECT_TRUE(waiting.get()); }), 150ms);
}

TEST_P(TwoNodes, ARunAskedForAtOneIsToldToTheOtherOnce) {
  auto job = create("report");
  auto waiting = std::async(std::launch::async, [&] {
    while (true) {
      auto told = other->spine().wait_for_changes({{job.shard, job.change}}, 5s);
      if (!told.requested.empty()) return told;
    }
  });
  auto run = request(job, "manual:1");
  auto told = waiting.get();
  ASSERT_THAT(told.requested, SizeIs(1));
  EXPECT_EQ(told.requested[0].no, run.no);
  EXPECT_THAT(other->spine().wait_for_changes({{job.shard, job.change}}, 10ms).requested,
              IsEmpty());
}

TEST_P(TwoNodes, EditsOfBothNeverShareAnInstantAndEveryChangeHasItsNumber) {
  const auto edit = [&](store::Database& database, int node) {
    for (int i = 0; i < 50; ++i) {
      auto name = std::to_string(node) + "/" + std::to_string(i);
      auto made = database.jobs().create_jobs(
          world->account(),
          {{JobId{uuid_v4(static_cast<std::uint64_t>(node * 1000 + i), 99)}, definition(name), {}}},
          store::Existing::fail, std::nullopt);
      EXPECT_TRUE(made) << (made ? "" : made.error().message);
    }
  };
  auto first = std::async(std::launch::async, [&] { edit(*world->database(), 1); });
  edit(*other, 2);
  first.get();
  EXPECT_EQ(sql().execute("SELECT count(DISTINCT changed_at) FROM cronally.job")[0].integer(0),
            100);
  EXPECT_EQ(
      sql()
          .execute("SELECT count(*) FROM (SELECT DISTINCT shard, change FROM cronally.job) c")[0]
          .integer(0),
      100);
}

TEST_P(TwoNodes, ASecondOneWaitsForTheLeasesOfTheFirstAndTakesThemWhenTheyEnd) {
  auto job = create("report");
  const NodeId second{uuid_v4(8, 8)};
  EXPECT_THAT(other->spine().heartbeat({.node = second}).granted, IsEmpty());
  EXPECT_EQ(commit_one(claim(job, at(1s))), ItemStatus::done);
  world->clock().advance(core::lease_ttl_default);
  const auto answer = other->spine().heartbeat({.node = second});
  EXPECT_THAT(answer.granted, SizeIs(shard_count));
  EXPECT_EQ(commit_one(claim(job, at(6s))), ItemStatus::fenced);
  EXPECT_EQ(count("run"), 1);
}

TEST_P(TwoNodes, AShardThatABatchIsBeingWrittenForIsTakenWhenThatIsDone) {
  auto job = create("report");
  world->clock().advance(core::lease_ttl_default);
  sql().execute("BEGIN");
  sql().execute("SELECT 1 FROM cronally.shard_lease WHERE shard = 7 FOR SHARE");
  const NodeId second{uuid_v4(8, 8)};
  auto answer = other->spine().heartbeat({.node = second});
  EXPECT_THAT(answer.granted, SizeIs(shard_count - 1));
  EXPECT_EQ(answer.lacking, 1);
  sql().execute("COMMIT");
  std::vector<core::Lease> holds;
  for (const ShardNo shard : answer.granted) holds.push_back({shard, answer.fence});
  answer = other->spine().heartbeat({.node = second, .holds = holds});
  EXPECT_THAT(answer.granted, ElementsAre(ShardNo{7}));
}

TEST_P(TwoNodes, AnEditWaitsForNobodyWhereNoLeaseLasts) {
  auto job = create("report");
  EXPECT_FALSE(other->jobs().await_seen(job.shard, job.change, 0ms));
  world->clock().advance(core::lease_ttl_default);
  EXPECT_TRUE(other->jobs().await_seen(job.shard, job.change, 0ms));
}

INSTANTIATE_TEST_SUITE_P(Postgres, PostgresFaults, ::testing::Values(proxied()), store_name);
INSTANTIATE_TEST_SUITE_P(Postgres, TwoNodes, ::testing::Values(proxied()), store_name);

}  // namespace
}  // namespace cronally::conformance
