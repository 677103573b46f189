// The facts that doctor gathers, of real databases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "store/postgres/address.h"
#include "store/postgres/sql.h"
#include "store/postgres/survey.h"
#include "store/sqlite/export.h"
#include "store/sqlite/open.h"
#include "store/sqlite/survey.h"
#include "tests/conformance/postgres_world.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::conformance {
namespace {

using namespace std::chrono_literals;

TEST(Address, NamesItsHosts) {
  struct Row {
    const char* address;
    std::vector<std::string> hosts;
  };
  for (const auto& [address, hosts] :
       {Row{"postgres://u@db1:5433,db2/jobs", {"db1:5433", "db2"}},
        Row{"host=db1,db2 port=5433 dbname=jobs", {"db1:5433", "db2:5433"}},
        Row{"dbname=jobs", {"localhost"}}, Row{"hots=db1", {}}}) {
    std::vector<std::string> found;
    for (const auto& host : store::postgres::hosts_of(address)) found.push_back(host.text());
    EXPECT_EQ(found, hosts) << address;
  }
}

// ---- PostgreSQL ---------------------------------------------------------------------------------

class PostgresSurvey : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster = PostgresCluster::get();
    if (!cluster) GTEST_SKIP() << "this machine has no PostgreSQL server";
    name = cluster->create_database();
  }
  void TearDown() override {
    database.reset();
    if (cluster) cluster->drop_database(name);
  }
  void open() {
    auto opened =
        store::open_postgres({.address = cluster->address(name),
                              .clock = std::make_shared<runtime::SystemClock>(),
                              .about = [] { return store::NodeAbout{"n1", "0.1.0", "2026f"}; }});
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
  }
  store::PostgresFacts survey(const std::string& address) {
    const runtime::SystemClock clock;
    auto facts = store::survey_postgres(address, clock);
    EXPECT_TRUE(facts) << facts.error().message;
    return facts.value_or(store::PostgresFacts{});
  }
  store::PostgresFacts survey() { return survey(cluster->address(name)); }

  PostgresCluster* cluster = nullptr;
  std::string name;
  std::unique_ptr<store::Database> database;
};

TEST_F(PostgresSurvey, OfAnEmptyDatabaseItChangesNothing) {
  const auto facts = survey();
  EXPECT_EQ(facts.schema, 0);
  EXPECT_EQ(facts.host, "127.0.0.1:" + std::to_string(cluster->port()));
  EXPECT_GE(facts.version, 130000);
  EXPECT_FALSE(facts.standby);
  EXPECT_FALSE(facts.fsync) << "as the tests' server is started";
  EXPECT_FALSE(facts.full_page_writes);
  EXPECT_FALSE(facts.autovacuum);
  EXPECT_EQ(facts.synchronous_commit, "on");
  EXPECT_EQ(facts.synchronous_standby_names, "");
  EXPECT_THAT(facts.standbys, ::testing::IsEmpty());
  EXPECT_FALSE(facts.patroni);
  EXPECT_FALSE(facts.pooled);
  auto db = cluster->connect(name);
  EXPECT_TRUE(db.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'cronally'").empty());
}

TEST_F(PostgresSurvey, TellsOfNodesShardsAndWhatIsSealed) {
  open();
  store::Account account{.id = AccountId{uuid_v4(21, 1)}, .name = "default"};
  account.sealed_signing_secret = std::string("\0sealed", 7);
  database->accounts().bootstrap(account, {.id = TokenId{uuid_v4(21, 2)}, .name = "admin"}, "d");
  EXPECT_EQ(survey().shards_free, shard_count);
  database->spine().heartbeat({.node = NodeId{uuid_v4(1, 2)}, .ttl = 60s});
  const auto facts = survey();
  EXPECT_EQ(facts.schema, facts.schema_known);
  EXPECT_EQ(facts.shards_free, 0);
  ASSERT_THAT(facts.nodes, ::testing::SizeIs(1));
  EXPECT_EQ(facts.nodes[0].id, NodeId{uuid_v4(1, 2)});
  EXPECT_EQ(facts.nodes[0].name + " " + facts.nodes[0].version + " " + facts.nodes[0].tzdata,
            "n1 0.1.0 2026f");
  EXPECT_TRUE(facts.nodes[0].live);
  EXPECT_EQ(facts.nodes[0].shards, shard_count);
  EXPECT_GT(facts.nodes[0].ttl, 59s);
  EXPECT_LE(facts.nodes[0].ttl, 60s);
  EXPECT_LT(facts.nodes[0].beat_age, 30s);
  EXPECT_LT(facts.planning_behind, 30s);
  EXPECT_EQ(facts.sending_behind, 0s);
  ASSERT_THAT(facts.sealed, ::testing::SizeIs(1));
  EXPECT_EQ(facts.sealed[0].account, account.id);
  EXPECT_EQ(facts.sealed[0].sealed, account.sealed_signing_secret);
}

TEST_F(PostgresSurvey, AsksEachHostForItsClock) {
  const auto port = std::to_string(cluster->port());
  const auto facts = survey("postgres://cronally@127.0.0.1:" + port + ",127.0.0.1:1/" + name);
  ASSERT_THAT(facts.clocks, ::testing::SizeIs(2));
  EXPECT_EQ(facts.clocks[0].error, "");
  EXPECT_LT(std::chrono::abs(facts.clocks[0].ahead), 100ms) << "it is this host's own";
  EXPECT_LT(facts.clocks[0].round_trip, 1s);
  EXPECT_NE(facts.clocks[1].error, "");
}

TEST_F(PostgresSurvey, FindsEveryServerThatTakesWritesAndExaminesTheNewest) {
  const auto standby = cluster->make_standby();
  const auto address = "host=127.0.0.1,127.0.0.1 port=" + std::to_string(cluster->port()) + "," +
                       std::to_string(standby->port()) + " user=cronally dbname=" + name;
  auto facts = survey(address);
  ASSERT_THAT(facts.clocks, ::testing::SizeIs(2));
  EXPECT_TRUE(facts.clocks[0].primary);
  EXPECT_FALSE(facts.clocks[1].primary) << "a standby";
  EXPECT_EQ(facts.host, "127.0.0.1:" + std::to_string(cluster->port()));
  standby->promote();
  facts = survey(address);
  ASSERT_TRUE(facts.clocks.at(0).primary && facts.clocks.at(1).primary);
  EXPECT_EQ(facts.clocks[0].primary->system, facts.clocks[1].primary->system);
  EXPECT_LT(facts.clocks[0].primary->timeline, facts.clocks[1].primary->timeline);
  EXPECT_NE(facts.clocks[0].began, facts.clocks[1].began);
  EXPECT_EQ(facts.host, "127.0.0.1:" + std::to_string(standby->port()));
}

TEST_F(PostgresSurvey, NamesAnAddressOutOfReachWithoutItsPassword) {
  const runtime::SystemClock clock;
  const auto facts = store::survey_postgres("postgres://u:geheim@127.0.0.1:1/nowhere", clock);
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().code, "database_unreachable");
  EXPECT_THAT(facts.error().message, ::testing::Not(::testing::HasSubstr("geheim")));
}

// ---- SQLite -------------------------------------------------------------------------------------

class SqliteSurvey : public ::testing::Test {
 protected:
  void make() {
    auto opened = store::open_sqlite(
        {.file = file, .clock = std::make_shared<runtime::ManualClock>(start_instant)});
    ASSERT_TRUE(opened) << opened.error().message;
    store::Account account{.id = AccountId{uuid_v4(21, 1)}, .name = "default"};
    account.sealed_signing_secret = "sealed";
    (*opened)->accounts().bootstrap(account, {.id = TokenId{uuid_v4(21, 2)}, .name = "admin"}, "d");
  }
  static std::string content(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TemporaryDirectory directory;
  std::filesystem::path file = directory.path() / "cronally.db";
};

TEST_F(SqliteSurvey, TellsOfTheFileAndChangesNothing) {
  EXPECT_FALSE(store::survey_sqlite(file, "").exists);
  EXPECT_FALSE(std::filesystem::exists(file));
  make();
  const auto before = content(file);
  const auto facts = store::survey_sqlite(file, "");
  EXPECT_EQ(content(file), before);
  EXPECT_EQ(facts.unreadable, "");
  EXPECT_EQ(facts.schema, facts.schema_known);
  EXPECT_EQ(facts.integrity, "ok");
  EXPECT_EQ(facts.journal_mode, "wal");
  EXPECT_EQ(facts.last_commit, start_instant);
  EXPECT_GT(facts.free, 0);
  EXPECT_EQ(facts.moved, "");
  ASSERT_THAT(facts.sealed, ::testing::SizeIs(1));
  EXPECT_EQ(facts.sealed[0].sealed, "sealed");
  EXPECT_EQ(store::survey_sqlite(file, "process 17").integrity, "") << "a server runs";
}

TEST_F(SqliteSurvey, TellsOfDamageAndOfAMove) {
  make();
  store::write_moved_mark(
      file,
      {.move = uuid_v4(1, 1), .target = "postgres://db1/jobs", .at = start_instant, .ended = true},
      1);
  EXPECT_THAT(store::survey_sqlite(file, "").moved, ::testing::HasSubstr("postgres://db1/jobs"));
  std::ofstream(file) << std::string(9000, 'x');
  EXPECT_NE(store::survey_sqlite(file, "").unreadable, "");
}

}  // namespace
}  // namespace cronally::conformance
