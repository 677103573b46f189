// A SQLite store with one of everything is moved to PostgreSQL: what the verbs tell of both is the
// same, numbers go on above what was given, and fences too.
#include <filesystem>
#include <sstream>

#include "base/text.h"
#include "core/definition_json.h"
#include "store/postgres/import.h"
#include "store/sqlite/export.h"
#include "store/sqlite/open.h"
#include "tests/conformance/database_world.h"
#include "tests/conformance/postgres_proxy.h"
#include "tests/conformance/postgres_world.h"
#include "tests/conformance/store_fixture.h"
#include "tests/conformance/temporary_directory.h"

namespace cronally::conformance {
namespace {

class FileWorld : public DatabaseWorld {
 public:
  FileWorld() { open_first(); }
  std::filesystem::path file() const { return directory_.path() / "cronally.db"; }
  void close() { database_.reset(); }
  std::shared_ptr<runtime::ManualClock> shared_clock() const { return clock_; }

 private:
  void open() override {
    auto opened = store::open_sqlite({.file = file(), .clock = clock_});
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
  }

  TemporaryDirectory directory_;
};

StoreFactory files() {
  return {"Files", []() -> std::unique_ptr<World> {
            if (!PostgresCluster::get()) return nullptr;
            return std::make_unique<FileWorld>();
          }};
}

// ---- what the verbs tell of a store, as text ----------------------------------------------------

template <class Value>
std::string shown(const std::optional<Value>& value) {
  if (!value) return "-";
  if constexpr (std::is_same_v<Value, Instant>) {
    return format_instant(*value);
  } else if constexpr (std::is_enum_v<Value>) {
    return std::to_string(static_cast<int>(*value));
  } else {
    std::ostringstream out;
    out << *value;
    return out.str();
  }
}

std::string shown(const core::Run& run) {
  std::ostringstream out;
  out << run.id.text() << ' ' << run.job.text() << ' ' << run.job_no.value << ' ' << run.job_name
      << " r" << run.revision << ' ' << text_of(run.kind) << " '" << run.key << "' "
      << format_instant(run.scheduled_at) << ' ' << format_instant(run.due) << ' '
      << text_of(run.state) << ' ' << shown(run.verdict) << ' ' << text_of(run.reason) << " f"
      << run.fence.value << ' ' << shown(run.ended_at);
  for (const auto& attempt : run.attempts) {
    const auto& result = attempt.result;
    out << "\n    " << attempt.number << " r" << attempt.revision << " f" << attempt.fence.value
        << ' ' << attempt.node.text() << ' ' << static_cast<int>(result.fate) << ' '
        << result.status << ' ' << shown(result.first_byte_at) << ' '
        << format_instant(result.ended_at) << " '" << result.error << "' '" << result.response
        << "'";
  }
  return out.str();
}

std::string shown(const store::JobPlan& plan) {
  std::ostringstream out;
  out << plan.no.value << ' ' << plan.id.text() << " s" << plan.shard.value << " r" << plan.revision
      << ' ' << plan.name << ' ' << plan.schedule << ' ' << plan.zone << ' '
      << static_cast<int>(plan.dst) << ' ' << format_instant(plan.anchor) << ' '
      << format_instant(plan.changed_at) << " c" << plan.change << plan.planned << plan.paused
      << plan.deleted << ' ' << static_cast<int>(plan.last_change) << ' '
      << static_cast<int>(plan.delivery) << ' ' << plan.retry.attempts << ' '
      << plan.retry.backoff_min.count() << ' ' << plan.retry.backoff_max.count() << ' '
      << (plan.retry.age_max ? plan.retry.age_max->count() : -1) << ' '
      << static_cast<int>(plan.catch_up.mode) << ' ' << plan.catch_up.window.count() << ' '
      << plan.catch_up.limit << ' ' << plan.destination;
  for (const auto& owed : plan.owed_before) {
    out << "\n    r" << owed.revision << ' ' << owed.schedule << ' ' << format_instant(owed.anchor)
        << ' ' << format_instant(owed.from) << ' ' << format_instant(owed.until) << ' '
        << text_of(owed.withdrawn);
  }
  return out.str();
}

// Without its number, which is another one.
std::string shown(const core::OpenRun& run) {
  std::ostringstream out;
  out << run.id.text() << ' ' << run.job.value << " s" << run.shard.value << " r" << run.revision
      << ' ' << text_of(run.kind) << ' ' << text_of(run.state) << ' '
      << format_instant(run.scheduled_at) << ' ' << format_instant(run.due) << " f"
      << run.fence.value << " a" << run.attempt << ' ' << format_instant(run.send_at) << ' '
      << run.failures << ' ' << run.unknowns << ' ' << shown(run.first_attempt_at);
  return out.str();
}

using Lines = std::vector<std::string>;

void add_accounts(store::Accounts& accounts, Lines& lines) {
  for (const auto& account : accounts.all()) {
    std::ostringstream out;
    out << account.no.value << ' ' << account.id.text() << ' ' << account.name << ' '
        << account.sealed_signing_secret << " '" << account.email << "' ";
    if (account.api) out << account.api->key.text() << ' ' << account.api->sealed_secret;
    if (account.failure_webhook) {
      out << ' ' << account.failure_webhook->url;
      for (const auto& [name, id] : account.failure_webhook->secret_headers) {
        out << ' ' << name << ' ' << id.text();
      }
    }
    out << ' ' << accounts.job_count(account.no);
    for (const auto& token : accounts.tokens(account.no)) {
      out << "\n    " << token.id.text() << ' ' << token.name << ' ' << token.admin << ' '
          << format_instant(token.created_at);
    }
    lines.push_back(out.str());
  }
  for (const auto* digest : {"digest of admin", "digest of plain", "digest of nobody"}) {
    const auto who = accounts.authenticate(digest);
    lines.push_back(std::string(digest) + (who ? " " + who->token.text() : ""));
  }
}

void add_jobs(store::Database& database, AccountNo account, Lines& lines) {
  std::vector<std::pair<JobNo, Revision>> revisions;
  store::JobFilter filter{.name_prefix = {}, .labels = {}, .cursor = {}, .limit = 1000};
  for (const auto& job : database.jobs().list_jobs(account, filter)->items) {
    std::ostringstream out;
    out << job.no.value << ' ' << job.id.text() << " s" << job.shard.value << " r" << job.revision
        << ' ' << format_instant(job.anchor) << ' ' << format_instant(job.created_at) << ' '
        << format_instant(job.updated_at) << " c" << job.change << ' ' << job.v1_name.value_or("-")
        << ' ' << core::write_definition(job.definition);
    lines.push_back(out.str());
    for (Revision r = 0; r <= job.revision; ++r) revisions.emplace_back(job.no, r);
  }
  filter.labels = {{"team", "ops"}};
  for (const auto& job : database.jobs().list_jobs(account, filter)->items) {
    lines.push_back("labelled " + job.definition.name);
  }
  for (const auto& found : database.spine().read_deliverables(revisions)) {
    std::ostringstream out;
    out << (found ? core::write_definition(found->definition) : "erased");
    for (std::size_t i = 0; found && i < found->sealed_ids.size(); ++i) {
      out << ' ' << found->sealed_headers[i].first << ' ' << found->sealed_headers[i].second << ' '
          << found->sealed_ids[i].text();
    }
    lines.push_back(out.str());
  }
}

void add_plans(store::Spine& spine, Lines& lines) {
  auto read = spine.read_shards(all_shards());
  for (const auto& shard : read.shards) {
    lines.push_back(std::to_string(shard.no.value) + " at " + format_instant(shard.cursor) +
                    " change " + std::to_string(shard.change));
  }
  std::ranges::sort(read.jobs, {}, &store::JobPlan::no);
  for (const auto& plan : read.jobs) lines.push_back(shown(plan));
  std::vector<std::pair<ShardNo, std::int64_t>> since;
  for (int shard = 0; shard < shard_count; ++shard) since.emplace_back(ShardNo{shard}, 0);
  auto changes = spine.wait_for_changes(since, 0ms);
  std::ranges::sort(changes.jobs, {}, &store::JobPlan::no);
  for (const auto& plan : changes.jobs) lines.push_back("changed " + shown(plan));
  for (const auto& run : changes.requested) lines.push_back("requested " + shown(run));
}

void add_runs(store::Database& database, AccountNo account, Lines& lines) {
  store::RunFilter filter;
  filter.limit = 1000;
  for (const auto& run : database.ledger().list_runs(account, filter)->items) {
    lines.push_back(shown(run));
    EXPECT_EQ(shown(*database.ledger().find_run(account, run.id)), lines.back());
  }
  for (const auto& run : database.spine().read_open_runs(all_shards(), Instant::max(), 1000)) {
    lines.push_back("open " + shown(run));
  }
  for (const auto& span : database.ledger().list_skipped(account, std::nullopt, 1000)) {
    lines.push_back("skipped " + span.job.text() + " r" + std::to_string(span.revision) + ' ' +
                    format_instant(span.from) + ' ' + format_instant(span.to) + ' ' +
                    std::string(text_of(span.reason)) + ' ' + shown(span.count));
  }
  for (const auto& span : database.spine().uncounted_spans(100)) {
    lines.push_back("uncounted " + std::to_string(span.no) + ' ' + span.job.name);
  }
  lines.push_back("runs kept " + std::to_string(database.retention().runs_kept()));
}

void add_notices(store::Database& database, Lines& lines) {
  std::uint64_t ids = 0;
  for (int round = 0; round < 2; ++round) {  // the open batch, then what waited behind it
    for (const auto& batch : database.notices().open_batches(
             [&](Instant now) { return RunId{uuid_v7(now, ++ids, 33)}; })) {
      std::ostringstream out;
      out << "batch of " << batch.account.value << " attempt " << batch.attempt << ' '
          << (round == 0 ? batch.id.text() : "") << ' ' << batch.count << ' '
          << format_instant(batch.since) << ' ' << batch.url << ' ' << batch.sealed_signing_secret;
      if (round == 0) out << ' ' << format_instant(batch.send_at);
      for (const auto& run : batch.runs) out << ' ' << run.text();
      for (const auto& [id, header] : batch.sealed_headers) {
        out << ' ' << id.text() << ' ' << header.first << ' ' << header.second;
      }
      lines.push_back(out.str());
      if (round == 0) database.notices().settle(batch.account, batch.id);
    }
  }
}

// It settles the open batch of notices.
Lines picture(store::Database& database) {
  Lines lines;
  add_accounts(database.accounts(), lines);
  for (const auto& account : database.accounts().all()) {
    add_jobs(database, account.no, lines);
    add_runs(database, account.no, lines);
  }
  add_plans(database.spine(), lines);
  add_notices(database, lines);
  return lines;
}

// ---- the world ----------------------------------------------------------------------------------

class Move : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    name = cluster().create_database(PostgresWorld::prepared());
  }
  void TearDown() override {
    target.reset();
    if (!name.empty()) cluster().drop_database(name);
  }

  static PostgresCluster& cluster() { return *PostgresCluster::get(); }
  FileWorld& source() { return static_cast<FileWorld&>(*world); }
  store::Database& database() { return *world->database(); }

  core::Job create_with_everything() {
    auto made = definition("with everything");
    made.description = "zażółć \"quoted\"";
    made.labels = {{"team", "ops"}, {"ключ", "значение"}};
    made.zone = "Europe/Riga";
    made.schedule = "0 2 * * *";
    made.dst = cron::Dst::skip;
    made.retry.age_max = 90min;
    made.catch_up = {.mode = core::CatchUpMode::all, .window = 2h, .limit = 7};
    const SecretId secret{uuid_v4(51, 51)};
    auto target_with_secret = core::HttpTarget{.url = "https://example.com/secret"};
    target_with_secret.secret_headers = {{"Authorization", secret}};
    made.target = target_with_secret;
    auto created = jobs().create_jobs(
        world->account(),
        {{fresh_job_id(), made, {{secret, std::string("sealed\0\xff", 8)}}, "v1 \xff name"}},
        store::Existing::fail, std::nullopt);
    EXPECT_TRUE(created);
    return std::get<std::vector<core::Job>>(*created).at(0);
  }

  Result<store::Created> create_once() {
    store::Idempotency idempotency{"key", "digest",
                                   [](const auto& made) { return "made " + made.at(0).id.text(); }};
    return jobs_of(target ? *target : database())
        .create_jobs(world->account(), {{fresh_job_id(), definition("made once"), {}}},
                     store::Existing::fail, std::move(idempotency));
  }
  static store::Jobs& jobs_of(store::Database& of) { return of.jobs(); }

  void fill_accounts() {
    auto changed = database().accounts().account(world->account());
    const SecretId secret{uuid_v4(41, 41)};
    changed.failure_webhook = {"https://example.com/failed", {{"X-Key", secret}}};
    database().accounts().change_account(changed, {{secret, "sealed key"}});
    store::Token plain{.id = TokenId{uuid_v4(21, 7)}, .name = "plain", .admin = false};
    EXPECT_TRUE(database().accounts().create_token(world->account(), plain, "digest of plain"));
    store::Account signing{.id = AccountId{uuid_v4(22, 1)}, .name = "signing"};
    signing.sealed_signing_secret = "another sealed secret";
    signing.email = "Ops@example.com";
    signing.api = {ApiKey{uuid_v4(22, 2)}, std::string("\0sealed\xff", 8)};
    EXPECT_TRUE(database().accounts().create_account(signing));
  }

  // Runs in every state and of every kind of end, over two days, under two fences.
  void fill() {
    fill_accounts();
    auto rich = create_with_everything();
    job = create("report");
    auto edited = describe(create("edited"), "a second revision");
    auto held = pause(create("held"));
    remove(create("gone"));
    ASSERT_TRUE(create_once());
    commit({success(claimed(job, at(-25h)))});
    commit({success(requested(job, "manual:deploy"))});
    auto unknown = claimed(job, at(-2s));
    commit({core::End{unknown.no, unknown.shard, core::Verdict::unknown, core::Reason::expired}});
    database().notices().open_batches([](Instant now) { return RunId{uuid_v7(now, 1, 31)}; });
    auto failed = claimed(job, at(-1s));
    commit({core::End{failed.no, failed.shard, core::Verdict::failed, core::Reason::gone}});
    retried = claimed(edited, at(0s));
    commit({failure(retried, at(2min))});
    claimed(rich, at(1s));
    acquire();  // from here on under another fence
    auto taken = open_run(claimed(rich, at(2s)).no);
    commit({core::Begin{taken.no, taken.shard, taken.attempt}});
    asked = request(job, "manual:asked");
    commit({core::Skip{.job = job.no,
                       .shard = job.shard,
                       .revision = job.revision,
                       .from = at(-3h),
                       .to = at(-2h),
                       .reason = core::Reason::catch_up_limit},
            core::Advance{job.shard, at(3s), job.change}});
    commit({core::Skip{.job = rich.no,
                       .shard = rich.shard,
                       .revision = rich.revision,
                       .from = at(-5h),
                       .to = at(-4h),
                       .reason = core::Reason::catch_up_skip}});
    database().spine().set_span_counts({{1, 3600}});
    replanned(held, core::Replan::Change::created);
  }

  store::MoveIn how() {
    return {.address = cluster().address(name),
            .id = uuid_v4(61, 61),
            .before_commit = [](std::int64_t) {},
            .progress = [](std::int64_t) {}};
  }
  Result<store::MovedIn> move() { return move(how()); }
  Result<store::MovedIn> move(const store::MoveIn& with) {
    const auto rows = store::export_sqlite(source().file());
    return store::move_in(*rows, with);
  }
  std::string code_of(const Result<store::MovedIn>& moved) {
    return moved ? "moved" : moved.error().code;
  }
  void set_target_clock(Instant now) {
    auto db = cluster().connect(name);
    PostgresWorld::set_clock(db, now);
  }
  bool target_is_empty() {
    auto db = cluster().connect(name);
    return db.execute(
                 "SELECT (SELECT count(*) FROM cronally.account) + (SELECT count(*) FROM "
                 "cronally.job) + (SELECT count(*) FROM cronally.run)")[0]
               .integer(0) == 0;
  }
  void open_target() {
    auto opened = store::open_postgres(
        {.address = cluster().address(name), .clock = source().shared_clock()});
    ASSERT_TRUE(opened) << opened.error().message;
    target = std::move(*opened);
  }

  std::string name;
  std::unique_ptr<store::Database> target;
  core::Job job;
  core::OpenRun retried;
  core::Run asked;
};

TEST_P(Move, TheVerbsTellTheSameOfBothStores) {
  fill();
  world->clock().advance(1min);
  set_target_clock(at(1min));
  source().close();
  const auto moved = move();
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moved->runs, 8);
  EXPECT_EQ(moved->jobs, 6);
  EXPECT_TRUE(moved->replicated);
  world->reopen();
  open_target();
  EXPECT_EQ(picture(*target), picture(database()));
}

TEST_P(Move, WhatIsGivenNextGoesOnBehindWhatWasGiven) {
  fill();
  world->clock().advance(1min);
  set_target_clock(at(1min));
  const auto last = fence;
  source().close();
  const auto moved = move();
  ASSERT_TRUE(moved) << moved.error().message;
  open_target();
  const auto granted = target->spine().acquire(NodeId{uuid_v4(1, 9)});
  EXPECT_GT(granted.fence, last);
  EXPECT_EQ(granted.fence.value >> 36, moved->generation);
  EXPECT_GT(moved->generation, last.value >> 36);
  EXPECT_GE(granted.resume_at, at(1min)) << "what may have been sent before is not sent again";

  const auto known = target->jobs().request_run(world->account(), job.id, core::RunKind::manual,
                                                "manual:asked", RunId{uuid_v7(at(9s), 1, 1)});
  ASSERT_TRUE(known);
  EXPECT_EQ(known->id, asked.id) << "a key leads to its run";
  const auto fresh = target->jobs().request_run(world->account(), job.id, core::RunKind::manual,
                                                "manual:fresh", RunId{uuid_v7(at(9s), 2, 1)});
  ASSERT_TRUE(fresh);
  EXPECT_NE(fresh->id, asked.id);
  const auto again = create_once();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(std::holds_alternative<store::Replayed>(*again));
  const auto more = jobs_of(*target).create_jobs(
      world->account(), {{fresh_job_id(), definition("more"), {}}}, store::Existing::fail, {});
  ASSERT_TRUE(more);
  EXPECT_GT(std::get<std::vector<core::Job>>(*more).at(0).no.value, 6);
}

// The file was moved once, served there, and taken back: of what was sent meanwhile the journals of
// the nodes know alone.
TEST_P(Move, WhatIsInAJournalOfADatabaseBeforeIsPutBackFirst) {
  constexpr std::int64_t before = 5000;  // above all that the day gives
  job = create("report");
  source().close();
  store::write_moved_mark(source().file(), {.move = uuid_v4(61, 61)}, before);
  store::clear_moved_mark(source().file());
  set_target_clock(at(1min));
  const auto moved = move();
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_GT(moved->generation, before) << "so that a node of then sees that it is another";
  world->clock().advance(1min);
  open_target();
  const NodeId other{uuid_v4(1, 9)};
  const auto beat = [&](std::int64_t generation) {
    return target->spine().heartbeat({.node = other, .generation = generation});
  };
  const auto told = beat(before);
  EXPECT_EQ(told.generation, moved->generation);
  EXPECT_THAT(told.granted, IsEmpty());
  const core::RememberedRun sent{.node = other,
                                 .job = job.id,
                                 .run = {.id = RunId{uuid_v7(at(9s), 1, 1)},
                                         .shard = job.shard,
                                         .revision = job.revision,
                                         .scheduled_at = at(9s),
                                         .due = at(9s),
                                         .fence = {before << core::generation_shift},
                                         .send_at = at(9s)}};
  EXPECT_THAT(target->spine().reassert({sent}), ElementsAre(core::PutBack::inserted));
  EXPECT_THAT(beat(told.generation).granted, SizeIs(shard_count));
  const auto open = target->spine().read_open_runs(
      ShardSet{}.set(static_cast<std::size_t>(job.shard.value)), Instant::max(), 9);
  ASSERT_THAT(open, SizeIs(1));
  EXPECT_EQ(open[0].id, sent.run.id);
}

TEST_P(Move, ACursorOfChangesHasExpired) {
  fill();
  const auto cursor = database().ledger().run_changes(world->account(), {}, {})->next_cursor;
  world->clock().advance(1min);
  set_target_clock(at(1min));
  source().close();
  ASSERT_TRUE(move());
  open_target();
  EXPECT_EQ(target->ledger().run_changes(world->account(), cursor, {}).error().code,
            "cursor_expired");
  EXPECT_TRUE(target->ledger().run_changes(world->account(), {}, {}));
}

// ---- what is refused, and what a death leaves ---------------------------------------------------

TEST_P(Move, ATargetThatHoldsSomethingIsRefused) {
  world->clock().advance(1s);
  set_target_clock(at(1s) + 1us);
  source().close();
  ASSERT_TRUE(move());
  auto other = how();
  other.id = uuid_v4(62, 62);
  EXPECT_EQ(code_of(move(other)), "target_not_empty");
  const auto again = move();
  ASSERT_TRUE(again) << "the same move once more finds that it is done";
  EXPECT_TRUE(again->before);
}

TEST_P(Move, ATargetOnWhichAServerRunsIsRefused) {
  world->clock().advance(1s);
  set_target_clock(at(1s) + 1us);
  source().close();
  open_target();
  target->spine().heartbeat({.node = NodeId{uuid_v4(1, 9)}});
  EXPECT_EQ(code_of(move()), "target_in_use");
  set_target_clock(at(1h));
  EXPECT_EQ(code_of(move()), "moved") << "its lease has ended";
}

TEST_P(Move, AClockBehindWhatWasCommittedIsRefused) {
  world->clock().advance(1min);
  create("late");
  set_target_clock(at(59s));
  source().close();
  const auto moved = move();
  EXPECT_EQ(code_of(moved), "clock_behind");
  EXPECT_TRUE(target_is_empty());
}

TEST_P(Move, WhatIsNotMovedCanBeAskedForAlone) {
  set_target_clock(at(1s));
  source().close();
  auto asking = how();
  asking.may_write = false;
  EXPECT_EQ(code_of(move(asking)), "not_moved");
  EXPECT_TRUE(target_is_empty());
}

// The file cannot be marked: then nothing is to be there.
TEST_P(Move, AFailureRightBeforeTheCommitLeavesNothing) {
  fill();
  set_target_clock(at(1min));
  source().close();
  auto failing = how();
  failing.before_commit = [](std::int64_t) { throw Unavailable("the disk is full"); };
  EXPECT_THROW((void)move(failing), Unavailable);
  EXPECT_TRUE(target_is_empty());
  EXPECT_EQ(code_of(move()), "moved") << "and another try is free to do it";
}

TEST_P(Move, AConnectionLostAroundTheCommitIsFoundOut) {
  fill();
  set_target_clock(at(1min));
  source().close();
  PostgresProxy proxy(cluster().port());
  auto through = how();
  through.address = proxy.address_of(name);
  through.before_commit = [&](std::int64_t) { proxy.cut_next(PostgresProxy::Cut::before_commit); };
  EXPECT_EQ(code_of(move(through)), "move_failed");
  EXPECT_TRUE(target_is_empty());
  through.before_commit = [&](std::int64_t) { proxy.cut_next(PostgresProxy::Cut::after_commit); };
  const auto moved = move(through);
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moved->runs, 8);
  EXPECT_FALSE(target_is_empty());
}

// Two servers that take writes, the older one first in the address.
class MoveToReplaced : public Move {
 protected:
  void SetUp() override {
    Move::SetUp();
    if (IsSkipped()) return;
    fill();
    set_target_clock(at(1min));
    source().close();
    newer = cluster().make_standby();
    newer->promote();
  }
  std::string address_of(int first, int second) const {
    return "host=127.0.0.1,127.0.0.1 port=" + std::to_string(first) + "," + std::to_string(second) +
           " user=cronally sslmode=disable gssencmode=disable dbname=" + name;
  }

  std::unique_ptr<PostgresCluster> newer;
};

TEST_P(MoveToReplaced, TheServerThatWasPromotedTakesIt) {
  auto with = how();
  with.address = address_of(cluster().port(), newer->port());
  EXPECT_EQ(code_of(move(with)), "moved");
  EXPECT_TRUE(target_is_empty()) << "the server that was replaced";
}

// It would say that nothing was moved, and the file would be served on.
TEST_P(MoveToReplaced, TheServerOfBeforeIsNotAskedWhatBecameOfTheMove) {
  PostgresProxy to_older(cluster().port());
  PostgresProxy to_newer(newer->port());
  to_older.refuse(true);
  auto with = how();
  with.address = address_of(to_older.port(), to_newer.port());
  with.before_commit = [&](std::int64_t) {
    to_older.refuse(false);
    to_newer.cut_next(PostgresProxy::Cut::after_commit);
  };
  EXPECT_EQ(code_of(move(with)), "moved");
}

// ---- the mark -----------------------------------------------------------------------------------

TEST_P(Move, AMarkedFileIsServedByNobodyUntilTheMarkGoes) {
  source().close();
  const auto opened = [&] {
    auto tried = store::open_sqlite({.file = source().file(), .clock = source().shared_clock()});
    return tried ? "opened" : tried.error().code + ": " + tried.error().message;
  };
  store::MovedMark mark{
      .move = uuid_v4(61, 61), .target = "postgres://db1/cronally", .at = start_instant};
  const auto last = fence;
  store::write_moved_mark(source().file(), mark, 5000);
  EXPECT_THAT(opened(), ::testing::StartsWith("database_moved: a move of "));
  mark.ended = true;
  store::write_moved_mark(source().file(), mark, 5000);
  EXPECT_THAT(opened(), ::testing::HasSubstr("postgres://db1/cronally at 2026-12-01T10:00:00Z"));
  const auto read = store::moved_mark_of(source().file());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->move, mark.move);
  EXPECT_TRUE(read->ended);
  store::clear_moved_mark(source().file());
  EXPECT_FALSE(store::moved_mark_of(source().file()));
  EXPECT_EQ(opened(), "opened");
  world->reopen();
  acquire();
  EXPECT_GT(fence.value >> 36, 5000) << "above the fences of where it was";
  EXPECT_GT(fence, last);
}

TEST(ShownAddress, HasNoPassword) {
  struct Row {
    const char* address;
    const char* shown;
  };
  for (const auto& [address, text] :
       {Row{"postgres://cronally:geheim@db1:5433,db2/jobs?sslmode=require",
            "postgres://cronally@db1:5433,db2/jobs"},
        Row{"host=/run/postgresql user=me password=geheim", "postgres://me@/run/postgresql"},
        Row{"dbname=jobs", "postgres:///jobs"}, Row{"hots=geheim", "a database"}}) {
    EXPECT_EQ(store::shown_address(address), text);
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sqlite, Move, ::testing::Values(files()), store_name);
INSTANTIATE_TEST_SUITE_P(Sqlite, MoveToReplaced, ::testing::Values(files()), store_name);

}  // namespace cronally::conformance
