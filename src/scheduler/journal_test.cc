#include "scheduler/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "base/uuid.h"
#include "runtime/supervise.h"
#include "runtime/test_directory.h"
#include "scheduler/fake_spine_test.h"
#include "scheduler/journaled_commit.h"

namespace cronally::scheduler {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Instant noon = instant_from_us(1'780'000'000'000'000);
constexpr std::int64_t generation = 9;
const Fence fence{generation << core::generation_shift};

core::JournalRun claimed(std::uint64_t no) {
  return {.job = {uuid_v4(3, 4)},
          .run = {.id = {uuid_v7(noon, no, 5)}, .due = noon, .fence = fence, .send_at = noon}};
}
core::JournalRun ended(std::uint64_t no) {
  core::JournalRun record = claimed(no);
  record.run.state = core::RunState::ended;
  record.verdict = core::Verdict::succeeded;
  return record;
}

class Memory : public ::testing::Test {
 protected:
  ~Memory() override { stop(); }

  void start() {
    journal.emplace(node, runtime::AppendLogOptions{.directory = directory / "journal"},
                    Journal::Parts{spine, clock, health, metrics});
    ASSERT_TRUE(journal->open());
    supervisor.emplace(health, nullptr, runtime::RestartPolicy{.pause_min = 1ms, .pause_max = 1ms});
    supervisor->spawn("journal", [this](std::stop_token stop) { journal->run_log(stop); });
    supervisor->spawn("memory", [this](std::stop_token stop) { journal->run_memory(stop); });
  }
  void stop() {
    if (supervisor) supervisor->stop_and_join();
    supervisor.reset();
    journal.reset();
  }

  void record(std::vector<core::JournalRecord> records) {
    std::promise<bool> told;
    journal->record(std::move(records), true, [&](bool synced) { told.set_value(synced); });
    EXPECT_TRUE(told.get_future().get());
  }
  void hear(std::int64_t of, Duration quiet = {}) {
    journal->heard({.at = clock.wall(), .generation = of, .quiet_until = clock.wall() + quiet});
  }
  core::Heartbeat told() {
    core::Heartbeat said;
    journal->tell(said);
    return said;
  }
  std::size_t put_back() {
    std::lock_guard lock(spine.mutex);
    return spine.put_back.size();
  }
  template <class Condition>
  static bool eventually(Condition holds) {
    for (int tries = 0; tries < 2'000; ++tries) {
      if (holds()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
  bool failing(std::string_view name) {
    const auto readiness = health.readiness();
    return std::ranges::any_of(readiness.items,
                               [&](const auto& item) { return item.name == name && !item.ok; });
  }

  runtime::TestDirectory directory;
  runtime::ManualClock clock{noon};
  FakeSpine spine{clock};
  runtime::Health health;
  runtime::Metrics metrics;
  const NodeId node{uuid_v4(1, 2)};
  std::optional<Journal> journal;
  std::optional<runtime::Supervisor> supervisor;
};

TEST_F(Memory, HasNothingToPutBackWhenItHearsOfAStoreFirst) {
  start();
  record({claimed(1)});
  hear(generation);
  EXPECT_EQ(told().generation, generation);
  EXPECT_FALSE(told().putting_back);
  EXPECT_EQ(put_back(), 0U);
}

TEST_F(Memory, PutsBackWhenTheStoreHasForgotten) {
  start();
  hear(generation);
  record({claimed(1), claimed(2)});
  hear(generation + 1);
  EXPECT_TRUE(eventually([&] { return put_back() == 2; }));
  EXPECT_TRUE(eventually([&] { return !told().putting_back; }));
  EXPECT_EQ(told().generation, generation + 1);
  EXPECT_NE(metrics.render_prometheus().find("cronally_put_back_total{result=\"inserted\"} 2"),
            std::string::npos);
  EXPECT_NE(metrics.render_prometheus().find("cronally_database_forgot_total 1"),
            std::string::npos);
}

TEST_F(Memory, SaysThatItPutsBackUntilAllIs) {
  start();
  hear(generation);
  record({claimed(1)});
  spine.away = true;
  hear(generation + 1, 1h);
  EXPECT_TRUE(told().putting_back);
  EXPECT_TRUE(eventually([&] { return failing("journal"); }));
  EXPECT_TRUE(told().putting_back);
  spine.away = false;
  EXPECT_TRUE(eventually([&] { return !told().putting_back; }));
  EXPECT_EQ(put_back(), 1U);
  EXPECT_TRUE(failing("journal")) << "it is quiet yet";
  clock.advance(1h);
  hear(generation + 1);
  EXPECT_TRUE(eventually([&] { return !failing("journal"); }));
}

TEST_F(Memory, PutsBackWhatEndsWhileItIsQuietOnceMore) {
  start();
  hear(generation);
  record({claimed(1), claimed(2)});
  hear(generation + 1, 1h);
  EXPECT_TRUE(eventually([&] { return !told().putting_back; }));
  EXPECT_EQ(put_back(), 2U);
  record({ended(2)});
  EXPECT_TRUE(eventually([&] { return put_back() == 3; }));
  EXPECT_EQ(spine.put_back.back().verdict, core::Verdict::succeeded);
}

// It was perhaps never made: it must not come before the other when the store forgets again.
TEST_F(Memory, HasNoClaimAnyMoreWhoseOccurrenceAnotherRunHolds) {
  start();
  hear(generation);
  record({claimed(1), ended(2)});
  spine.reasserts = core::PutBack::taken;
  hear(generation + 1);
  EXPECT_TRUE(eventually([&] { return !told().putting_back; }));
  EXPECT_EQ(put_back(), 2U);
  hear(generation + 2);
  EXPECT_TRUE(eventually([&] { return !told().putting_back; }));
  EXPECT_EQ(put_back(), 3U) << "only what was sent";
}

TEST_F(Memory, OutlivesItsProcess) {
  start();
  hear(generation);
  record({claimed(1)});
  journal->follow({.records = {}, .cursors = {{{ShardNo{5}, fence}, noon}}});
  stop();
  start();
  EXPECT_EQ(told().generation, generation);
  EXPECT_THAT(told().cursors, ElementsAre(std::pair(ShardNo{5}, noon)));
  hear(generation);
  EXPECT_FALSE(told().putting_back) << "it forgot nothing meanwhile";
  stop();
  start();
  hear(generation + 1);
  EXPECT_TRUE(eventually([&] { return put_back() == 1; }));
}

// Older files in place are noticed by it alone.
TEST_F(Memory, KnowsTheNewestCursorAfterAStart) {
  start();
  hear(generation);
  journal->follow({.records = {}, .cursors = {{{ShardNo{5}, fence}, noon}}});
  journal->follow({.records = {}, .cursors = {{{ShardNo{5}, fence}, noon + 1s}}});
  stop();
  start();
  EXPECT_THAT(told().cursors, ElementsAre(std::pair(ShardNo{5}, noon + 1s)));
}

TEST_F(Memory, IsPutBackByTheNextProcessWhereTheFirstDidNotCome) {
  start();
  hear(generation);
  record({claimed(1)});
  spine.away = true;
  hear(generation + 1);
  stop();
  spine.away = false;
  start();
  EXPECT_EQ(told().generation, generation) << "nothing was put back under the new one";
  hear(generation + 1);
  EXPECT_TRUE(eventually([&] { return put_back() == 1; }));
}

TEST_F(Memory, KnowsCursorsOfTheGenerationThatTheStoreIsInAlone) {
  start();
  hear(generation);
  journal->follow({.records = {}, .cursors = {{{ShardNo{5}, fence}, noon}}});
  EXPECT_THAT(told().cursors, SizeIs(1));
  hear(generation + 1);
  EXPECT_THAT(told().cursors, IsEmpty());
  journal->follow({.records = {}, .cursors = {{{ShardNo{5}, fence}, noon}}});
  EXPECT_THAT(told().cursors, IsEmpty()) << "told late, of a commit that is forgotten";
}

TEST_F(Memory, OfAStoreThatForgetsNothingIsNeverAsked) {
  start();
  hear(0);
  EXPECT_EQ(told().generation, 0);
  EXPECT_FALSE(told().putting_back);
}

// ---- batches ------------------------------------------------------------------------------------

class JournaledBatch : public Memory {
 protected:
  std::shared_ptr<JournaledCommit> begin(bool durable) {
    core::BatchNotes notes;
    notes.first.emplace_back(claimed(1));
    notes.durable = durable;
    auto both = std::make_shared<JournaledCommit>(
        *journal, std::move(notes),
        [this](core::BatchFate was) { told.set_value(std::move(was)); });
    both->begin();
    return both;
  }
  std::promise<core::BatchFate> told;
  std::future<core::BatchFate> fate = told.get_future();
};

TEST_F(JournaledBatch, IsDoneWhenItIsCommittedAndInTheJournal) {
  start();
  auto both = begin(true);
  EXPECT_EQ(fate.wait_for(20ms), std::future_status::timeout);
  both->committed(core::BatchCommitted{.at = noon});
  EXPECT_TRUE(std::holds_alternative<core::BatchCommitted>(fate.get()));
}

TEST_F(JournaledBatch, IsNotDoneWhileTheJournalCannotBeWritten) {
  start();
  std::filesystem::remove_all(directory / "journal");
  auto both = begin(true);
  both->committed(core::BatchCommitted{.at = noon});
  EXPECT_TRUE(eventually([&] { return failing("journal"); }));
  EXPECT_EQ(fate.wait_for(0s), std::future_status::timeout);
  std::filesystem::create_directory(directory / "journal");
  EXPECT_TRUE(std::holds_alternative<core::BatchCommitted>(fate.get()));
  EXPECT_TRUE(eventually([&] { return !failing("journal"); }));
}

TEST_F(JournaledBatch, OfUnknownFateIsWhatTheJournalGaveUp) {
  start();
  std::filesystem::remove_all(directory / "journal");
  auto both = begin(true);
  both->committed(core::BatchCommitted{.at = noon});
  EXPECT_TRUE(eventually([&] { return failing("journal"); }));
  stop();
  EXPECT_TRUE(std::holds_alternative<core::BatchUnknown>(fate.get()));
}

TEST_F(JournaledBatch, ThatLetsNothingBeSentDoesNotWait) {
  start();
  std::filesystem::remove_all(directory / "journal");
  auto both = begin(false);
  both->committed(core::BatchCommitted{.at = noon});
  EXPECT_TRUE(std::holds_alternative<core::BatchCommitted>(fate.get()));
}

}  // namespace
}  // namespace cronally::scheduler
