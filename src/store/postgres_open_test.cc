// Opening a PostgreSQL database: migrations and their deaths, and what Cronally refuses to run on.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "store/postgres/engine.h"
#include "store/postgres/migrate.h"
#include "store/postgres/open.h"
#include "store/postgres/sql.h"
#include "store/postgres/survey.h"
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

// ---- connections --------------------------------------------------------------------------------

// A batch whose way is cut off amid its statements holds the rows of its leases for so long.
TEST_F(PostgresOpen, AServerSoonLooksWhetherTheOtherEndIsStillThere) {
  Connection db(store::postgres::connection_options(cluster->address(name), "test"));
  EXPECT_EQ(db.execute("SHOW tcp_keepalives_idle")[0].text(0), "1");
  EXPECT_EQ(db.execute("SHOW tcp_keepalives_interval")[0].text(0), "1");
  EXPECT_EQ(db.execute("SHOW tcp_keepalives_count")[0].text(0), "2");
  EXPECT_EQ(db.execute("SHOW tcp_user_timeout")[0].text(0), "3000");
}

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
  const std::string here = "@127.0.0.1:" + std::to_string(cluster->port());
  const struct {
    std::string address;
    std::string code;
  } rows[] = {
      {"postgres://cronally:" + secret + "@127.0.0.1:1/nowhere", "database_unreachable"},
      {"postgres://cronally:" + secret + here + "/nowhere", "database_refused"},
      {"postgres://nobody:" + secret + here + "/" + name, "database_refused"},
      // One of the hosts says what is wrong.
      {"postgres://cronally:" + secret +
           "@127.0.0.1:1,127.0.0.1:" + std::to_string(cluster->port()) + "/nowhere",
       "database_refused"},
      {"postgres//cronally:" + secret + "@127.0.0.1", "database_address"},
      {"hots=" + secret, "database_address"},
  };
  for (const auto& [address, code] : rows) {
    const auto opened = open(address);
    ASSERT_FALSE(opened) << address;
    EXPECT_EQ(opened.error().code, code) << opened.error().message;
    EXPECT_EQ(opened.error().message.find(secret), std::string::npos) << opened.error().message;
  }
}

TEST_F(PostgresOpen, TheHostThatTakesWritesIsFoundAmongSeveral) {
  const auto port = std::to_string(cluster->port());
  EXPECT_EQ(code_of(open("postgres://cronally@127.0.0.1:1,127.0.0.1:" + port + "/" + name)),
            "opened");
  EXPECT_EQ(
      code_of(open("host=127.0.0.1,127.0.0.1 port=1," + port + " user=cronally dbname=" + name)),
      "opened");
}

TEST_F(PostgresOpen, AnotherEncodingThanUtf8IsRefused) {
  cluster->connect("postgres")
      .execute(
          "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
  const auto opened = open(cluster->address("latin"));
  cluster->drop_database("latin");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "database_unsuitable");
  EXPECT_NE(opened.error().message.find("LATIN1"), std::string::npos);
}

// ---- the server of the tests --------------------------------------------------------------------

TEST(ReservedPort, IsNobodyElsesAndOfNoOutgoingConnection) {
  std::vector<ReservedPort> ports(50);
  std::set<int> numbers;
  for (const auto& port : ports) {
    EXPECT_TRUE(numbers.insert(port.number()).second);
    EXPECT_GE(port.number(), 10'000);
    EXPECT_LT(port.number(), 30'000) << "ip_local_port_range begins at 32768";
  }
}

// ---- poolers ------------------------------------------------------------------------------------

class Pooler {
 public:
  // Null where PgBouncer is not installed.
  static std::unique_ptr<Pooler> start(PostgresCluster& cluster, const std::string& settings) {
    if (!std::filesystem::exists(program)) return nullptr;
    return std::unique_ptr<Pooler>(new Pooler(cluster, settings));
  }
  ~Pooler() { PostgresCluster::stop(process_); }

  std::string address(const std::string& database) const {
    return "postgres://cronally@127.0.0.1:" + std::to_string(port_.number()) + "/" + database;
  }

 private:
  static constexpr const char* program = "/usr/sbin/pgbouncer";

  Pooler(PostgresCluster& cluster, const std::string& settings) {
    const auto users = cluster.write_file("users.txt", "\"cronally\" \"\"\n");
    const auto file = cluster.write_file(
        "pgbouncer.ini", "[databases]\n* = host=127.0.0.1 port=" + std::to_string(cluster.port()) +
                             "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\n"
                             "auth_type = trust\nauth_file = " +
                             users + "\nlisten_port = " + std::to_string(port_.number()) + "\n" +
                             settings);
    process_ = cluster.start_beside({program, "-q", file});
  }

  const ReservedPort port_;
  pid_t process_ = 0;
};

class PostgresPoolers : public PostgresOpen {
 protected:
  std::string code_behind(const std::string& settings) {
    const auto pooler = Pooler::start(*cluster, settings);
    if (!pooler) return "no pooler";
    for (int tries = 0; tries < 100; ++tries) {
      const auto opened = open(pooler->address(name));
      if (opened || opened.error().code != "database_unreachable") {
        message = opened ? "" : opened.error().message;
        return code_of(opened);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{50});  // it is starting
    }
    return "database_unreachable";
  }
  std::string message;
};

TEST_F(PostgresPoolers, ThatHandEachTransactionAnotherSessionAreRefused) {
  const auto code = code_behind("pool_mode = transaction\n");
  if (code == "no pooler") GTEST_SKIP() << "this machine has no PgBouncer";
  EXPECT_EQ(code, "database_unsuitable");
  EXPECT_NE(message.find("pool_mode = session"), std::string::npos) << message;
  EXPECT_EQ(code_behind("pool_mode = transaction\nserver_round_robin = 1\nmin_pool_size = 5\n"),
            "database_unsuitable");
  EXPECT_EQ(code_behind("pool_mode = statement\n"), "database_unsuitable");
}

TEST_F(PostgresPoolers, ThatHandEachTransactionAnotherSessionAreToldByASurvey) {
  const auto pooler = Pooler::start(*cluster, "pool_mode = transaction\n");
  if (!pooler) GTEST_SKIP() << "this machine has no PgBouncer";
  const runtime::SystemClock clock;
  auto facts = store::survey_postgres(pooler->address(name), clock);
  for (int tries = 0; !facts && tries < 100; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds{50});  // it is starting
    facts = store::survey_postgres(pooler->address(name), clock);
  }
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_TRUE(facts->pooled);
  EXPECT_TRUE(facts->sessions_change);
}

TEST_F(PostgresPoolers, ThatGiveASessionOfOnesOwnAreFine) {
  const auto code = code_behind("pool_mode = session\n");
  if (code == "no pooler") GTEST_SKIP() << "this machine has no PgBouncer";
  EXPECT_EQ(code, "opened");
}

}  // namespace
}  // namespace cronally::conformance
