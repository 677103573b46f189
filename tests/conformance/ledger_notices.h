// Failure notices: every run that ends failed or unknown tells its account, in batches that are
// fixed before they are sent.
#pragma once

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class LedgerNotices : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (IsSkipped()) return;
    job = create("report");
  }

  store::Accounts& accounts() { return world->database()->accounts(); }
  store::Notices& notices() { return world->database()->notices(); }
  AccountNo account() const { return world->account(); }

  void set_webhook(const std::string& url = "https://example.com/failed") {
    auto changed = accounts().account(account());
    changed.failure_webhook = {url, {{"X-Key", secret}}};
    accounts().change_account(changed, {{secret, "sealed key"}});
  }

  // A run that ended so, due `before` ago.
  core::OpenRun ended(core::Verdict verdict, Duration before) {
    auto run = claimed(job, world->clock().wall() - before);
    commit({core::End{run.no, run.shard, verdict, core::Reason::expired}});
    return run;
  }

  std::vector<store::NoticeBatch> open_batches() {
    return notices().open_batches([this](Instant now) { return RunId{uuid_v7(now, ++ids, 31)}; });
  }

  core::Job job;
  SecretId secret{uuid_v4(41, 41)};
};

TEST_P(LedgerNotices, WithoutAWebhookNobodyIsTold) {
  ended(core::Verdict::failed, 1s);
  EXPECT_THAT(open_batches(), IsEmpty());
  set_webhook();
  EXPECT_THAT(open_batches(), IsEmpty()) << "nor of what ended before there was one";
}

TEST_P(LedgerNotices, FailedAndUnknownRunsLeaveANotice) {
  set_webhook();
  auto failed = ended(core::Verdict::failed, 5s);
  auto unknown = ended(core::Verdict::unknown, 4s);
  ended(core::Verdict::succeeded, 3s);
  ended(core::Verdict::cancelled, 2s);
  ended(core::Verdict::skipped, 1s);
  auto answered = claimed(job, at(-6s));
  commit({outcome(answered, 410, core::Outcome::End{core::Verdict::failed, core::Reason::gone})});
  auto batches = open_batches();
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_EQ(batches[0].count, 3);
  EXPECT_THAT(batches[0].runs, ElementsAre(failed.id, unknown.id, answered.id));
}

TEST_P(LedgerNotices, ABatchCarriesWhatSendingNeeds) {
  set_webhook();
  ended(core::Verdict::failed, 1s);
  world->clock().advance(3s);
  ended(core::Verdict::failed, 1s);
  auto batch = open_batches().at(0);
  EXPECT_EQ(batch.account, account());
  EXPECT_EQ(batch.account_id, accounts().account(account()).id);
  EXPECT_EQ(batch.attempt, 1);
  EXPECT_EQ(batch.send_at, at(3s));
  EXPECT_EQ(batch.since, at(0s)) << "the oldest notice";
  EXPECT_EQ(batch.url, "https://example.com/failed");
  EXPECT_EQ(batch.sealed_signing_secret, accounts().account(account()).sealed_signing_secret);
  ASSERT_THAT(batch.sealed_headers, SizeIs(1));
  EXPECT_EQ(batch.sealed_headers[0].first, secret);
  EXPECT_EQ(batch.sealed_headers[0].second,
            std::pair(std::string("X-Key"), std::string("sealed key")));
}

TEST_P(LedgerNotices, AnEndRepeatedTellsOnce) {
  set_webhook();
  auto run = claimed(job, at(-1s));
  core::End end{run.no, run.shard, core::Verdict::failed, core::Reason::expired};
  commit({end});
  commit({end});
  EXPECT_EQ(open_batches().at(0).count, 1);
}

TEST_P(LedgerNotices, AnOpenBatchIsFixedAndWhatComesLaterWaits) {
  set_webhook();
  auto first = ended(core::Verdict::failed, 3s);
  auto batch = open_batches().at(0);
  auto second = ended(core::Verdict::failed, 2s);
  auto again = open_batches();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].id, batch.id);
  EXPECT_THAT(again[0].runs, ElementsAre(first.id));
  EXPECT_EQ(again[0].count, 1);
  notices().settle(account(), batch.id);
  auto next = open_batches();
  ASSERT_THAT(next, SizeIs(1));
  EXPECT_NE(next[0].id, batch.id);
  EXPECT_THAT(next[0].runs, ElementsAre(second.id));
  EXPECT_EQ(next[0].attempt, 1);
}

TEST_P(LedgerNotices, ABatchOutlivesARestartUnderItsId) {
  set_webhook();
  ended(core::Verdict::failed, 1s);
  auto batch = open_batches().at(0);
  world->reopen();
  auto again = open_batches();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].id, batch.id);
  EXPECT_EQ(again[0].runs, batch.runs);
}

TEST_P(LedgerNotices, APostponedBatchKeepsItsIdAndCountsAttempts) {
  set_webhook();
  ended(core::Verdict::failed, 1s);
  auto batch = open_batches().at(0);
  notices().postpone(account(), batch.id, at(10s));
  notices().postpone(account(), batch.id, at(20s));
  auto again = open_batches().at(0);
  EXPECT_EQ(again.id, batch.id);
  EXPECT_EQ(again.attempt, 3);
  EXPECT_EQ(again.send_at, at(20s));
}

TEST_P(LedgerNotices, ASettledBatchIsGoneAndSettlingAgainDoesNothing) {
  set_webhook();
  ended(core::Verdict::failed, 3s);
  auto batch = open_batches().at(0);
  notices().settle(account(), batch.id);
  EXPECT_THAT(open_batches(), IsEmpty());
  ended(core::Verdict::failed, 2s);
  auto next = open_batches().at(0);
  notices().settle(account(), batch.id);
  EXPECT_THAT(open_batches(), SizeIs(1)) << "an old id settles nothing";
  notices().postpone(account(), batch.id, at(10s));
  EXPECT_EQ(open_batches().at(0).attempt, next.attempt);
}

TEST_P(LedgerNotices, ABatchNamesAHundredRunsAndCountsThemAll) {
  set_webhook();
  constexpr int failures = 130;
  std::vector<core::Item> claims;
  for (int i = 0; i < failures; ++i) claims.push_back(claim(job, at(-1min + i * 1ms)));
  std::vector<core::Item> ends;
  for (const auto& made : commit(claims)) {
    ends.push_back(core::End{made.run, job.shard, core::Verdict::failed, core::Reason::exhausted});
  }
  commit(ends);
  auto batches = open_batches();
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_EQ(batches[0].count, failures);
  EXPECT_THAT(batches[0].runs, SizeIs(100));
  notices().settle(account(), batches[0].id);
  EXPECT_THAT(open_batches(), IsEmpty()) << "beyond 100 the count tells";
}

TEST_P(LedgerNotices, WhatWaitsGoesWithTheWebhook) {
  set_webhook();
  ended(core::Verdict::failed, 2s);
  ASSERT_THAT(open_batches(), SizeIs(1));
  ended(core::Verdict::failed, 1s);
  auto changed = accounts().account(account());
  changed.failure_webhook.reset();
  accounts().change_account(changed, {});
  EXPECT_THAT(open_batches(), IsEmpty());
  changed.failure_webhook = {"https://example.com/another", {}};
  accounts().change_account(changed, {});
  EXPECT_THAT(open_batches(), IsEmpty()) << "a new address hears of what ends from now on";
}

}  // namespace cronally::conformance
