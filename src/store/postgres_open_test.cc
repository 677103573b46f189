// Opening a PostgreSQL database: migrations and their deaths, and what Cronally refuses to run on.
#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "store/postgres/migrate.h"
#include "store/postgres/open.h"
#include "store/postgres/sql.h"
#include "tests/conformance/postgres_cluster.h"
#include "tests/conformance/world.h"

namespace cronally::conformance {
namespace {

using store::postgres::Connection;

class PostgresOpen : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster = PostgresCluster::get();
    if (!cluster) GTEST_SKIP() << "this machine has no PostgreSQL server";
    name = cluster->create_database();
  }
  void TearDown() override {
    if (cluster) cluster->drop_database(name);
  }

  Result<std::unique_ptr<store::Database>> open(const std::string& address) {
    return store::open_postgres(
        {.address = address, .clock = std::make_shared<runtime::ManualClock>(start_instant)});
  }
  Result<std::unique_ptr<store::Database>> open() { return open(cluster->address(name)); }

  std::string code_of(const Result<std::unique_ptr<store::Database>>& opened) {
    return opened ? "opened" : opened.error().code;
  }

  // Whether anything of the schema is there.
  bool has_schema() {
    auto db = cluster->connect(name);
    return !db.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'cronally'").empty();
  }

  PostgresCluster* cluster = nullptr;
  std::string name;
};

// ---- migrations ---------------------------------------------------------------------------------

// A process that is killed leaves a connection that ends: the server undoes what it had open.
TEST_F(PostgresOpen, ADeathAtAnyStatementOfAMigrationLeavesNothingOfIt) {
  const auto statements = store::postgres::statements_of(store::postgres::migrations()[0]);
  ASSERT_GT(statements.size(), 40U);
  for (std::size_t done = 0; done <= statements.size(); done += 3) {
    auto dying = std::make_unique<Connection>(cluster->options(name));
    dying->execute(std::vector<std::string>{
        "BEGIN", "CREATE SCHEMA cronally", "SET search_path = cronally",
        "CREATE TABLE schema_version (version integer PRIMARY KEY, at timestamptz)"});
    for (std::size_t i = 0; i < done; ++i) dying->execute(statements[i]);
    dying.reset();
    EXPECT_FALSE(has_schema()) << "after " << done << " statements";
  }
  EXPECT_EQ(code_of(open()), "opened");
}

TEST_F(PostgresOpen, NodesThatStartTogetherMigrateOnce) {
  std::vector<std::future<std::string>> nodes;
  for (int node = 0; node < 4; ++node) {
    nodes.push_back(std::async(std::launch::async, [this] { return code_of(open()); }));
  }
  for (auto& node : nodes) EXPECT_EQ(node.get(), "opened");
  auto db = cluster->connect(name);
  EXPECT_EQ(db.execute("SELECT count(*) FROM cronally.schema_version")[0].integer(0),
            static_cast<std::int64_t>(store::postgres::migrations().size()));
  EXPECT_EQ(db.execute("SELECT count(*) FROM cronally.shard")[0].integer(0), shard_count);
}

TEST_F(PostgresOpen, ADatabaseOfANewerVersionIsRefused) {
  EXPECT_EQ(code_of(open()), "opened");
  cluster->connect(name).execute("INSERT INTO cronally.schema_version (version) VALUES (1000)");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "database_newer");
  EXPECT_NE(opened.error().message.find("schema 1000"), std::string::npos);
}

TEST_F(PostgresOpen, ASecondOpeningFindsWhatTheFirstLeft) {
  for (int opening = 0; opening < 2; ++opening) {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ((*opened)->engine().substr(0, 11), "PostgreSQL ");
    store::Account account{.id = AccountId{uuid_v4(21, 1)}, .name = "default"};
    store::Token token{.id = TokenId{uuid_v4(21, 2)}, .name = "admin", .admin = true};
    EXPECT_EQ((*opened)->accounts().bootstrap(account, token, "digest"), opening == 0);
  }
}

// ---- what is refused ----------------------------------------------------------------------------

TEST_F(PostgresOpen, ADatabaseOutOfReachIsNamedWithoutItsPassword) {
  const std::string secret = "geheim";
  for (const auto& address :
       {"postgres://cronally:" + secret + "@127.0.0.1:1/nowhere",
        "postgres://cronally:" + secret + "@127.0.0.1:" + std::to_string(cluster->port()) + "/nowhere",
        "postgres//cronally:" + secret + "@127.0.0.1", "hots=" + secret}) {
    const auto opened = open(address);
    ASSERT_FALSE(opened) << address;
    EXPECT_EQ(opened.error().code, "database_unreachable");
    EXPECT_EQ(opened.error().message.find(secret), std::string::npos) << opened.error().message;
  }
}

TEST_F(PostgresOpen, TheHostThatTakesWritesIsFoundAmongSeveral) {
  const auto port = std::to_string(cluster->port());
  EXPECT_EQ(code_of(open("postgres://cronally@127.0.0.1:1,127.0.0.1:" + port + "/" + name)),
            "opened");
  EXPECT_EQ(code_of(open("host=127.0.0.1,127.0.0.1 port=1," + port + " user=cronally dbname=" + name)),
            "opened");
}

TEST_F(PostgresOpen, AnotherEncodingThanUtf8IsRefused) {
  cluster->connect("postgres")
      .execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
  const auto opened = open(cluster->address("latin"));
  cluster->drop_database("latin");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "database_unsuitable");
  EXPECT_NE(opened.error().message.find("LATIN1"), std::string::npos);
}

}  // namespace
}  // namespace cronally::conformance
