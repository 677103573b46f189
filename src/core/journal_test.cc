#include "core/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/uuid.h"
#include "core/journal_memory.h"
#include "core/journal_notes.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Instant noon = instant_from_us(1'780'000'000'000'000);
const NodeId node{uuid_v4(1, 2)};
const JobId job{uuid_v4(3, 4)};

RunId run_id(std::uint64_t no) { return RunId{uuid_v7(noon, no, 5)}; }

JournalRun claimed(std::uint64_t no, Instant due = noon) {
  return {.job = job,
          .run = {.id = run_id(no),
                  .shard = {7},
                  .revision = 2,
                  .scheduled_at = due,
                  .due = due,
                  .fence = {(std::int64_t{9} << generation_shift) + 3},
                  .send_at = due}};
}

JournalRun ended(std::uint64_t no, std::int32_t attempt = 1) {
  JournalRun record = claimed(no);
  record.run.state = RunState::ended;
  record.run.attempt = attempt;
  record.verdict = Verdict::succeeded;
  record.attempt = JournalAttempt{.number = attempt,
                                  .revision = 2,
                                  .fence = record.run.fence,
                                  .fate = Fate::answered,
                                  .status = 204,
                                  .first_byte_at = noon + 1ms,
                                  .ended_at = noon + 9ms};
  return record;
}

// Of each kind one, and of a run all that can be.
std::vector<JournalRecord> of_each_kind() {
  JournalRun retried = claimed(2);
  retried.run.kind = RunKind::manual;
  retried.run.state = RunState::begun;
  retried.run.attempt = 3;
  retried.run.failures = 1;
  retried.run.unknowns = 1;
  retried.run.first_attempt_at = noon - 1h;
  retried.run.send_at = noon + 7s;
  return {JournalMark{node, 9},
          claimed(1),
          retried,
          ended(3),
          claimed(4),
          JournalVoid{run_id(4)},
          claimed(5, noon + 1s),
          claimed(6, noon + 2s),
          claimed(7, noon + 3s),
          JournalReplan{job, 3, noon, {noon + 2s}, {run_id(7)}, claimed(5).run.fence, noon},
          JournalCursors{{{{1}, noon}, {{63}, noon + 1s}}}};
}

JournalReplay replay(std::string_view bytes) {
  JournalReplay replayed;
  replayed.add(bytes);
  return replayed;
}

std::vector<RunId> ids_of(const JournalReplay& replayed) {
  std::vector<RunId> ids;
  for (const auto& [id, known] : replayed.runs()) ids.push_back(id);
  return ids;
}

// ---- bytes ------------------------------------------------------------------------------------

TEST(Journal, ComesBackAsItWasWritten) {
  const auto replayed = replay(journal_block(of_each_kind()));
  EXPECT_EQ(replayed.mark(), (JournalMark{node, 9}));
  EXPECT_EQ(replayed.damaged(), 0U);
  EXPECT_THAT(ids_of(replayed), ElementsAre(run_id(1), run_id(2), run_id(3), run_id(6), run_id(7)));
  const RememberedRun& retried = replayed.runs().at(run_id(2));
  EXPECT_EQ(retried.node, node);
  EXPECT_EQ(retried.job, job);
  EXPECT_EQ(retried.run.shard, ShardNo{7});
  EXPECT_EQ(retried.run.revision, 2);
  EXPECT_EQ(retried.run.kind, RunKind::manual);
  EXPECT_EQ(retried.run.state, RunState::begun);
  EXPECT_EQ(retried.run.scheduled_at, noon);
  EXPECT_EQ(retried.run.due, noon);
  EXPECT_EQ(retried.run.fence, claimed(2).run.fence);
  EXPECT_EQ(retried.run.attempt, 3);
  EXPECT_EQ(retried.run.send_at, noon + 7s);
  EXPECT_EQ(retried.run.failures, 1);
  EXPECT_EQ(retried.run.unknowns, 1);
  EXPECT_EQ(retried.run.first_attempt_at, noon - 1h);
  const RememberedRun& done = replayed.runs().at(run_id(3));
  EXPECT_EQ(done.run.state, RunState::ended);
  EXPECT_EQ(done.verdict, Verdict::succeeded);
  EXPECT_THAT(done.attempts, ElementsAre(*ended(3).attempt));
  EXPECT_THAT(replayed.cursors(),
              ElementsAre(std::pair(ShardNo{1}, noon), std::pair(ShardNo{63}, noon + 1s)));
}

TEST(Journal, OfNothingIsNothing) {
  EXPECT_EQ(journal_block({}), "");
  EXPECT_THAT(replay("").runs(), IsEmpty());
  EXPECT_EQ(replay("").mark().generation, 0);
}

TEST(Journal, HasAllWholeBlocksWhereverItIsTorn) {
  std::string bytes;
  std::vector<std::size_t> ends;
  for (std::uint64_t no = 1; no <= 3; ++no) {
    bytes += journal_block({claimed(no)});
    ends.push_back(bytes.size());
  }
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const auto replayed = replay(std::string_view(bytes).substr(0, length));
    const auto whole = std::ranges::count_if(ends, [&](auto end) { return end <= length; });
    EXPECT_EQ(std::ssize(replayed.runs()), whole) << "torn at " << length;
    EXPECT_EQ(replayed.damaged(), 0U) << "a torn end is no damage";
  }
}

TEST(Journal, LosesNoBlockButTheOneInWhichABitIsFlipped) {
  std::string bytes;
  for (std::uint64_t no = 1; no <= 3; ++no) bytes += journal_block({claimed(no)});
  const std::size_t block = bytes.size() / 3;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto hit = static_cast<std::uint64_t>(bit / 8 / block) + 1;
    std::vector<RunId> rest;
    for (std::uint64_t no = 1; no <= 3; ++no) {
      if (no != hit) rest.push_back(run_id(no));
    }
    EXPECT_EQ(ids_of(replay(flipped)), rest) << "bit " << bit;
  }
}

TEST(Journal, PassesOverWhatIsNone) {
  const bool holds =
      rc::check("any bytes before a block do not hide it", [](const std::string& noise) {
        const auto replayed = replay(noise + journal_block({claimed(1)}));
        RC_ASSERT(ids_of(replayed) == std::vector<RunId>{run_id(1)});
      });
  EXPECT_TRUE(holds);
}

TEST(Journal, LooksLikeDamageOnlyWhereItGoesOn) {
  const std::string block = journal_block({claimed(1)});
  EXPECT_EQ(replay("zeros\0\0" + block).damaged(), 1U);
  EXPECT_EQ(replay(block + "CRJ1 torn").damaged(), 0U);
}

TEST(Journal, ContinuesFromFileToFile) {
  JournalReplay replayed;
  replayed.add(journal_block({JournalMark{node, 9}, claimed(1)}) + "torn");
  replayed.add(journal_block({JournalMark{node, 10}, ended(1)}));
  EXPECT_EQ(replayed.mark().generation, 10);
  EXPECT_EQ(replayed.runs().at(run_id(1)).run.state, RunState::ended);
}

TEST(Journal, KnowsCursorsOfTheGenerationItIsWrittenForAlone) {
  const JournalCursors cursors{{{{1}, noon}}};
  const std::string before = journal_block({JournalMark{node, 9}, cursors});
  EXPECT_THAT(replay(before + journal_block({JournalMark{node, 9}})).cursors(), SizeIs(1));
  EXPECT_THAT(replay(before + journal_block({JournalMark{node, 10}})).cursors(), IsEmpty())
      << "the database forgot them, and is not behind because of that";
}

// ---- what a run came to -------------------------------------------------------------------------

TEST(Journal, KnowsARunAsItStoodLast) {
  JournalRun again = claimed(1);
  again.run.state = RunState::begun;
  again.run.attempt = 2;
  again.attempt = JournalAttempt{.number = 1, .ended_at = noon};
  const auto replayed = replay(journal_block({claimed(1), again, ended(1, 2)}));
  const RememberedRun& known = replayed.runs().at(run_id(1));
  EXPECT_EQ(known.run.attempt, 2);
  EXPECT_EQ(known.verdict, Verdict::succeeded);
  EXPECT_THAT(known.attempts, SizeIs(2));
}

TEST(Journal, TakesAnAttemptThatEndsAfterItsRunWasTakenOverForNoMore) {
  JournalRun again = claimed(1);
  again.run.state = RunState::begun;
  again.run.attempt = 2;
  again.run.send_at = noon + 9s;
  again.attempt = JournalAttempt{.number = 1, .ended_at = noon};
  JournalRun taken = ended(1, 2);
  taken.run.fence = {again.run.fence.value + 1};
  const auto replayed = replay(journal_block({claimed(1), taken, again}));
  const RememberedRun& known = replayed.runs().at(run_id(1));
  EXPECT_EQ(known.verdict, Verdict::succeeded);
  EXPECT_EQ(known.run.fence, taken.run.fence);
  EXPECT_THAT(known.attempts, SizeIs(2));
}

// A takeover that its store did not make, for the end of an attempt came before it.
TEST(Journal, KnowsWhatBecameOfAnAttemptThoughWhatFollowedWasTakenBack) {
  const auto next = [](JournalRun run, std::int32_t attempt, std::int64_t fences_up) {
    run.run.attempt = attempt;
    run.run.fence.value += fences_up;
    return run;
  };
  const JournalRun read = claimed(1);
  const JournalRun taken = next(claimed(1), 2, 1);
  JournalRun cancelled = next(claimed(1), 1, 1);
  cancelled.run.state = RunState::ended;
  cancelled.verdict = Verdict::cancelled;
  JournalRun again = claimed(1);
  again.run.state = RunState::begun;
  again.run.attempt = 2;
  again.run.failures = 1;
  again.attempt = JournalAttempt{.number = 1, .fence = again.run.fence, .ended_at = noon};
  const JournalVoid gone{run_id(1)};
  struct Row {
    std::string what;
    std::vector<JournalRecord> records;
    RunState state;
    std::int32_t attempt;
  };
  const Row rows[] = {
      {"it ended", {read, ended(1), taken, read}, RunState::ended, 1},
      {"and was told again", {read, ended(1), taken, taken, read}, RunState::ended, 1},
      {"twice", {read, ended(1), taken, read, taken, read}, RunState::ended, 1},
      {"it ended late", {read, taken, ended(1), read}, RunState::ended, 1},
      {"and an older end came later still",
       {read, next(claimed(1), 3, 1), ended(1, 2), again, next(claimed(1), 2, 0)},
       RunState::ended,
       2},
      {"an end that was only intended", {read, ended(1), cancelled, read}, RunState::ended, 1},
      {"its next number was reserved", {read, again, next(taken, 3, 0), read}, RunState::begun, 2},
      {"nothing had become of it", {read, taken, read}, RunState::claimed, 1},
      {"nor is it known to have ended", {read, cancelled, read}, RunState::claimed, 1},
      {"another went on with it", {read, ended(1), next(taken, 3, 1), taken}, RunState::claimed, 2},
      {"it was taken over", {read, ended(1), taken}, RunState::claimed, 2},
      {"it was asked for, of a store that had forgotten",
       {read, ended(1), next(claimed(1), 1, 1)},
       RunState::ended,
       1},
      {"in vain", {read, ended(1), next(claimed(1), 1, 1), gone}, RunState::ended, 1},
      {"and it was to be tried again", {read, again, next(claimed(1), 1, 1)}, RunState::begun, 2},
  };
  for (const auto& row : rows) {
    const auto replayed = replay(journal_block(row.records));
    const RememberedRun& known = replayed.runs().at(run_id(1));
    EXPECT_EQ(known.run.state, row.state) << row.what;
    EXPECT_EQ(known.run.attempt, row.attempt) << row.what;
    EXPECT_EQ(known.verdict == Verdict::succeeded, row.state == RunState::ended) << row.what;
  }
}

TEST(Journal, KnowsWhoTookOverWhatIsToBeTriedAgain) {
  JournalRun again = claimed(1);
  again.run.state = RunState::begun;
  again.run.attempt = 2;
  JournalRun taken = again;
  ++taken.run.fence.value;
  again.attempt = JournalAttempt{.number = 1, .fence = again.run.fence, .ended_at = noon};
  const auto replayed = replay(journal_block({claimed(1), again, taken}));
  EXPECT_EQ(replayed.runs().at(run_id(1)).run.fence, taken.run.fence);
}

TEST(Journal, NamesTheNodeOfAnEndThatStandsAgain) {
  JournalRun taken = claimed(1);
  taken.run.attempt = 2;
  ++taken.run.fence.value;
  const JournalMark next{NodeId{uuid_v4(6, 6)}, 9};
  const auto replayed =
      replay(journal_block({JournalMark{node, 9}, ended(1), next, taken, claimed(1)}));
  EXPECT_EQ(replayed.runs().at(run_id(1)).node, node);
  EXPECT_THAT(replayed.runs().at(run_id(1)).attempts, SizeIs(1));
}

TEST(Journal, KeepsTheJobOfARunThatIsToldWithoutItLater) {
  JournalRun nameless = ended(1);
  nameless.job = {};
  EXPECT_EQ(replay(journal_block({claimed(1), nameless})).runs().at(run_id(1)).job, job);
}

TEST(Journal, ForgetsAClaimThatWasNotMadeButNoneThatWasTried) {
  EXPECT_THAT(replay(journal_block({claimed(1), JournalVoid{run_id(1)}})).runs(), IsEmpty());
  EXPECT_THAT(replay(journal_block({ended(1), JournalVoid{run_id(1)}})).runs(), SizeIs(1));
  EXPECT_THAT(replay(journal_block({JournalVoid{run_id(1)}, claimed(1)})).runs(), SizeIs(1))
      << "an early claim is made later under its id";
}

// Which stay of one run that was due after the change, or not, and what a replan keeps.
struct ReplanRow {
  std::string what;
  JournalRun before;
  bool stays;
};
std::vector<ReplanRow> replan_rows() {
  JournalRun manual = claimed(1, noon + 1s);
  manual.run.kind = RunKind::manual;
  JournalRun tried = claimed(1, noon + 1s);
  tried.run.attempt = 2;
  JournalRun done = ended(1);
  done.run.due = noon + 1s;
  JournalRun others = claimed(1, noon + 1s);
  others.job = JobId{uuid_v4(8, 8)};
  return {
      {"due after the change", claimed(1, noon + 1s), false},
      {"due before it", claimed(1, noon), true},
      {"asked for by hand", manual, true},
      {"tried", tried, true},
      {"ended", done, true},
      {"of another job", others, true},
      {"owed by the new revision too", claimed(1, noon + 2s), true},
  };
}

void forgets_what_it_withdrew(const std::vector<ReplanRow>& rows, const JournalRecord& replan) {
  for (const auto& row : rows) {
    const auto replayed = replay(journal_block({row.before, replan}));
    EXPECT_EQ(replayed.runs().size(), row.stays ? 1U : 0U) << row.what;
    if (row.before.run.due == noon + 2s) {
      EXPECT_EQ(replayed.runs().begin()->second.run.revision, 3);
    }
  }
}

TEST(Journal, ForgetsWhatAReplanWithdrew) {
  auto rows = replan_rows();
  JournalRun begun = claimed(1, noon + 1s);
  begun.run.state = RunState::begun;
  rows.push_back({"begun", begun, false});
  const Fence mine = begun.run.fence;
  forgets_what_it_withdrew(rows, JournalReplan{job, 3, noon, {noon + 2s}, {}, mine, noon + 9s});
  const JournalReplan keeps{job, 3, noon, {}, {run_id(1)}, mine, noon};
  EXPECT_THAT(replay(journal_block({claimed(1, noon + 1s), keeps})).runs(), SizeIs(1))
      << "its request may be out";
}

// Nor does the store delete it.
TEST(Journal, ForgetsNoRunThatAnOwnerBeforeMayHaveSentByThen) {
  const Fence next{claimed(1).run.fence.value + 1};
  for (const bool begun : {false, true}) {
    JournalRun run = claimed(1, noon + 1s);
    if (begun) run.run.state = RunState::begun;
    const auto stays = [&](Instant at) {
      return replay(journal_block({run, JournalReplan{job, 3, noon, {}, {}, next, at}})).runs();
    };
    EXPECT_THAT(stays(noon + 999ms), IsEmpty());
    EXPECT_THAT(stays(noon + 1s), SizeIs(1));
  }
}

TEST(Journal, ReadsTheReplansOfVersionsBefore) {
  auto rows = replan_rows();
  JournalRun begun = claimed(1, noon + 1s);
  begun.run.state = RunState::begun;
  rows.push_back({"begun: it may be out", begun, true});
  forgets_what_it_withdrew(rows, JournalUnfencedReplan{job, 3, noon, {noon + 2s}, {}});
  const std::string block =
      journal_block({claimed(1), JournalUnfencedReplan{job, 3, noon, {noon + 2s}, {run_id(1)}}});
  EXPECT_EQ(block[block.size() - 61], 3) << "the kind that they wrote";
}

// They pass over the rest of a block at the first record that they do not know.
TEST(Journal, HasLastInABlockWhatVersionsBeforeDoNotKnow) {
  const JournalReplan replan{job, 3, noon, {}, {}, Fence{1}, noon};
  const JournalCursors cursors{{{{1}, noon}}};
  EXPECT_EQ(journal_block({replan, claimed(1), cursors}),
            journal_block({claimed(1), cursors, replan}));
}

// ---- what a database forgot ---------------------------------------------------------------------

TEST(Memory, IsJudgedByServerGenerationAndCursors) {
  struct Row {
    std::string what;
    ServerMark stored;
    ServerMark now;
    std::int64_t generation, known;
    bool behind;
    std::int64_t rise;
  };
  const Row rows[] = {
      {"nothing happened", {1, 3}, {1, 3}, 5, 5, false, 0},
      {"a node that knows nothing", {1, 3}, {1, 3}, 5, 0, false, 0},
      {"a node that has not heard of the last time", {1, 3}, {1, 3}, 5, 4, false, 0},
      {"a promotion", {1, 3}, {1, 4}, 5, 5, false, 1},
      {"three of them", {1, 3}, {1, 6}, 5, 0, false, 3},
      {"a timeline that fell", {1, 3}, {1, 2}, 5, 5, false, 256},
      {"another cluster", {1, 3}, {2, 3}, 5, 5, false, 256},
      {"old files put back", {1, 3}, {1, 3}, 5, 5, true, 256},
      {"cursors of before it, of a node that has not heard", {1, 4}, {1, 4}, 6, 5, true, 0},
      {"a promotion that lost something", {1, 3}, {1, 4}, 5, 5, true, 1},
      {"a backup from before the last time", {1, 3}, {1, 3}, 5, 6, false, 257},
      {"the same, promoted", {1, 3}, {1, 4}, 5, 6, true, 257},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(judge_memory(row.stored, row.now, row.generation, row.known, row.behind), row.rise)
        << row.what;
  }
}

// Rows of nodes in the quiet time of generation 10, which began at noon.
NodeRow row_of(Instant beat_at, std::optional<std::int64_t> back, Duration ttl = 5s) {
  return {.ends = beat_at + ttl, .beat_at = beat_at, .back = back};
}
NodeRow peer_of(NodeRow row) {
  row.awaited = 10;
  return row;
}
Instant until(const std::vector<NodeRow>& nodes, Instant now) {
  return quiet_until({noon, noon + 5s}, 10, nodes, now);
}

TEST(Quiet, LastsAsLongAsALeaseIsTrusted) {
  EXPECT_EQ(until({row_of(noon, 9, 2s)}, noon), noon + quiet_min);
  EXPECT_EQ(until({row_of(noon, 9, 9s)}, noon), noon + 9s);
  EXPECT_EQ(until({row_of(noon, 10), row_of(noon + 1s, 10, 9s)}, noon + 4s), noon + 9s)
      << "a node whose leases last longer";
}

TEST(Quiet, LastsWhileANodePutsBack) {
  const NodeRow back = row_of(noon + 4s, 10);
  EXPECT_EQ(until({back, row_of(noon + 4s, 0)}, noon + 4s), noon + 9s);
  EXPECT_EQ(until({back, row_of(noon + 1s, 9)}, noon + 4s), noon + 9s) << "it has just heard of it";
  EXPECT_EQ(until({back, row_of(noon + 59s, 0)}, noon + 59s), noon + quiet_max);
  EXPECT_EQ(until({back, row_of(noon + 4s, 0)}, noon + 9s), noon + 5s) << "it died";
}

TEST(Quiet, EndsWhenAllAreBackThatCanHaveAnythingToPutBack) {
  const NodeRow back = peer_of(row_of(noon + 2s, 10));
  EXPECT_EQ(until({back, back}, noon + 2s), noon + 2s);
  EXPECT_EQ(until({back, back}, noon + 100ms), noon + quiet_least);
  EXPECT_EQ(until({back, row_of(noon - 10min, 9)}, noon + 2s), noon + 2s) << "long dead";
  EXPECT_EQ(until({back, row_of(noon - 30s, 9)}, noon + 2s), noon + 5s)
      << "it may have come again, and that is forgotten";
  EXPECT_EQ(until({back, peer_of({})}, noon + 2s), noon + 5s) << "told of, not heard of";
  EXPECT_EQ(until({back, row_of(noon + 1s, 0)}, noon + 2s), noon + 7s)
      << "a new one, with a journal";
  EXPECT_EQ(until({row_of(noon + 2s, 10)}, noon + 2s), noon + 5s)
      << "all have just started: nobody knows who else was there";
}

TEST(Quiet, LeavesANodeItsTimeWhoseVersionDoesNotSay) {
  const std::vector<NodeRow> rows{peer_of(row_of(noon + 4s, 10)), row_of(noon + 4s, std::nullopt)};
  EXPECT_EQ(until(rows, noon + 4s), noon + 5s);
  EXPECT_EQ(quiet_until({noon, noon + 8s}, 10, rows, noon + 4s), noon + 8s) << "as it prolonged it";
}

// ---- what a node knows of it --------------------------------------------------------------------

using Heard = JournalMemory::Heard;

TEST(JournalMemory, PutsBackWhatAnotherGenerationForgot) {
  JournalMemory memory(node);
  EXPECT_EQ(memory.heard({.at = noon}), Heard::nothing) << "of a store that never forgets";
  EXPECT_EQ(memory.heard({.at = noon, .generation = 9}), Heard::first);
  EXPECT_FALSE(memory.putting_back());
  EXPECT_EQ(memory.mark(), (JournalMark{node, 9}));
  EXPECT_EQ(memory.heard({.at = noon, .generation = 10, .quiet_until = noon + 5s}), Heard::forgot);
  EXPECT_EQ(memory.heard({.at = noon, .generation = 10, .quiet_until = noon + 6s}), Heard::nothing);
  EXPECT_TRUE(memory.putting_back());
  EXPECT_TRUE(memory.quiet());
  EXPECT_EQ(memory.quiet_until(), noon + 6s);
  EXPECT_EQ(memory.mark().generation, 9) << "what is in the journal is not put back";
  EXPECT_EQ(memory.heard({.at = noon + 6s, .generation = 11}), Heard::forgot);
  EXPECT_FALSE(memory.put_back(10)) << "it forgot again";
  EXPECT_TRUE(memory.putting_back());
  EXPECT_TRUE(memory.put_back(11));
  EXPECT_FALSE(memory.putting_back());
  EXPECT_FALSE(memory.quiet());
  EXPECT_EQ(memory.mark().generation, 11);
}

TEST(JournalMemory, TellsWhoLivedBeforeTheStoreForgotUntilItIsQuietNoMore) {
  const NodeId other{uuid_v4(5, 6)};
  JournalMemory memory(node);
  const auto told = [&] {
    Heartbeat said;
    memory.tell(said);
    return said.peers;
  };
  memory.heard({.at = noon, .generation = 9, .living = {node, other}});
  EXPECT_THAT(told(), IsEmpty());
  memory.heard({.at = noon, .generation = 10, .quiet_until = noon + 5s, .living = {node}});
  EXPECT_THAT(told(), ElementsAre(node, other));
  memory.heard({.at = noon + 1s, .generation = 10, .quiet_until = noon + 5s, .living = {node}});
  EXPECT_THAT(told(), ElementsAre(node, other)) << "and so again, if it forgets again";
  memory.heard({.at = noon + 5s, .generation = 10, .quiet_until = noon + 5s, .living = {node}});
  memory.heard({.at = noon + 6s, .generation = 11, .quiet_until = noon + 9s});
  EXPECT_THAT(told(), ElementsAre(node));
}

TEST(JournalMemory, TellsAClaimThatNobodyHeardOfFromOneThatWasMade) {
  JournalMemory memory(node);
  const auto generation = generation_of(claimed(1).run.fence);
  memory.heard({.at = noon, .generation = generation});
  BatchNotes heard, doubtful;
  heard.claims.emplace_back(0, Claim{.id = run_id(1)});
  doubtful.claims.emplace_back(0, Claim{.id = run_id(2)});
  memory.under_way(heard);
  memory.under_way(doubtful);
  memory.settled(heard);
  const auto never_made = [&](int id) {
    return memory.never_made({.node = node, .job = job, .run = claimed(id).run});
  };
  EXPECT_FALSE(never_made(2)) << "it may be made yet";
  memory.heard({.at = noon, .generation = generation + 1, .quiet_until = noon + 5s});
  EXPECT_TRUE(never_made(2));
  EXPECT_FALSE(never_made(1));
  RememberedRun ended{.node = node, .job = job, .run = claimed(2).run};
  ended.run.state = RunState::ended;
  EXPECT_FALSE(memory.never_made(ended));
}

TEST(JournalMemory, GoesOnFromWhatTheProcessBeforeWrote) {
  JournalMemory memory(node);
  memory.start(replay(journal_block({JournalMark{node, 9}, JournalCursors{{{{1}, noon}}}})));
  Heartbeat said;
  memory.tell(said);
  EXPECT_EQ(said.generation, 9);
  EXPECT_THAT(said.cursors, ElementsAre(std::pair(ShardNo{1}, noon)));
  EXPECT_FALSE(said.putting_back);
  EXPECT_EQ(memory.heard({.at = noon, .generation = 10}), Heard::forgot);
  memory.tell(said);
  EXPECT_TRUE(said.putting_back);
  EXPECT_THAT(said.cursors, IsEmpty());
}

TEST(JournalMemory, TakesNoCursorOfAGenerationThatIsOver) {
  JournalMemory memory(node);
  (void)memory.heard({.at = noon, .generation = 9});
  const auto under = [](std::int64_t generation) {
    return Lease{{1}, {generation << generation_shift}};
  };
  EXPECT_THAT(memory.moved({{under(9), noon}}).shards, SizeIs(1));
  EXPECT_THAT(memory.moved({{under(8), noon + 1s}}).shards, IsEmpty());
  EXPECT_THAT(memory.moved({{under(9), noon - 1s}}).shards,
              ElementsAre(std::pair(ShardNo{1}, noon)))
      << "never back";
}

TEST(JournalRest, IsWhatIsNewAndWhatMovedOn) {
  JournalReplay journal = replay(journal_block({claimed(1), claimed(2)}));
  JournalRest rest;
  EXPECT_THAT(rest.take(journal), SizeIs(2));
  EXPECT_THAT(rest.take(journal), IsEmpty());
  journal.add(journal_block({ended(2), claimed(3)}));
  const auto moved = rest.take(journal);
  ASSERT_THAT(moved, SizeIs(2));
  EXPECT_EQ(moved[0]->run.id, run_id(2));
  EXPECT_EQ(moved[0]->run.state, RunState::ended);
  EXPECT_EQ(moved[1]->run.id, run_id(3));
}

TEST(JournalRest, PutsWhatWasTriedBeforeAClaimThatMayNeverHaveBeenMade) {
  JournalReplay journal = replay(journal_block({claimed(1), claimed(2), ended(3)}));
  JournalRest rest;
  const auto taken = rest.take(journal);
  ASSERT_THAT(taken, SizeIs(3));
  EXPECT_EQ(taken[0]->run.id, run_id(3));
  EXPECT_EQ(taken[1]->run.id, run_id(1));
}

TEST(PuttingBack, ComparesARunWithWhatTheDatabaseHas) {
  RememberedRun open{.node = node, .job = job, .run = claimed(1).run};
  open.run.attempt = 3;
  RememberedRun done = open;
  done.run.state = RunState::ended;
  done.verdict = Verdict::succeeded;
  RememberedRun failed = done;
  failed.verdict = Verdict::failed;
  const auto stored = [&](std::int32_t attempt) {
    return StoredRun{.id = run_id(1), .attempt = attempt, .fence = open.run.fence};
  };
  const auto with = [](StoredRun run, auto edit) {
    edit(run);
    return run;
  };
  struct Row {
    std::string what;
    const RememberedRun& known;
    std::optional<StoredRun> stored;
    PutBack expected;
  };
  const Row rows[] = {
      {"it has no such run", open, {}, PutBack::inserted},
      {"nor one that ended", done, {}, PutBack::inserted},
      {"another run has the occurrence", open,
       with(stored(1), [](auto& run) { run.id = run_id(2); }), PutBack::taken},
      {"the same", open, stored(3), PutBack::known},
      {"a lower number", open, stored(2), PutBack::raised},
      {"a lower fence", open, with(stored(3), [](auto& run) { --run.fence.value; }),
       PutBack::raised},
      {"not accepted yet", open,
       with(stored(3), [](auto& run) { run.state = RunState::requested; }), PutBack::raised},
      {"further on", open, stored(4), PutBack::known},
      {"taken over since", open, with(stored(2), [](auto& run) { ++run.fence.value; }),
       PutBack::known},
      {"it ended", open, with(stored(3), [](auto& run) { run.verdict = Verdict::failed; }),
       PutBack::known},
      {"it failed, and it failed", failed,
       with(stored(3), [](auto& run) { run.verdict = Verdict::failed; }), PutBack::known},
      {"further on, and it succeeded", done, stored(4), PutBack::ended},
      {"further on under a fence of now, and it succeeded", done,
       with(stored(4), [](auto& run) { run.acted_on = true; }), PutBack::known},
      {"further on it failed, and it succeeded", done,
       with(stored(4), [](auto& run) { run.verdict = Verdict::failed; }), PutBack::ended},
      {"further on it succeeded, and it succeeded", done,
       with(stored(4), [](auto& run) { run.verdict = Verdict::succeeded; }), PutBack::known},
      {"it succeeded, and it failed", failed,
       with(stored(3), [](auto& run) { run.verdict = Verdict::succeeded; }), PutBack::known},
      {"open, and it ended", done, stored(3), PutBack::ended},
      {"open at a lower number, and it ended", done, stored(1), PutBack::ended},
      {"further on than the end", failed, stored(4), PutBack::known},
      {"taken over since, and it ended", done,
       with(stored(3),
            [](auto& run) {
              ++run.fence.value;
              run.acted_on = true;
            }),
       PutBack::known},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(put_back(row.known, true, row.stored), row.expected) << row.what;
  }
  EXPECT_EQ(put_back(open, false, {}), PutBack::job_lost);
}

}  // namespace
}  // namespace cronally::core
