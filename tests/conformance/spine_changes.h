// Edits: what they write, whom they wake, and what a replan does to open runs.
#pragma once

#include <thread>

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class SpineChanges : public StoreTest {
 protected:
  using Kind = core::Replan::Change;

  // A job that is accounted for up to now.
  core::Job planned(const std::string& name) {
    auto job = create(name);
    replanned(job, Kind::created);
    return job;
  }

  core::Job create_as(const std::string& name, const std::string& v1_name) {
    auto created =
        jobs().create_jobs(world->account(), {{fresh_job_id(), definition(name), {}, v1_name}},
                           store::Existing::fail, std::nullopt);
    EXPECT_TRUE(created) << (created ? "" : created.error().message);
    return std::get<std::vector<core::Job>>(*created).at(0);
  }
  std::string code_of(const Result<core::Job>& result) {
    return result ? "no error" : result.error().code;
  }
};

// ---- replans of runs that were not sent -------------------------------------------------------

TEST_P(SpineChanges, RebindARunThatIsStillOwed) {
  auto job = planned("report");
  auto run = claimed(job, at(1s));
  auto changed = describe(job, "another");
  auto item = replan(changed, Kind::changed);
  item.owed = {at(1s), at(2s)};
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  auto rebound = open_run(run.no);
  EXPECT_EQ(rebound.revision, changed.revision);
  EXPECT_EQ(rebound.id, run.id);
  EXPECT_EQ(commit_one(claim(changed, at(1s))), ItemStatus::present);
}

TEST_P(SpineChanges, ForgetARunThatIsNoLongerOwed) {
  auto job = planned("report");
  auto run = claimed(job, at(1s));
  auto changed = change(job, [](auto& edited) { edited.schedule = "@every 1h"; });
  replanned(changed, Kind::changed);
  EXPECT_FALSE(is_open(run.no));
  EXPECT_FALSE(world->find_run(run.id)) << "it was never due";
  EXPECT_EQ(commit_one(claim(changed, at(1s))), ItemStatus::done) << "owed again one day";
}

TEST_P(SpineChanges, CancelARunThatWasDueAlready) {
  auto job = planned("report");
  auto run = claimed(job, at(1s));
  world->clock().advance(2s);
  auto changed = describe(job, "another");
  auto item = replan(changed, Kind::changed);
  item.owed = {at(1s)};
  commit({item});
  auto ended = ledger_run(run.id);
  EXPECT_EQ(ended.verdict, core::Verdict::cancelled);
  EXPECT_EQ(ended.reason, core::Reason::changed);
}

TEST_P(SpineChanges, HoldARunThatWasDueWhenItsJobPaused) {
  auto job = planned("report");
  auto due = claimed(job, at(1s));
  auto ahead = claimed(job, at(3s));
  world->clock().advance(2s);
  auto paused = pause(job);
  replanned(paused, Kind::paused);
  EXPECT_FALSE(world->find_run(ahead.id)) << "a paused job owes nothing";
  EXPECT_EQ(ledger_run(due.id).state, core::RunState::claimed);
  world->clock().advance(1min);
  auto resumed = resume(paused);
  replanned(resumed, Kind::resumed);
  EXPECT_THAT(open_numbers(), ElementsAre(due.no)) << "sent late, under catch_up.window";
}

TEST_P(SpineChanges, LeaveARunThatAnOwnerBeforeMayHaveSent) {
  auto job = planned("report");
  auto due = claimed(job, at(1s));
  auto ahead = claimed(job, at(3s));
  auto changed = change(job, [](auto& edited) { edited.schedule = "@every 1h"; });
  world->clock().advance(2s);
  acquire();
  replanned(changed, Kind::changed);
  EXPECT_THAT(open_numbers(), ElementsAre(due.no)) << "its takeover decides";
  EXPECT_EQ(open_run(due.no).revision, job.revision);
  EXPECT_FALSE(is_open(ahead.no)) << "nobody can have sent it";
}

TEST_P(SpineChanges, LeaveARunInFlightAlone) {
  auto job = planned("report");
  auto due = claimed(job, at(1s));
  auto ahead = claimed(job, at(3s));
  world->clock().advance(2s);
  auto changed = change(job, [](auto& edited) { edited.schedule = "@every 1h"; });
  auto item = replan(changed, Kind::changed);
  item.in_flight = {due.no, ahead.no};
  commit({item});
  EXPECT_THAT(open_numbers(), ElementsAre(due.no, ahead.no));
  EXPECT_EQ(commit_one(success(due)), ItemStatus::done);
}

// ---- replans of runs that were tried ----------------------------------------------------------

TEST_P(SpineChanges, KeepTheRetriesOfAChangedJob) {
  auto job = planned("report");
  auto run = claimed(job, at(1s));
  world->clock().advance(1s);
  commit({failure(run, at(1min))});
  replanned(describe(job, "another"), Kind::changed);
  EXPECT_EQ(open_run(run.no).send_at, at(1min));
}

TEST_P(SpineChanges, EndTheRetriesOfADeletedJob) {
  auto job = planned("report");
  auto tried = claimed(job, at(1s));
  auto untried = claimed(job, at(2s));
  auto ahead = claimed(job, at(4s - 1s));
  auto by_hand = request(job, "manual:1");
  world->clock().advance(2s);
  commit({failure(tried, at(1min))});
  auto removed = remove(job);
  replanned(removed, Kind::deleted);
  EXPECT_THAT(open_runs(), IsEmpty());
  for (auto id : {tried.id, untried.id, by_hand.id}) {
    EXPECT_EQ(ledger_run(id).verdict, core::Verdict::cancelled);
    EXPECT_EQ(ledger_run(id).reason, core::Reason::deleted);
  }
  EXPECT_FALSE(world->find_run(ahead.id)) << "it was never due";
  acquire();
  EXPECT_THAT(all_changes().requested, IsEmpty());
}

TEST_P(SpineChanges, KeepARunByHandAskedForAfterThem) {
  auto job = planned("report");
  auto changed = describe(job, "another");
  world->clock().advance(1ms);
  auto by_hand = requested(changed, "manual:1");
  replanned(changed, Kind::changed);
  EXPECT_TRUE(is_open(by_hand.no)) << "it was asked for under the new definition";
}

// ---- replans and their guards -----------------------------------------------------------------

TEST_P(SpineChanges, AreStaleWhenANewerOneFollows) {
  auto job = planned("report");
  auto run = claimed(job, at(1s));
  auto second = describe(job, "second");
  auto third = describe(second, "third");
  EXPECT_EQ(commit_one(replan(second, Kind::changed)), ItemStatus::stale);
  EXPECT_TRUE(is_open(run.no));
  EXPECT_EQ(commit_one(replan(third, Kind::changed)), ItemStatus::done);
}

TEST_P(SpineChanges, AreDoneForWhoRepeatsThemWhenANewerOneFollows) {
  auto job = planned("report");
  auto ahead = claimed(job, at(3s));
  auto first = pause(job);
  replanned(first, Kind::paused);
  EXPECT_FALSE(world->find_run(ahead.id));
  auto second = describe(first, "another");
  EXPECT_EQ(commit_one(replan(first, Kind::paused)), ItemStatus::done) << "as it was told before";
  replanned(second, Kind::changed);
}

TEST_P(SpineChanges, ChangeNothingWhenRepeated) {
  auto job = planned("report");
  auto changed = describe(job, "another");
  auto item = replan(changed, Kind::changed);
  commit({item});
  auto run = claimed(changed, at(1s));
  EXPECT_EQ(commit_one(item), ItemStatus::done);
  EXPECT_TRUE(is_open(run.no)) << "it was claimed after the replan";
}

TEST_P(SpineChanges, ArePlannedFromTheirReplanOn) {
  auto job = create("report");
  acquire();
  EXPECT_FALSE(grant.jobs.at(0).planned);
  replanned(job, Kind::created);
  acquire();
  EXPECT_TRUE(grant.jobs.at(0).planned);
  describe(job, "another");
  acquire();
  EXPECT_FALSE(grant.jobs.at(0).planned);
  EXPECT_EQ(grant.jobs.at(0).last_change, Kind::changed);
}

TEST_P(SpineChanges, SayWhatKindTheyWere) {
  auto job = planned("report");
  auto paused = pause(job);
  EXPECT_EQ(all_changes().jobs.at(0).last_change, Kind::paused);
  EXPECT_TRUE(all_changes().jobs.at(0).paused);
  replanned(paused, Kind::paused);
  auto resumed = resume(paused);
  EXPECT_EQ(all_changes().jobs.at(0).last_change, Kind::resumed);
  replanned(resumed, Kind::resumed);
  change(resumed, [](auto& edited) {
    edited.paused = true;
    edited.description = "more than a pause";
  });
  EXPECT_EQ(all_changes().jobs.at(0).last_change, Kind::changed);
}

TEST_P(SpineChanges, StayChangesUntilTheyAreReplanned) {
  auto job = planned("report");
  auto changed = describe(job, "another");
  pause(changed);
  EXPECT_EQ(all_changes().jobs.at(0).last_change, Kind::changed)
      << "a pause on top must not hold what the change cancels";
}

// ---- waking the owner -------------------------------------------------------------------------

TEST_P(SpineChanges, AreToldWithHowFarTheyWereRead) {
  auto job = create("report");
  auto told = all_changes();
  ASSERT_THAT(told.jobs, SizeIs(1));
  EXPECT_EQ(told.jobs[0].no, job.no);
  EXPECT_EQ(told.jobs[0].change, job.change);
  auto seen = std::ranges::find(told.seen, job.shard, [](const auto& each) { return each.first; });
  ASSERT_NE(seen, told.seen.end());
  EXPECT_EQ(seen->second, job.change);
  auto nothing = spine().wait_for_changes({{job.shard, job.change}}, 0ms);
  EXPECT_THAT(nothing.jobs, IsEmpty());
}

TEST_P(SpineChanges, AreToldInTheirNewestForm) {
  auto job = create("report");
  remove(describe(job, "another"));
  auto told = all_changes();
  ASSERT_THAT(told.jobs, SizeIs(1));
  EXPECT_TRUE(told.jobs[0].deleted);
  EXPECT_EQ(told.jobs[0].last_change, Kind::deleted);
}

TEST_P(SpineChanges, WakeAWaitingOwner) {
  auto job = create("report");
  auto waiting = std::async(std::launch::async, [&] {
    return spine().wait_for_changes({{job.shard, job.change}}, 1min);
  });
  describe(job, "another");
  auto told = waiting.get();
  ASSERT_THAT(told.jobs, SizeIs(1));
  EXPECT_EQ(told.jobs[0].revision, 2);
}

TEST_P(SpineChanges, EndWaitsWhenInterrupted) {
  auto waiting = std::async(std::launch::async,
                            [&] { return spine().wait_for_changes({{ShardNo{0}, 0}}, 1h); });
  spine().interrupt_waits();
  EXPECT_THAT(waiting.get().jobs, IsEmpty());
}

TEST_P(SpineChanges, AreSeenOnceTheOwnerHasCommittedSo) {
  auto job = create("report");
  EXPECT_FALSE(jobs().await_seen(job.shard, job.change, 0ms));
  auto waiting = std::async(std::launch::async,
                            [&] { return jobs().await_seen(job.shard, job.change, 1min); });
  commit({core::Advance{job.shard, at(0s), job.change}});
  EXPECT_TRUE(waiting.get());
  world->reopen();
  EXPECT_TRUE(jobs().await_seen(job.shard, job.change, 0ms));
}

// ---- what an edit writes ----------------------------------------------------------------------

TEST_P(SpineChanges, NeverShareAnInstant) {
  auto job = create("report");
  auto changed = describe(job, "another");
  auto other = create("other");
  EXPECT_GT(changed.updated_at, job.updated_at);
  EXPECT_GT(other.updated_at, changed.updated_at);
  EXPECT_EQ(changed.created_at, job.created_at);
}

TEST_P(SpineChanges, AnchorAnIntervalAtTheEditThatSetIt) {
  world->clock().advance(1500us);
  auto job = create("report");
  EXPECT_EQ(job.anchor, at(1ms)) << "whole milliseconds";
  world->clock().advance(10s);
  auto described = describe(job, "another");
  EXPECT_EQ(described.anchor, job.anchor) << "the schedule is as it was";
  auto rescheduled = change(described, [](auto& edited) { edited.schedule = "@every 7s"; });
  EXPECT_GE(rescheduled.anchor, at(10s));
  auto given = change(rescheduled, [&](auto& edited) { edited.anchor = at(123us); });
  EXPECT_EQ(given.anchor, at(123us));
}

TEST_P(SpineChanges, OfNothingMakeNoRevision) {
  auto job = create("report");
  auto same = describe(job, "");
  EXPECT_EQ(same.revision, 1);
  EXPECT_EQ(same.updated_at, job.updated_at);
  EXPECT_EQ(same.change, job.change);
}

TEST_P(SpineChanges, AreRefusedOnAnOldRevision) {
  auto job = create("report");
  auto changed = describe(job, "another");
  auto edited = job.definition;
  edited.description = "from an old page";
  auto& verbs = jobs();
  EXPECT_EQ(code_of(verbs.change_job(world->account(), {job.id, edited, {}}, 1)),
            "revision_conflict");
  EXPECT_EQ(code_of(verbs.delete_job(world->account(), job.id, 1)), "revision_conflict");
  EXPECT_EQ(code_of(verbs.change_job(world->account(), {fresh_job_id(), edited, {}}, 1)),
            "not_found");
  EXPECT_EQ(code_of(verbs.delete_job(world->account(), job.id, changed.revision)), "no error");
  EXPECT_EQ(code_of(verbs.delete_job(world->account(), job.id, std::nullopt)), "not_found");
}

TEST_P(SpineChanges, KeepNamesUniqueAmongLiveJobs) {
  auto first = create("first");
  auto second = create("second");
  auto edited = second.definition;
  edited.name = "first";
  auto& verbs = jobs();
  EXPECT_EQ(code_of(verbs.change_job(world->account(), {second.id, edited, {}}, 1)), "name_taken");
  remove(first);
  EXPECT_EQ(code_of(verbs.change_job(world->account(), {second.id, edited, {}}, 1)), "no error");
  EXPECT_EQ(verbs.find_job(world->account(), "first")->id, second.id);
  EXPECT_FALSE(verbs.find_job(world->account(), first.id));
}

TEST_P(SpineChanges, AreAllMadeOrNone) {
  create("taken");
  auto made = jobs().create_jobs(world->account(),
                                 {{fresh_job_id(), definition("new"), {}},
                                  {fresh_job_id(), definition("taken"), {}},
                                  {fresh_job_id(), definition("new"), {}}},
                                 store::Existing::fail, std::nullopt);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, "name_taken");
  std::vector<std::string> pointers;
  for (const auto& field : made.error().fields) pointers.push_back(field.pointer);
  EXPECT_THAT(pointers, ElementsAre("/items/1/name", "/items/2/name"));
  EXPECT_FALSE(jobs().find_job(world->account(), "new"));
}

TEST_P(SpineChanges, ReplaceByName) {
  auto old = create("report");
  auto edited = definition("report");
  edited.description = "another";
  auto made = jobs().create_jobs(
      world->account(), {{fresh_job_id(), edited, {}}, {fresh_job_id(), definition("new"), {}}},
      store::Existing::replace, std::nullopt);
  ASSERT_TRUE(made);
  const auto& list = std::get<std::vector<core::Job>>(*made);
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_EQ(list[0].id, old.id);
  EXPECT_EQ(list[0].revision, 2);
  EXPECT_EQ(list[0].definition, edited);
  EXPECT_EQ(list[1].revision, 1);
}

TEST_P(SpineChanges, GiveBackEveryField) {
  auto made = definition("näme/with \"quotes\"");
  made.description = "line\nbreak";
  made.labels = {{"team", "ops"}, {"a.b", ""}};
  made.anchor = at(-7us);
  auto& target = std::get<core::HttpTarget>(made.target);
  target.method = "PUT";
  target.headers = {{"X-A", "1"}, {"X-A", "2"}};
  target.body = "";
  target.timeout = 2500ms;
  made.catch_up.mode = core::CatchUpMode::skip;
  auto job = create(made);
  world->reopen();
  auto found = jobs().find_job(world->account(), job.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->definition, made);
  EXPECT_EQ(found->no, job.no);
  EXPECT_EQ(found->shard, shard_of(job.id));
  EXPECT_EQ(found->anchor, at(-7us));
  EXPECT_EQ(found->created_at, job.created_at);
  EXPECT_EQ(found->updated_at, job.updated_at);
  EXPECT_EQ(found->change, job.change);
}

// ---- what a delivery needs --------------------------------------------------------------------

TEST_P(SpineChanges, LeaveEveryRevisionReadable) {
  auto job = create("report");
  describe(job, "another");
  auto read = spine().read_deliverables(
      {{job.no, 1}, {job.no, 2}, {job.no, 0}, {job.no, 3}, {JobNo{999}, 0}});
  ASSERT_THAT(read, SizeIs(5));
  ASSERT_TRUE(read[0] && read[1] && read[2]);
  EXPECT_EQ(read[0]->definition.description, "");
  EXPECT_EQ(read[1]->definition.description, "another");
  EXPECT_EQ(read[2]->definition.description, "another") << "0 is the newest";
  EXPECT_EQ(read[0]->job, job.id);
  EXPECT_EQ(read[0]->account, world->account());
  EXPECT_FALSE(read[3]);
  EXPECT_FALSE(read[4]);
}

TEST_P(SpineChanges, BringATopicAndItsSecretAlong) {
  auto made = definition("topic");
  SecretId secret{uuid_v4(6, 1)};
  made.target = core::SnsTarget{.topic_arn = "arn:aws:sns:eu-west-1:123456789012:reports.fifo",
                                .message = "{{run.id}}",
                                .message_attributes = {{"a", "text"}, {"b", 7}},
                                .credentials = {{"AKIAIOSFODNN7EXAMPLE", secret}}};
  auto created =
      jobs().create_jobs(world->account(), {{fresh_job_id(), made, {{secret, "sealed"}}}},
                         store::Existing::fail, std::nullopt);
  ASSERT_TRUE(created);
  auto job = std::get<std::vector<core::Job>>(*created).at(0);
  EXPECT_EQ(job.definition, made);
  auto deliverable = spine().read_deliverables({{job.no, 1}}).at(0);
  ASSERT_TRUE(deliverable);
  EXPECT_EQ(deliverable->definition, made);
  EXPECT_THAT(deliverable->sealed_headers, ElementsAre(std::pair("secret_access_key", "sealed")));
  EXPECT_THAT(deliverable->sealed_ids, ElementsAre(secret));
}

TEST_P(SpineChanges, BringTheirSecretsAlong) {
  auto made = definition("report");
  SecretId first{uuid_v4(5, 1)};
  SecretId second{uuid_v4(5, 2)};
  std::get<core::HttpTarget>(made.target).secret_headers = {{"X-Key", first}, {"X-Other", second}};
  auto created = jobs().create_jobs(
      world->account(), {{fresh_job_id(), made, {{second, "sealed two"}, {first, "sealed one"}}}},
      store::Existing::fail, std::nullopt);
  ASSERT_TRUE(created);
  auto job = std::get<std::vector<core::Job>>(*created).at(0);
  auto deliverable = spine().read_deliverables({{job.no, 1}}).at(0);
  ASSERT_TRUE(deliverable);
  EXPECT_THAT(deliverable->sealed_headers,
              ElementsAre(std::pair("X-Key", "sealed one"), std::pair("X-Other", "sealed two")));
  EXPECT_THAT(deliverable->sealed_ids, ElementsAre(first, second));
  // One is replaced, one stays.
  SecretId third{uuid_v4(5, 3)};
  std::get<core::HttpTarget>(made.target).secret_headers = {{"X-Key", third}, {"X-Other", second}};
  ASSERT_TRUE(jobs().change_job(world->account(), {job.id, made, {{third, "sealed three"}}}, 1));
  deliverable = spine().read_deliverables({{job.no, 0}}).at(0);
  ASSERT_TRUE(deliverable);
  EXPECT_THAT(deliverable->sealed_headers,
              ElementsAre(std::pair("X-Key", "sealed three"), std::pair("X-Other", "sealed two")));
}

// ---- what API v1 calls a job --------------------------------------------------------------------

TEST_P(SpineChanges, WhatV1CallsAJobIsKeptBesideItsName) {
  auto made = create_as("report-4bc1f54e", "report");
  EXPECT_EQ(made.v1_name, "report");
  world->reopen();
  acquire();
  EXPECT_EQ(jobs().find_job(world->account(), made.id)->v1_name, "report");
  EXPECT_EQ(jobs().find_job(world->account(), "report-4bc1f54e")->v1_name, "report");
  EXPECT_FALSE(jobs().find_job(world->account(), "report")) << "it is no name";
  EXPECT_EQ(jobs().list_jobs(world->account(), {})->items.at(0).v1_name, "report");
  EXPECT_EQ(remove(made).v1_name, "report");
}

TEST_P(SpineChanges, WhatV1CallsAJobMayHoldAnything) {
  const std::string strange("\n a\0b \t", 7);
  auto made = create_as("a b-4bc1f54e", strange);
  EXPECT_EQ(jobs().find_job(world->account(), made.id)->v1_name, strange);
}

TEST_P(SpineChanges, WhatV1CallsAJobIsItsNameWhereTheyAreEqual) {
  EXPECT_FALSE(create_as("report", "report").v1_name);
  EXPECT_FALSE(create("plain").v1_name);
}

TEST_P(SpineChanges, WhatV1CallsAJobStaysWhileItsNameDoes) {
  auto made = create_as("report-4bc1f54e", "report");
  auto changed = describe(made, "another text");
  EXPECT_EQ(changed.v1_name, "report");
  EXPECT_EQ(pause(changed).v1_name, "report");
  auto renamed = change(*jobs().find_job(world->account(), made.id),
                        [](auto& edited) { edited.name = "other"; });
  EXPECT_FALSE(renamed.v1_name);
  EXPECT_FALSE(jobs().find_job(world->account(), made.id)->v1_name);
}

TEST_P(SpineChanges, WhatV1CallsAJobMayChangeWithoutARevision) {
  auto made = create_as("report-4bc1f54e", "report");
  auto called = jobs().change_job(world->account(), {made.id, made.definition, {}, "report\n"},
                                  made.revision);
  ASSERT_TRUE(called);
  EXPECT_EQ(called->revision, made.revision);
  EXPECT_EQ(called->v1_name, "report\n");
  EXPECT_EQ(jobs().find_job(world->account(), made.id)->v1_name, "report\n");
  auto by_name = jobs().change_job(
      world->account(), {made.id, made.definition, {}, "report-4bc1f54e"}, made.revision);
  ASSERT_TRUE(by_name);
  EXPECT_FALSE(by_name->v1_name);
  EXPECT_FALSE(jobs().find_job(world->account(), made.id)->v1_name);
}

}  // namespace cronally::conformance
