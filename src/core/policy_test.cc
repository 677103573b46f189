#include "core/policy.h"

#include <gtest/gtest.h>

#include <ostream>

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

constexpr Instant start = instant_from_us(1'780'000'000'000'000);

std::string shown(const NextStep& next) {
  if (const auto* again = std::get_if<Outcome::Again>(&next)) {
    return "again after " + std::to_string((again->send_at - start).count()) + " us";
  }
  const auto& end = std::get<Outcome::End>(next);
  return "end " + std::to_string(static_cast<int>(end.verdict)) + " " +
         std::to_string(static_cast<int>(end.reason));
}

NextStep ends(Verdict verdict, Reason reason = Reason::none) {
  return Outcome::End{verdict, reason};
}
NextStep again(Duration after) { return Outcome::Again{start + after}; }

struct Row {
  const char* what;
  AttemptResult result;
  NextStep wanted;
  std::int32_t failures = 0;
  DeliveryMode delivery = DeliveryMode::at_least_once;
  std::optional<Instant> first{};
  double jitter = 0.5;
};

AttemptResult status(int code, std::optional<Duration> retry_after = {}) {
  return {.fate = Fate::answered, .status = code, .retry_after = retry_after, .ended_at = start};
}
AttemptResult lost(Fate fate) { return {.fate = fate, .ended_at = start}; }

void check(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    OpenRun run{.failures = row.failures, .first_attempt_at = row.first};
    const Tried tried{.run = run,
                      .result = row.result,
                      .delivery = row.delivery,
                      .retry = {.attempts = 5, .backoff_min = 1s, .backoff_max = 10s},
                      .age_max = 60s,
                      .now = start,
                      .jitter = row.jitter};
    EXPECT_EQ(shown(next_step(tried)), shown(row.wanted)) << row.what;
  }
}

TEST(NextStep, JudgesAnswersAtLeastOnce) {
  check({
      {"200 succeeds", status(200), ends(Verdict::succeeded)},
      {"202 succeeds", status(202), ends(Verdict::succeeded)},
      {"299 succeeds", status(299), ends(Verdict::succeeded)},
      {"199 is no success", status(199), again(500ms)},
      {"a redirect is no success", status(302), again(500ms)},
      {"404 is tried again", status(404), again(500ms)},
      {"410 ends it", status(410), ends(Verdict::failed, Reason::gone)},
      {"500 is tried again", status(500), again(500ms)},
      {"not sent is a failure", lost(Fate::not_sent), again(500ms)},
      {"a time-out is a failure", lost(Fate::unknown), again(500ms)},
      {"success counts on the last try", status(200), ends(Verdict::succeeded), 4},
  });
}

TEST(NextStep, NeverRepeatsAtMostOnce) {
  const auto once = DeliveryMode::at_most_once;
  check({
      {"success", status(204), ends(Verdict::succeeded), 0, once},
      {"refused by the receiver", status(500), ends(Verdict::failed, Reason::exhausted), 0, once},
      {"gone", status(410), ends(Verdict::failed, Reason::gone), 0, once},
      {"not sent", lost(Fate::not_sent), ends(Verdict::failed, Reason::exhausted), 0, once},
      {"fate unknown", lost(Fate::unknown), ends(Verdict::unknown, Reason::fate_unknown), 0, once},
  });
}

AttemptResult answered(int code, Repeat repeat) {
  AttemptResult result = status(code);
  result.repeat = repeat;
  return result;
}

TEST(NextStep, HeedsWhatTheResultSaysOfARepeat) {
  const auto once = DeliveryMode::at_most_once;
  const auto refused = ends(Verdict::failed, Reason::refused);
  check({
      {"refused for good", answered(403, Repeat::never), refused},
      {"refused for good, at most once", answered(403, Repeat::never), refused, 0, once},
      {"a success all the same", answered(200, Repeat::never), ends(Verdict::succeeded)},
      {"at once", answered(403, Repeat::at_once), again(0s)},
      {"at once is an attempt too", answered(403, Repeat::at_once),
       ends(Verdict::failed, Reason::exhausted), 4},
      {"at once, at most once", answered(403, Repeat::at_once),
       ends(Verdict::failed, Reason::exhausted), 0, once},
  });
}

TEST(NextStep, DoublesTheBackoffUpToItsMaximum) {
  check({
      {"first", status(500), again(1s), 0, {}, start, 1.0},
      {"second", status(500), again(2s), 1, {}, start, 1.0},
      {"third", status(500), again(4s), 2, {}, start, 1.0},
      {"fourth", status(500), again(8s), 3, {}, start, 1.0},
      {"fifth is the last", status(500), ends(Verdict::failed, Reason::exhausted), 4},
      {"full jitter reaches down to nothing", status(500), again(0s), 3, {}, start, 0.0},
  });
}

TEST(NextStep, HonoursRetryAfterUpToBackoffMax) {
  check({
      {"later than the backoff", status(503, 7s), again(7s)},
      {"earlier than the backoff", status(503, 100ms), again(500ms)},
      {"longer than backoff_max", status(429, 3600s), again(10s)},
  });
}

TEST(NextStep, GivesUpWhenTheNextAttemptWouldBeTooOld) {
  check({
      {"within", status(500), again(500ms), 1, {}, start - 59'500ms, 0.25},
      {"beyond", status(500), ends(Verdict::failed, Reason::too_old), 1, {}, start - 59'500ms, 0.3},
      {"the first failure starts the clock", status(500), again(500ms)},
  });
}

TEST(AgeMax, IsTheTimeToTheNextOccurrenceButAtMostAnHour) {
  const cron::Schedule minute = cron::Interval{60s, start};
  const cron::Schedule day = cron::Interval{24h, start};
  EXPECT_EQ(age_max_of({}, minute, start), Duration{60s});
  EXPECT_EQ(age_max_of({}, minute, start + 20s), Duration{40s});
  EXPECT_EQ(age_max_of({}, day, start), Duration{1h});
  EXPECT_EQ(age_max_of({}, cron::Never{}, start), Duration{1h});
  EXPECT_EQ(age_max_of({.age_max = 5h}, minute, start), Duration{5h});
}

// ---- Catch-up: a job due every 10 s on the full ten seconds ----

const cron::Schedule tens = cron::Interval{10s, start};
constexpr Duration us{1};

Missed missed(CatchUpMode mode, Duration from, Duration now, Duration window = 1h,
              std::int32_t limit = 1000) {
  return catch_up_missed(tens, {.mode = mode, .window = window, .limit = limit},
                         {.from = start + from, .until = start + now, .now = start + now});
}

TEST(CatchUp, DecidesNothingWhereNothingIsOwed) {
  for (const auto mode : {CatchUpMode::latest, CatchUpMode::all, CatchUpMode::skip}) {
    EXPECT_EQ(missed(mode, 0s, 9'999'999us), Missed{});
    EXPECT_EQ(missed(mode, 10s, 10s), Missed{});
  }
}

TEST(CatchUp, LatestClaimsTheLastAndSkipsTheRest) {
  EXPECT_EQ(missed(CatchUpMode::latest, 0s, 10s), (Missed{{start + 10s}, {}}));
  EXPECT_EQ(missed(CatchUpMode::latest, 0s, 35s),
            (Missed{{start + 30s}, {{start, start + 30s - us, Reason::catch_up_latest}}}));
}

TEST(CatchUp, LatestSkipsWhatIsOlderThanTheWindow) {
  EXPECT_EQ(missed(CatchUpMode::latest, 0s, 100s, 25s),
            (Missed{{start + 100s},
                    {{start, start + 75s - us, Reason::catch_up_window},
                     {start + 75s - us, start + 100s - us, Reason::catch_up_latest}}}));
  EXPECT_EQ(missed(CatchUpMode::latest, 0s, 19s, 5s),
            (Missed{{}, {{start, start + 14s - us, Reason::catch_up_window}}}));
}

TEST(CatchUp, TheWindowsEdgeIsInside) {
  EXPECT_EQ(missed(CatchUpMode::latest, 0s, 15s, 5s), (Missed{{start + 10s}, {}}));
  EXPECT_TRUE(missed(CatchUpMode::latest, 0s, 15s + us, 5s).claims.empty());
}

TEST(CatchUp, AllClaimsTheOldestUpToTheLimit) {
  EXPECT_EQ(missed(CatchUpMode::all, 0s, 30s),
            (Missed{{start + 10s, start + 20s, start + 30s}, {}}));
  EXPECT_EQ(
      missed(CatchUpMode::all, 0s, 50s, 1h, 2),
      (Missed{{start + 10s, start + 20s}, {{start + 20s, start + 50s, Reason::catch_up_limit}}}));
  EXPECT_EQ(
      missed(CatchUpMode::all, 0s, 50s, 15s),
      (Missed{{start + 40s, start + 50s}, {{start, start + 35s - us, Reason::catch_up_window}}}));
}

TEST(CatchUp, SkipSkipsAllThatIsMoreThanASecondLate) {
  EXPECT_EQ(missed(CatchUpMode::skip, 0s, 58s, 15s),
            (Missed{{}, {{start, start + 57s - us, Reason::catch_up_skip}}}));
  EXPECT_EQ(missed(CatchUpMode::skip, 0s, 51s, 15s, 1),
            (Missed{{start + 50s}, {{start, start + 50s - us, Reason::catch_up_skip}}}));
  EXPECT_EQ(missed(CatchUpMode::skip, 0s, 51s + us).claims, std::vector<Instant>{});
  EXPECT_EQ(missed(CatchUpMode::skip, 49s, 50s + 20ms), (Missed{{start + 50s}, {}}));
}

TEST(CatchUp, IsDecidedByTheTimeAtWhichItIsDecided) {
  const auto until_30s = [](CatchUpMode mode, Duration now) {
    return catch_up_missed(tens, {.mode = mode, .window = 15s},
                           {.from = start, .until = start + 30s, .now = start + now});
  };
  EXPECT_EQ(until_30s(CatchUpMode::skip, 60s),
            (Missed{{}, {{start, start + 30s, Reason::catch_up_skip}}}));
  EXPECT_EQ(until_30s(CatchUpMode::latest, 60s),
            (Missed{{}, {{start, start + 30s, Reason::catch_up_window}}}));
  EXPECT_EQ(until_30s(CatchUpMode::latest, 40s).claims, std::vector{start + 30s});
}

// ---- What a definition owed that was replaced before anybody planned it ----

OwedBefore owed_until(Duration until, Reason withdrawn = Reason::none) {
  return {1, tens, start, start + until, withdrawn};
}

TEST(OwedBefore, GoesByTheCatchUpPolicyWhereItWasOnlyPaused) {
  const CatchUp all{.mode = CatchUpMode::all};
  EXPECT_EQ(owed_before(owed_until(25s), all, start + 40s),
            (Missed{{start + 10s, start + 20s}, {}}));
  EXPECT_EQ(owed_before(owed_until(25s), {.mode = CatchUpMode::latest}, start + 40s),
            (Missed{{start + 20s}, {{start, start + 20s - us, Reason::catch_up_latest}}}));
  EXPECT_EQ(owed_before(owed_until(25s), {.mode = CatchUpMode::skip}, start + 40s),
            (Missed{{}, {{start, start + 25s, Reason::catch_up_skip}}}));
}

TEST(OwedBefore, IsSkippedWhereAChangeWithdrewIt) {
  for (const Reason reason : {Reason::changed, Reason::deleted}) {
    for (const auto mode : {CatchUpMode::latest, CatchUpMode::all, CatchUpMode::skip}) {
      EXPECT_EQ(owed_before(owed_until(25s, reason), {.mode = mode}, start + 25s),
                (Missed{{}, {{start, start + 25s, reason}}}));
      EXPECT_EQ(owed_before(owed_until(9s, reason), {.mode = mode}, start + 25s), Missed{});
    }
  }
}

TEST(OwedBefore, MayReachALittleBeyondThisNodesClock) {
  EXPECT_EQ(owed_before(owed_until(20s), {.mode = CatchUpMode::all}, start + 19'990ms),
            (Missed{{start + 10s, start + 20s}, {}}));
}

TEST(CatchUp, CostsTheSameAfterAYear) {
  const Missed found = missed(CatchUpMode::all, 0s, 365 * 24h, 400 * 24h, 3);
  EXPECT_EQ(found.claims.size(), 3U);
  EXPECT_EQ(found.skips.size(), 1U);
}

// ---- Lateness and lead ----

TEST(BeginDeadline, BoundsFirstRequestsAndReplacementsOnly) {
  const CatchUp policy{.window = 10s};
  EXPECT_EQ(begin_deadline({.due = start}, false, policy), start + 10s);
  EXPECT_EQ(begin_deadline({.due = start, .attempt = 2, .failures = 1}, false, policy),
            std::nullopt);
  EXPECT_EQ(begin_deadline({.due = start, .attempt = 3, .failures = 1}, true, policy), start + 10s);
}

TEST(ExpiredEnd, SaysUnknownWhereAnAttemptIs) {
  EXPECT_EQ(expired_end({}, false).verdict, Verdict::failed);
  EXPECT_EQ(expired_end({}, true).verdict, Verdict::unknown);
  EXPECT_EQ(expired_end({.unknowns = 1}, false).verdict, Verdict::unknown);
  EXPECT_EQ(expired_end({}, false).reason, Reason::expired);
}

TEST(Lead, GrowsWithTheCommitTimeAndStaysBelowTheStoresGuard) {
  EXPECT_EQ(lead_for(1s, 5ms), Duration{1s});
  EXPECT_EQ(lead_for(1s, 300ms), Duration{1400ms});
  EXPECT_EQ(lead_for(1s, 10s), Duration{2800ms});
  EXPECT_EQ(lead_for(30s, 0ms), Duration{2800ms});
}

}  // namespace
}  // namespace cronally::core
