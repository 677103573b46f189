#include "store/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace cronally::store {
namespace {

using namespace std::chrono_literals;

constexpr Instant now{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};

SelfFacts self() { return {.version = "0.1.0", .tzdata = "2026f", .now = now}; }

// A cluster of two nodes with a synchronous standby, where nothing is wrong.
PostgresFacts sound() {
  PostgresFacts facts{.host = "db1:5432", .version = 150018};
  facts.synchronous_standby_names = "\"db2\"";
  facts.standbys = {{.name = "db2", .sync_state = "sync", .behind = 0}};
  facts.schema = facts.schema_known = 2;
  facts.clocks = {{.host = "db1:5432", .ahead = 2ms, .round_trip = 1ms},
                  {.host = "db2:5432", .ahead = -3ms, .round_trip = 1ms}};
  for (int i = 1; i <= 2; ++i) {
    facts.nodes.push_back({.id = NodeId{uuid_v4(1, static_cast<std::uint64_t>(i))},
                           .name = "n" + std::to_string(i),
                           .version = "0.1.0",
                           .tzdata = "2026f",
                           .live = true,
                           .beat_age = 1s,
                           .ttl = 5s,
                           .shards = 32});
  }
  facts.sealed = {{.account = {}, .sealed = "sealed"}};
  return facts;
}

SqliteFacts sound_file() {
  SqliteFacts facts{.file = "/data/cronally.db", .exists = true};
  facts.schema = facts.schema_known = 4;
  facts.integrity = "ok";
  facts.journal_mode = "wal";
  facts.size = std::int64_t{10} << 20;
  facts.free = std::int64_t{100} << 30;
  facts.last_commit = now - 1s;
  facts.sealed = {{.account = {}, .sealed = "sealed"}};
  return facts;
}

// What is not ok, as "failing primary".
std::vector<std::string> complaints(const std::vector<Finding>& findings) {
  std::vector<std::string> out;
  for (const auto& finding : findings) {
    EXPECT_FALSE(finding.says.empty()) << finding.check;
    EXPECT_EQ(finding.remedy.empty(), finding.level == Level::ok) << finding.says;
    if (finding.level == Level::ok) continue;
    out.push_back(std::string(text_of(finding.level)) + " " + finding.check);
  }
  return out;
}

std::string all_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const auto& finding : findings) text += finding.says + "\n" + finding.remedy + "\n";
  return text;
}

template <class Facts>
struct Row {
  const char* hazard;
  std::function<void(Facts&)> spoil;
  std::vector<std::string> complaints;
  const char* says;  // somewhere
};

TEST(JudgePostgres, FindsNothingWhereNothingIsWrong) {
  const auto findings = judge(sound(), self());
  EXPECT_THAT(complaints(findings), ::testing::IsEmpty());
  EXPECT_THAT(all_text(findings), ::testing::HasSubstr("db2: a failover to it loses nothing"));
  EXPECT_EQ(worst_of(findings), Level::ok);
}

template <class Facts>
void expect_all(const std::vector<Row<Facts>>& rows, const std::function<Facts()>& sound_one) {
  for (const auto& [hazard, spoil, expected, says] : rows) {
    auto facts = sound_one();
    spoil(facts);
    const auto findings = judge(facts, self());
    EXPECT_THAT(complaints(findings), ::testing::ElementsAreArray(expected)) << hazard;
    EXPECT_THAT(all_text(findings), ::testing::HasSubstr(says)) << hazard;
  }
}

TEST(JudgePostgres, NamesWhatWeakensTheServer) {
  using F = PostgresFacts;
  const std::vector<Row<F>> rows{
      {"a standby",
       [](F& f) { f.standby = true; },
       {"failing primary", "warning replication"},
       "db1:5432 is a standby"},
      {"two primaries",
       [](F& f) {
         f.clocks[0].primary = {7, 3};
         f.clocks[1].primary = {7, 4};
         f.clocks[1].began = 1;
       },
       {"failing primary"},
       "several servers take writes: db1:5432 (timeline 3), db2:5432 (timeline 4)"},
      {"one primary by two names",
       [](F& f) { f.clocks[0].primary = f.clocks[1].primary = {7, 3}; },
       {},
       "db1:5432 takes writes"},
      {"too old",
       [](F& f) { f.version = 120009; },
       {"failing version"},
       "PostgreSQL 12.9 is too old"},
      {"oldest", [](F& f) { f.version = 130000; }, {}, "PostgreSQL 13.0"},
      {"newer than tested", [](F& f) { f.version = 180001; }, {"warning version"}, "18.1"},
      // ---- durability and replication
      {"no fsync", [](F& f) { f.fsync = false; }, {"failing durability"}, "fsync is off"},
      {"torn pages", [](F& f) { f.full_page_writes = false; }, {"warning durability"}, "power cut"},
      {"no sync commit",
       [](F& f) { f.synchronous_commit = "off"; },
       {"failing durability", "warning replication"},
       "run twice"},
      {"local commit",
       [](F& f) { f.synchronous_commit = "local"; },
       {"warning replication"},
       "synchronous_commit is local: no commit waits"},
      {"in memory only",
       [](F& f) { f.synchronous_commit = "remote_write"; },
       {"warning replication"},
       "in memory"},
      {"applied", [](F& f) { f.synchronous_commit = "remote_apply"; }, {}, "loses nothing"},
      {"by quorum", [](F& f) { f.standbys[0].sync_state = "quorum"; }, {}, "loses nothing"},
      {"alone",
       [](F& f) {
         f.synchronous_standby_names.clear();
         f.standbys.clear();
       },
       {"warning replication"},
       "there is no standby"},
      {"alone under Patroni",
       [](F& f) {
         f.synchronous_standby_names.clear();
         f.standbys.clear();
         f.patroni = true;
       },
       {"warning replication"},
       "not strict"},
      {"asynchronous",
       [](F& f) {
         f.synchronous_standby_names.clear();
         f.standbys[0] = {.name = "db2", .sync_state = "async", .behind = 4711};
       },
       {"warning replication"},
       "db2 (4711 bytes behind)): a failover may lose"},
      {"asynchronous under Patroni",
       [](F& f) {
         f.synchronous_standby_names.clear();
         f.standbys[0].sync_state = "async";
         f.patroni = true;
       },
       {"warning replication"},
       "Patroni turned it so"},
      {"synchronous under Patroni", [](F& f) { f.patroni = true; }, {}, "synchronous_mode_strict"},
      {"nobody to wait for",
       [](F& f) { f.standbys.clear(); },
       {"failing replication"},
       "nothing is written until"},
      {"only a potential one",
       [](F& f) { f.standbys[0].sync_state = "potential"; },
       {"failing replication"},
       "none is connected"},
      {"not shown",
       [](F& f) { f.standbys[0].sync_state = ""; },
       {"warning replication"},
       "pg_monitor"},
  };
  expect_all<F>(rows, sound);
}

TEST(JudgePostgres, NamesWhatIsWrongAroundIt) {
  using F = PostgresFacts;
  const std::vector<Row<F>> rows{
      // ---- what stands between, and clocks
      {"a pooler of sessions", [](F& f) { f.pooled = true; }, {}, "a session of its own"},
      {"a pooler of transactions",
       [](F& f) { f.pooled = f.sessions_change = true; },
       {"failing pooler"},
       "pool_mode = session"},
      {"a clock ahead",
       [](F& f) { f.clocks[0].ahead = 502ms; },
       {"failing clock"},
       "db1:5432 is 502ms ahead of"},
      {"a clock behind",
       [](F& f) { f.clocks[1].ahead = -2s; },
       {"failing clock"},
       "db2:5432 is 2s behind"},
      {"within half of the round trip",
       [](F& f) {
         f.clocks[0].ahead = 600ms;
         f.clocks[0].round_trip = 300ms;
       },
       {},
       "600ms"},
      {"too far to tell",
       [](F& f) { f.clocks[0].round_trip = 3s; },
       {"warning clock"},
       "cannot be compared"},
      {"a host that does not answer",
       [](F& f) { f.clocks[1].error = "connection refused"; },
       {"warning clock"},
       "connection refused"},
      // ---- schema, nodes, work
      {"no schema yet",
       [](F& f) {
         f.schema = 0;
         f.nodes.clear();
         f.sealed.clear();
       },
       {},
       "the first start makes it"},
      {"an older schema", [](F& f) { f.schema = 1; }, {"warning schema"}, "schema 1 is older"},
      {"a newer schema", [](F& f) { f.schema = 3; }, {"failing schema"}, "newer Cronally"},
      {"no server", [](F& f) { f.nodes.clear(); }, {"warning nodes"}, "nothing fires"},
      {"dead servers only",
       [](F& f) { f.nodes[0].live = f.nodes[1].live = false; },
       {"warning nodes"},
       "nothing fires"},
      {"two versions",
       [](F& f) { f.nodes[1].version = "0.2.0"; },
       {"warning nodes"},
       "0.1.0, 0.2.0"},
      {"two tzdata", [](F& f) { f.nodes[1].tzdata = "2025a"; }, {"failing tzdata"}, "2025a, 2026f"},
      {"of a dead node",
       [](F& f) {
         f.nodes[1].tzdata = "2025a";
         f.nodes[1].live = false;
       },
       {},
       "2026f everywhere"},
      {"another tzdata here",
       [](F& f) { f.nodes[0].tzdata = f.nodes[1].tzdata = "2025a"; },
       {"warning tzdata"},
       "this host has tzdata 2026f"},
      {"a late heartbeat",
       [](F& f) { f.nodes[0].beat_age = 3001ms; },
       {"warning node"},
       "late, its shards go to others"},
      {"shards of nobody", [](F& f) { f.shards_free = 3; }, {"warning shards"}, "3 of 64"},
      {"not planned", [](F& f) { f.planning_behind = 76s; }, {"failing overdue"}, "is not planned"},
      {"not sent", [](F& f) { f.sending_behind = 11s; }, {"failing overdue"}, "taken up by nobody"},
      {"no autovacuum", [](F& f) { f.autovacuum = false; }, {"warning vacuum"}, "tables grow"},
      {"dead rows",
       [](F& f) { f.dead = {{.table = "run_open", .live = 10, .dead = 1'000'000}}; },
       {"warning vacuum"},
       "run_open has 1000000 dead rows"},
  };
  expect_all<F>(rows, sound);
}

TEST(JudgePostgres, AKeyThatDoesNotOpenFails) {
  auto who = self();
  who.key = Error{"master_key_missing", "there is no master.key"};
  EXPECT_THAT(complaints(judge(sound(), who)), ::testing::ElementsAre("failing key"));
}

TEST(JudgeSqlite, FindsNothingWhereNothingIsWrong) {
  EXPECT_THAT(complaints(judge(sound_file(), self())), ::testing::IsEmpty());
  auto running = sound_file();
  running.running = "process 17 holds it";
  running.integrity.clear();
  EXPECT_THAT(complaints(judge(running, self())), ::testing::IsEmpty());
}

TEST(JudgeSqlite, NamesEachWeaknessAndItsRemedy) {
  using F = SqliteFacts;
  const std::vector<Row<F>> rows{
      {"no file", [](F& f) { f.exists = false; }, {"warning file"}, "the first start makes it"},
      {"unreadable",
       [](F& f) { f.unreadable = "'x' cannot be read: not a database"; },
       {"failing file"},
       "cronally restore"},
      {"moved",
       [](F& f) { f.moved = "it was moved to postgres://db1/jobs"; },
       {"failing moved"},
       "postgres://db1/jobs"},
      {"an older schema", [](F& f) { f.schema = 3; }, {"warning schema"}, "older"},
      {"a newer schema", [](F& f) { f.schema = 5; }, {"failing schema"}, "newer Cronally"},
      {"damaged",
       [](F& f) { f.integrity = "Page 7 is never used"; },
       {"failing integrity"},
       "Page 7"},
      {"no log", [](F& f) { f.journal_mode = "delete"; }, {"warning durability"}, "not wal"},
      {"a great log",
       [](F& f) { f.log_size = std::int64_t{300} << 20; },
       {"warning log"},
       "300 MiB"},
      {"a full disk", [](F& f) { f.free = 1 << 20; }, {"failing space"}, "1 MiB are free"},
      {"little space",
       [](F& f) { f.free = std::int64_t{500} << 20; },
       {"warning space"},
       "--runs-max"},
      {"less than the database grows",
       [](F& f) { f.size = std::int64_t{500} << 30; },
       {"warning space"},
       "--runs-keep"},
      {"a clock set back", [](F& f) { f.last_commit = now + 90min; }, {"failing clock"}, "1h30m"},
  };
  expect_all<F>(rows, sound_file);
}

}  // namespace
}  // namespace cronally::store
