// The PostgreSQL store when a standby takes over and the old primary does not know of it, and when
// a server takes connections and answers no COMMIT, or nothing at all (postgres/hosts.h).
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stop_token>
#include <thread>

#include "runtime/deadline.h"
#include "tests/conformance/postgres_world.h"
#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {
namespace {

// What the API promises to answer within.
constexpr Duration promised = 5s;

const runtime::SystemClock steady_clock{runtime::SystemClock::Hooks::ignore};

template <class Call>
Duration took(Call call) {
  const auto before = steady_clock.steady();
  call();
  return steady_clock.steady() - before;
}

// How a call ended: "done", or an outage's code.
template <class Call>
std::string told_of(Call call) {
  try {
    call();
    return "done";
  } catch (const Unavailable& outage) {
    return outage.code();
  }
}

struct Answer {
  std::string told;
  Duration after{};
};

template <class Call>
std::future<Answer> answer_of(Call call) {
  return std::async(std::launch::async, [call] {
    Answer answer;
    answer.after = took([&] { answer.told = told_of(call); });
    return answer;
  });
}

class FollowTest : public StoreTest {
 protected:
  static PostgresCluster& first() { return *PostgresCluster::get(); }
  store::postgres::Connection& sql() { return static_cast<PostgresWorld&>(*world).test(); }

  JobId id_of(int number) const { return JobId{uuid_v4(static_cast<std::uint64_t>(number), 5)}; }
  // Like create(), for any thread and without an expectation.
  void make(store::Database& database, int number) {
    auto made = definition("made " + std::to_string(number));
    (void)database.jobs().create_jobs(world->account(), {{id_of(number), made, {}}},
                                      store::Existing::fail, std::nullopt);
  }
  void make(int number) { make(*world->database(), number); }
  bool is_there(int number) { return jobs().find_job(world->account(), id_of(number)).has_value(); }
  // Every connection that reads has been used, and lies idle.
  void use_all_readers() {
    std::vector<std::future<void>> reads;
    for (int i = 0; i < 16; ++i) {
      reads.push_back(std::async(std::launch::async, [this] {
        for (int look = 0; look < 5; ++look) (void)is_there(0);
      }));
    }
    for (auto& read : reads) read.get();
  }
};

// ---- a primary that has been replaced and does not know it --------------------------------------

// Of two servers of one system the address names the primary first.
class ReplacedWorld : public PostgresWorld {
 public:
  ReplacedWorld() : standby_(PostgresCluster::get()->make_standby()) {
    PostgresCluster::get()->commit_with(PostgresCluster::Standby::any);
    reopen();
  }
  ~ReplacedWorld() override {
    PostgresCluster::get()->commit_with(PostgresCluster::Standby::none);
    database_.reset();
  }

  // The standby takes over. The old primary goes on, answers reads, calls itself writable; its
  // COMMITs hang, for nobody follows it any more.
  void replace() { standby_->promote(); }
  PostgresCluster& second() { return *standby_; }

 protected:
  void open() override {
    auto opened = store::open_postgres(
        {.address =
             "host=127.0.0.1,127.0.0.1 port=" + std::to_string(PostgresCluster::get()->port()) +
             "," + std::to_string(standby_->port()) + " user=cronally dbname=" + name(),
         .clock = clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }

 private:
  const std::unique_ptr<PostgresCluster> standby_;
};

// Heartbeats as a server makes them when they fail, on a thread of their own.
class Beating {
 public:
  Beating(store::Spine& spine, NodeId node)
      : thread_([&spine, node](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            (void)told_of([&] { (void)spine.heartbeat({.node = node}); });
            std::this_thread::sleep_for(100ms);
          }
        }) {}

 private:
  std::jthread thread_;
};

class Replaced : public FollowTest {
 protected:
  ReplacedWorld& replaced() { return static_cast<ReplacedWorld&>(*world); }
  store::postgres::Connection connect_to_second() {
    return replaced().second().connect(replaced().name());
  }
  // Ends the sessions of the store on the new primary: it connects anew.
  void end_sessions_on_second() {
    connect_to_second().execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'cronally %'");
  }
  // Sessions of the store on the old primary that wait for nothing but their client.
  std::int64_t idle_on_first() {
    return sql()
        .execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE 'cronally %' AND state = 'idle'")[0]
        .integer(0);
  }
  // Edits until one is done; its number.
  int edit_until_done() {
    for (int number = 1; number < 10; ++number) {
      if (told_of([&] { make(number); }) == "done") return number;
    }
    return 0;
  }
};

StoreFactory replaced_primary() {
  return {"Postgres", []() -> std::unique_ptr<World> {
            if (!PostgresCluster::get()) return nullptr;
            return std::make_unique<ReplacedWorld>();
          }};
}

TEST_P(Replaced, ThePrimaryIsLeftByAllWhenAnEditHasCommittedOnTheNewOne) {
  use_all_readers();
  claimed(create("report"), at(1s));
  ASSERT_GT(idle_on_first(), 3);
  replaced().replace();
  const Beating beating(spine(), node);  // for an edit waits for a heartbeat there
  int done = 0;
  EXPECT_LT(took([&] { done = edit_until_done(); }), 2 * promised);
  ASSERT_GT(done, 0);
  std::vector<std::future<bool>> reads;
  for (int i = 0; i < 16; ++i) {
    reads.push_back(std::async(std::launch::async, [&] {
      bool seen = true;
      for (int look = 0; look < 20; ++look) seen = seen && is_there(done);
      return seen;
    }));
  }
  for (auto& read : reads) EXPECT_TRUE(read.get()) << "an edit that was acknowledged";
  EXPECT_EQ(connect_to_second().execute("SELECT count(*) FROM cronally.job")[0].integer(0), 2)
      << "the report, and what was acknowledged";
}

TEST_P(Replaced, NoNewConnectionGoesBackToThePrimaryOfBefore) {
  replaced().replace();
  const Beating beating(spine(), node);
  const int done = edit_until_done();
  ASSERT_GT(done, 0);
  for (int round = 0; round < 3; ++round) {
    end_sessions_on_second();
    EXPECT_LT(took([&] { EXPECT_TRUE(is_there(done)); }), 1s);
    EXPECT_LT(took([&] { EXPECT_EQ(told_of([&] { make(20 + round); }), "done"); }), 1s);
    EXPECT_TRUE(is_there(20 + round));
  }
}

// The heartbeat has less patience than an edit, and is the first to know.
TEST_P(Replaced, AHeartbeatThatCommitsElsewhereTakesReadersAndTheListenerWithIt) {
  auto job = create("report");
  use_all_readers();
  replaced().replace();
  int beats = 0;
  const auto beat = [&] { (void)spine().heartbeat({.node = node}); };
  EXPECT_LT(took([&] {
              while (told_of(beat) != "done" && ++beats < 10) {
              }
            }),
            promised);
  auto other = store::open_postgres({.address = replaced().second().address(replaced().name()),
                                     .clock = std::make_shared<runtime::ManualClock>(at(0s))});
  ASSERT_TRUE(other) << other.error().message;
  make(**other, 1);
  EXPECT_TRUE(is_there(1));
  ASSERT_TRUE((*other)->jobs().request_run(world->account(), job.id, core::RunKind::manual,
                                           "manual:1", RunId{uuid_v7(at(0s), 1, 13)}));
  std::size_t told = 0;
  const auto heard = took([&] {
    for (int waits = 0; told == 0 && waits < 10; ++waits) {
      told = spine().wait_for_changes({{job.shard, job.change}}, 500ms).requested.size();
    }
  });
  EXPECT_EQ(told, 1U);
  EXPECT_LT(heard, promised) << "by the listener, or by its look";
}

TEST_P(Replaced, NothingChangesWhileNothingHasCommittedOnTheNewPrimary) {
  create("report");
  replaced().replace();
  EXPECT_TRUE(jobs().find_job(world->account(), "report"));
  EXPECT_GT(idle_on_first(), 0);
}

INSTANTIATE_TEST_SUITE_P(Postgres, Replaced, ::testing::Values(replaced_primary()), store_name);

// ---- a process that starts ----------------------------------------------------------------------

// Of two servers that take writes the address names the one first that was replaced.
class Starting : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!PostgresCluster::get()) GTEST_SKIP() << "this machine has no such database server";
    name = first().create_database(PostgresWorld::prepared());
  }
  void TearDown() override {
    database.reset();
    if (!name.empty()) first().drop_database(name);
  }

  static PostgresCluster& first() { return *PostgresCluster::get(); }
  void replace() {
    second = first().make_standby();
    second->promote();
  }
  void open(int port, int other) {
    auto opened = store::open_postgres(
        {.address = "host=127.0.0.1,127.0.0.1 port=" + std::to_string(port) + "," +
                    std::to_string(other) + " user=cronally dbname=" + name,
         .clock = std::make_shared<runtime::ManualClock>(start_instant)});
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
  }
  void edit() {
    database->accounts().bootstrap({.id = AccountId{uuid_v4(21, 1)}, .name = "default"},
                                   {.id = TokenId{uuid_v4(21, 2)}, .name = "admin"}, "digest");
  }
  std::int64_t edited_on(PostgresCluster& server) {
    return server.connect(name).execute("SELECT count(*) FROM cronally.account")[0].integer(0);
  }

  std::string name;
  std::unique_ptr<PostgresCluster> second;
  std::unique_ptr<store::Database> database;
};

TEST_F(Starting, GoesToTheServerThatWasPromotedLast) {
  replace();
  open(first().port(), second->port());
  edit();
  EXPECT_EQ(edited_on(*second), 1);
  EXPECT_EQ(edited_on(first()), 0);
}

TEST_F(Starting, GoesToTheServerThatCommitsWhereTheOneThatWasPromotedDoesNot) {
  replace();
  second->commit_with(PostgresCluster::Standby::missing);
  EXPECT_LT(took([&] { open(first().port(), second->port()); }), promised);
  edit();
  EXPECT_EQ(edited_on(first()), 1);
}

TEST_F(Starting, WaitsASecondAndNoLongerForAHostThatIsSilent) {
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};  // any port of loopback; the kernel answers there, and nobody else
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const as_socket = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(silent, as_socket, size), 0);
  ASSERT_EQ(::listen(silent, 16), 0);
  ASSERT_EQ(::getsockname(silent, as_socket, &size), 0);
  EXPECT_LT(took([&] {
              open(ntohs(address.sin_port), first().port());
              edit();
            }),
            2s);
  ::close(silent);
}

// ---- a server that does not answer --------------------------------------------------------------

class Unanswered : public FollowTest {
 protected:
  void TearDown() override {
    if (IsSkipped()) return;
    first().commit_with(PostgresCluster::Standby::none);
  }

  // So many edits and reads at once.
  static constexpr int callers = 24;
  std::vector<Answer> answers_of(const std::function<void(int)>& call) {
    std::vector<std::future<Answer>> under_way;
    for (int i = 1; i <= callers; ++i) under_way.push_back(answer_of([&call, i] { call(i); }));
    std::vector<Answer> answers;
    for (auto& one : under_way) answers.push_back(one.get());
    return answers;
  }
};

StoreFactory server() {
  return {"Postgres", []() -> std::unique_ptr<World> {
            if (!PostgresCluster::get()) return nullptr;
            return std::make_unique<PostgresWorld>();
          }};
}

TEST_P(Unanswered, EveryEditIsToldInTimeAndOnlyThoseThatMayBeWrittenAreUndecided) {
  first().commit_with(PostgresCluster::Standby::missing);
  const auto answers = answers_of([&](int number) { make(number); });
  int undecided = 0;
  for (const auto& [told, after] : answers) {
    EXPECT_LT(after, promised) << told;
    EXPECT_NE(told, "done");
    if (told == "undecided") ++undecided;
  }
  EXPECT_GT(undecided, 0);
  first().commit_with(PostgresCluster::Standby::none);
  make(100);  // behind those before it
  for (int i = 1; i <= callers; ++i) {
    if (answers[static_cast<std::size_t>(i - 1)].told == "undecided") continue;
    EXPECT_FALSE(is_there(i)) << "it was told that nothing was written";
  }
}

TEST_P(Unanswered, EditsThatComeLaterAreToldInTimeToo) {
  first().commit_with(PostgresCluster::Standby::missing);
  std::vector<std::future<Answer>> under_way;
  for (int i = 1; i <= callers; ++i) {
    under_way.push_back(answer_of([this, i] { make(i); }));
    std::this_thread::sleep_for(300ms);
  }
  for (auto& one : under_way) {
    const auto [told, after] = one.get();
    EXPECT_LT(after, promised) << told;
    EXPECT_NE(told, "done");
  }
}

// The first COMMIT waits on, and keeps the lock that the question after it waits for: that the
// question is refused does not mean that nothing was written.
TEST_P(Unanswered, AnEditWhoseFateCannotBeAskedForIsUndecidedAndNotRefused) {
  const auto within = [&](Duration length, int number) {
    return answer_of([this, length, number] {
      const runtime::DeadlineScope scope(runtime::Deadline::after(steady_clock.steady(), length));
      make(number);
    });
  };
  sql().execute("BEGIN");
  sql().execute("SELECT 1 FROM cronally.meta FOR UPDATE");
  auto blocked = within(600ms, 1);  // the two below gather behind it
  std::this_thread::sleep_for(100ms);
  auto hasty = within(1300ms, 2);
  auto patient = within(4500ms, 3);
  EXPECT_EQ(blocked.get().told, "unavailable");
  first().commit_with(PostgresCluster::Standby::missing);
  sql().execute("ROLLBACK");
  EXPECT_EQ(hasty.get().told, "undecided");
  const auto [told, after] = patient.get();
  EXPECT_EQ(told, "undecided");
  EXPECT_LT(after, promised);
  first().commit_with(PostgresCluster::Standby::none);
  make(100);
  EXPECT_FALSE(is_there(1));
  EXPECT_TRUE(is_there(3)) << "it was under way";
}

TEST_P(Unanswered, ReadsAndEditsAreToldInTimeWhereTheWholeServerIsFrozen) {
  use_all_readers();
  make(0);
  first().freeze();
  auto edits =
      std::async(std::launch::async, [&] { return answers_of([&](int number) { make(number); }); });
  const auto reads = answers_of([&](int number) { (void)is_there(number); });
  const auto edited = edits.get();
  first().thaw();
  for (const auto& [told, after] : reads) {
    EXPECT_LT(after, promised);
    EXPECT_EQ(told, "unavailable");
  }
  for (const auto& [told, after] : edited) {
    EXPECT_LT(after, promised);
    EXPECT_NE(told, "done");
  }
}

TEST_P(Unanswered, WhatHasADeadlineOfItsOwnEndsByIt) {
  use_all_readers();
  make(0);
  first().freeze();
  const runtime::DeadlineScope scope(runtime::Deadline::after(steady_clock.steady(), 500ms));
  EXPECT_LT(took([&] {
              EXPECT_EQ(told_of([&] { (void)is_there(0); }), "unavailable");
              EXPECT_EQ(told_of([&] { make(1); }), "unavailable");
              EXPECT_FALSE(jobs().await_seen(ShardNo{0}, 1, 100ms));
            }),
            1s);
  first().thaw();
}

INSTANTIATE_TEST_SUITE_P(Postgres, Unanswered, ::testing::Values(server()), store_name);

}  // namespace
}  // namespace cronally::conformance
