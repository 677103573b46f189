// Accounts, their tokens and secrets, and the answers remembered for an Idempotency-Key.
#pragma once

#include "tests/conformance/store_fixture.h"

namespace cronally::conformance {

class LedgerAccounts : public StoreTest {
 protected:
  store::Accounts& accounts() { return world->database()->accounts(); }
  AccountNo account() const { return world->account(); }

  store::Token token(const std::string& name, bool admin = false) {
    return {.id = TokenId{uuid_v4(++ids, 21)}, .name = name, .admin = admin};
  }
  std::vector<std::string> token_names() {
    std::vector<std::string> names;
    for (const auto& one : accounts().tokens(account())) names.push_back(one.name);
    return names;
  }
  store::Account signing(const std::string& email) {
    store::Account made{.id = AccountId{uuid_v4(++ids, 25)}, .name = "signing"};
    made.sealed_signing_secret = "sealed signing secret";
    made.email = email;
    made.api = {ApiKey{uuid_v4(++ids, 27)}, std::string("\0sealed\xff", 8)};
    return made;
  }
  SecretId fresh_secret_id() { return SecretId{uuid_v4(++ids, 23)}; }

  // Creates `name` under an Idempotency-Key; the answer's text counts the jobs.
  Result<store::Created> create_once(const std::string& name, const std::string& key,
                                     const std::string& digest) {
    store::Idempotency idempotency{key, digest, [](const std::vector<core::Job>& made) {
                                     return "made " + made.at(0).definition.name + " as " +
                                            made.at(0).id.text();
                                   }};
    return jobs().create_jobs(account(), {{fresh_job_id(), definition(name), {}}},
                              store::Existing::fail, std::move(idempotency));
  }
  static std::string replayed(const Result<store::Created>& created) {
    if (!created) return created.error().code;
    const auto* answer = std::get_if<store::Replayed>(&*created);
    return answer ? answer->answer : "created";
  }
};

// ---- accounts -----------------------------------------------------------------------------------

TEST_P(LedgerAccounts, OnlyTheFirstAccountIsBootstrapped) {
  auto before = accounts().all();
  ASSERT_THAT(before, SizeIs(1));
  store::Account second{.id = AccountId{uuid_v4(3, 3)}, .name = "second"};
  EXPECT_FALSE(accounts().bootstrap(second, token("second", true), "digest of second"));
  EXPECT_THAT(accounts().all(), SizeIs(1));
  EXPECT_FALSE(accounts().authenticate("digest of second"));
  world->reopen();
  EXPECT_FALSE(accounts().bootstrap(second, token("second", true), "digest of second"));
}

TEST_P(LedgerAccounts, AChangedAccountIsKept) {
  auto changed = accounts().account(account());
  changed.name = "night shift";
  changed.sealed_signing_secret = std::string("\0sealed\xff", 8);
  accounts().change_account(changed, {});
  world->reopen();
  auto read = accounts().account(account());
  EXPECT_EQ(read.no, account());
  EXPECT_EQ(read.id, changed.id);
  EXPECT_EQ(read.name, "night shift");
  EXPECT_EQ(read.sealed_signing_secret, changed.sealed_signing_secret);
  EXPECT_FALSE(read.failure_webhook);
  auto all = accounts().all();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0].name, "night shift");
}

TEST_P(LedgerAccounts, AFailureWebhookComesAndGoes) {
  auto changed = accounts().account(account());
  auto secret = fresh_secret_id();
  changed.failure_webhook = {"https://example.com/failed", {{"X-Key", secret}}};
  accounts().change_account(changed, {{secret, "sealed"}});
  auto read = accounts().account(account());
  ASSERT_TRUE(read.failure_webhook);
  EXPECT_EQ(read.failure_webhook->url, "https://example.com/failed");
  EXPECT_EQ(read.failure_webhook->secret_headers, changed.failure_webhook->secret_headers);
  accounts().change_account(changed, {});
  EXPECT_TRUE(accounts().account(account()).failure_webhook) << "changed to what it is";
  changed.failure_webhook.reset();
  accounts().change_account(changed, {});
  EXPECT_FALSE(accounts().account(account()).failure_webhook);
}

TEST_P(LedgerAccounts, ADeliverableLeadsToItsAccountsNewestSigningSecret) {
  auto job = create("report");
  auto changed = accounts().account(account());
  changed.sealed_signing_secret = "sealed anew";
  accounts().change_account(changed, {});
  auto deliverable = spine().read_deliverables({{job.no, 1}}).at(0);
  ASSERT_TRUE(deliverable);
  EXPECT_EQ(accounts().account(deliverable->account).sealed_signing_secret, "sealed anew");
}

TEST_P(LedgerAccounts, JobsOfAnotherAccountDoNotExist) {
  auto job = create("report");
  AccountNo other{account().value + 1};
  EXPECT_FALSE(jobs().find_job(other, job.id));
  EXPECT_FALSE(jobs().find_job(other, "report"));
  EXPECT_EQ(jobs().change_job(other, {job.id, job.definition, {}}, 1).error().code, "not_found");
  EXPECT_EQ(jobs().delete_job(other, job.id, 1).error().code, "not_found");
  auto run = jobs().request_run(other, job.id, core::RunKind::manual, "manual:1",
                                RunId{uuid_v7(at(0s), 1, 1)});
  EXPECT_EQ(run.error().code, "not_found");
}

// ---- credentials that sign requests -------------------------------------------------------------

TEST_P(LedgerAccounts, AnAccountIsFoundByKeyIdAndEmail) {
  auto made = accounts().create_account(signing("Ops@example.com"));
  ASSERT_TRUE(made);
  EXPECT_NE(made->no, account());
  world->reopen();
  for (const auto& found :
       {accounts().find_account(made->api->key), accounts().find_account(made->id),
        accounts().find_account("Ops@example.com"), accounts().find_account("oPS@EXAMPLE.COM"),
        std::optional(accounts().account(made->no))}) {
    ASSERT_TRUE(found);
    EXPECT_EQ(found->no, made->no);
    EXPECT_EQ(found->id, made->id);
    EXPECT_EQ(found->name, "signing");
    EXPECT_EQ(found->email, "Ops@example.com");
    EXPECT_EQ(found->sealed_signing_secret, "sealed signing secret");
    ASSERT_TRUE(found->api);
    EXPECT_EQ(found->api->key, made->api->key);
    EXPECT_EQ(found->api->sealed_secret, std::string("\0sealed\xff", 8));
  }
  EXPECT_THAT(accounts().all(), SizeIs(2));
  EXPECT_THAT(accounts().tokens(made->no), IsEmpty());
  EXPECT_FALSE(accounts().find_account(ApiKey{uuid_v4(9, 9)}));
  EXPECT_FALSE(accounts().find_account(AccountId{uuid_v4(9, 9)}));
  EXPECT_FALSE(accounts().find_account("ops@example.org"));
  EXPECT_FALSE(accounts().find_account("")) << "the first account has no email";
}

TEST_P(LedgerAccounts, AnEmailIsOfOneAccount) {
  ASSERT_TRUE(accounts().create_account(signing("ops@example.com")));
  auto again = accounts().create_account(signing("OPS@example.com"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "email_taken");
  EXPECT_TRUE(accounts().create_account(signing("")));
  EXPECT_TRUE(accounts().create_account(signing(""))) << "none is not one";
  EXPECT_THAT(accounts().all(), SizeIs(4));
}

TEST_P(LedgerAccounts, RotatedCredentialsReplaceThoseBefore) {
  auto made = accounts().create_account(signing("ops@example.com"));
  ASSERT_TRUE(made);
  store::ApiCredentials fresh{ApiKey{uuid_v4(++ids, 29)}, "sealed anew"};
  ASSERT_TRUE(accounts().rotate_credentials(made->no, fresh));
  world->reopen();
  EXPECT_FALSE(accounts().find_account(made->api->key));
  auto found = accounts().find_account(fresh.key);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, made->id);
  EXPECT_EQ(found->api->sealed_secret, "sealed anew");
  auto unknown = accounts().rotate_credentials({made->no.value + 1}, {ApiKey{uuid_v4(9, 9)}, "x"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, "not_found");
}

TEST_P(LedgerAccounts, TheFirstAccountHasCredentialsOnceTheyAreMade) {
  EXPECT_FALSE(accounts().account(account()).api);
  store::ApiCredentials fresh{ApiKey{uuid_v4(++ids, 29)}, "sealed"};
  ASSERT_TRUE(accounts().rotate_credentials(account(), fresh));
  auto changed = accounts().account(account());
  changed.name = "night shift";
  accounts().change_account(changed, {});
  auto found = accounts().find_account(fresh.key);
  ASSERT_TRUE(found) << "an edit of the account leaves them alone";
  EXPECT_EQ(found->name, "night shift");
}

TEST_P(LedgerAccounts, LiveJobsAreCounted) {
  auto other = accounts().create_account(signing("ops@example.com"));
  ASSERT_TRUE(other);
  EXPECT_EQ(accounts().job_count(account()), 0);
  auto first = create("first");
  create("second");
  EXPECT_EQ(accounts().job_count(account()), 2);
  EXPECT_EQ(accounts().job_count(other->no), 0);
  remove(first);
  EXPECT_EQ(accounts().job_count(account()), 1);
}

// Names are an account's own.
TEST_P(LedgerAccounts, TwoAccountsMayUseOneName) {
  auto other = accounts().create_account(signing("ops@example.com"));
  ASSERT_TRUE(other);
  auto mine = create("report");
  auto theirs = jobs().create_jobs(other->no, {{fresh_job_id(), definition("report"), {}}},
                                   store::Existing::fail, std::nullopt);
  ASSERT_TRUE(theirs);
  EXPECT_EQ(jobs().find_job(account(), "report")->id, mine.id);
  EXPECT_NE(jobs().find_job(other->no, "report")->id, mine.id);
}

// ---- tokens -------------------------------------------------------------------------------------

TEST_P(LedgerAccounts, ATokenIsKnownByItsDigestAlone) {
  auto made = accounts().create_token(account(), token("ci"), std::string("\0digest\xff", 8));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->created_at, at(0s));
  world->reopen();
  auto principal = accounts().authenticate(std::string("\0digest\xff", 8));
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->account, account());
  EXPECT_EQ(principal->account_id, accounts().account(account()).id);
  EXPECT_EQ(principal->token, made->id);
  EXPECT_FALSE(principal->admin);
  EXPECT_FALSE(accounts().authenticate(std::string("\0digest", 7)));
  EXPECT_FALSE(accounts().authenticate(""));
}

TEST_P(LedgerAccounts, TokensAreListedOldestFirst) {
  auto first = token_names();
  ASSERT_THAT(first, SizeIs(1));
  world->clock().advance(1s);
  ASSERT_TRUE(accounts().create_token(account(), token("b"), "digest b"));
  ASSERT_TRUE(accounts().create_token(account(), token("a", true), "digest a"));
  EXPECT_THAT(token_names(), ElementsAre(first[0], "b", "a"));
  auto all = accounts().tokens(account());
  EXPECT_TRUE(all[0].admin);
  EXPECT_FALSE(all[1].admin);
  EXPECT_TRUE(all[2].admin);
  EXPECT_EQ(all[1].created_at, at(1s));
  EXPECT_THAT(accounts().tokens({account().value + 1}), IsEmpty());
}

TEST_P(LedgerAccounts, ATokensNameIsTakenUntilItIsRevoked) {
  auto made = accounts().create_token(account(), token("ci"), "digest one");
  ASSERT_TRUE(made);
  auto again = accounts().create_token(account(), token("ci"), "digest two");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, "name_taken");
  EXPECT_FALSE(accounts().authenticate("digest two"));
  ASSERT_TRUE(accounts().revoke_token(account(), made->id));
  EXPECT_TRUE(accounts().create_token(account(), token("ci"), "digest two"));
}

TEST_P(LedgerAccounts, ARevokedTokenOpensNothing) {
  auto made = accounts().create_token(account(), token("ci"), "digest");
  ASSERT_TRUE(made);
  EXPECT_EQ(accounts().revoke_token({account().value + 1}, made->id).error().code, "not_found");
  ASSERT_TRUE(accounts().revoke_token(account(), made->id));
  EXPECT_FALSE(accounts().authenticate("digest"));
  EXPECT_EQ(accounts().revoke_token(account(), made->id).error().code, "not_found");
}

TEST_P(LedgerAccounts, TheLastAdminTokenStays) {
  auto first = accounts().tokens(account()).at(0);
  ASSERT_TRUE(accounts().create_token(account(), token("plain"), "digest plain"));
  auto refused = accounts().revoke_token(account(), first.id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "last_admin_token");
  ASSERT_TRUE(accounts().create_token(account(), token("second", true), "digest second"));
  EXPECT_TRUE(accounts().revoke_token(account(), first.id));
  EXPECT_THAT(token_names(), ElementsAre("plain", "second"));
}

// ---- remembered answers -------------------------------------------------------------------------

TEST_P(LedgerAccounts, ARepeatedCreateAnswersAsTheFirstDid) {
  ASSERT_EQ(replayed(create_once("report", "key", "digest")), "created");
  auto job = jobs().find_job(account(), "report");
  ASSERT_TRUE(job);
  auto answer = "made report as " + job->id.text();
  EXPECT_EQ(replayed(create_once("report", "key", "digest")), answer);
  remove(*job);
  EXPECT_EQ(replayed(create_once("report", "key", "digest")), answer) << "the answer of then";
  EXPECT_FALSE(jobs().find_job(account(), "report")) << "and nothing is made";
  world->reopen();
  EXPECT_EQ(replayed(create_once("report", "key", "digest")), answer);
}

TEST_P(LedgerAccounts, AKeyOfAnotherRequestIsAMismatch) {
  ASSERT_EQ(replayed(create_once("report", "key", "digest")), "created");
  EXPECT_EQ(replayed(create_once("other", "key", "another digest")), "idempotency_mismatch");
  EXPECT_FALSE(jobs().find_job(account(), "other"));
  EXPECT_EQ(replayed(create_once("other", "another key", "another digest")), "created");
}

TEST_P(LedgerAccounts, ARefusedCreateIsNotRemembered) {
  create("taken");
  EXPECT_EQ(replayed(create_once("taken", "key", "digest")), "name_taken");
  remove(*jobs().find_job(account(), "taken"));
  EXPECT_EQ(replayed(create_once("taken", "key", "digest")), "created");
}

TEST_P(LedgerAccounts, AnAnswerIsRememberedForADay) {
  ASSERT_EQ(replayed(create_once("report", "key", "digest")), "created");
  world->clock().advance(23h + 59min);
  EXPECT_NE(replayed(create_once("report", "key", "digest")), "created");
  world->clock().advance(1min + 1s);
  EXPECT_EQ(replayed(create_once("another", "key", "another digest")), "created");
}

// ---- secrets of jobs ----------------------------------------------------------------------------

// Erased by the replan: nothing unsent uses them any more.
TEST_P(LedgerAccounts, SecretsOfADeletedJobAreErasedByItsReplan) {
  auto made = definition("report");
  auto secret = fresh_secret_id();
  std::get<core::HttpTarget>(made.target).secret_headers = {{"X-Key", secret}};
  auto created = jobs().create_jobs(account(), {{fresh_job_id(), made, {{secret, "sealed"}}}},
                                    store::Existing::fail, std::nullopt);
  ASSERT_TRUE(created);
  auto job = std::get<std::vector<core::Job>>(*created).at(0);
  ASSERT_TRUE(spine().read_deliverables({{job.no, 1}}).at(0));
  auto gone = remove(job);
  EXPECT_TRUE(spine().read_deliverables({{job.no, 1}}).at(0)) << "a request may be under way";
  replanned(gone, core::Replan::Change::deleted);
  EXPECT_FALSE(spine().read_deliverables({{job.no, 1}}).at(0));
}

TEST_P(LedgerAccounts, ASecretReplacedByAnEditIsErasedOnceNoRunIsOpen) {
  auto made = definition("report");
  auto first = fresh_secret_id();
  auto second = fresh_secret_id();
  std::get<core::HttpTarget>(made.target).secret_headers = {{"X-Key", first}};
  auto created = jobs().create_jobs(account(), {{fresh_job_id(), made, {{first, "sealed 1"}}}},
                                    store::Existing::fail, std::nullopt);
  ASSERT_TRUE(created);
  auto job = std::get<std::vector<core::Job>>(*created).at(0);
  std::get<core::HttpTarget>(made.target).secret_headers = {{"X-Key", second}};
  auto changed = jobs().change_job(account(), {job.id, made, {{second, "sealed 2"}}}, 1);
  ASSERT_TRUE(changed);
  replanned(*changed, core::Replan::Change::changed);
  EXPECT_FALSE(spine().read_deliverables({{job.no, 1}}).at(0)) << "its value is gone";
  auto newest = spine().read_deliverables({{job.no, 2}}).at(0);
  ASSERT_TRUE(newest);
  EXPECT_THAT(newest->sealed_headers, ElementsAre(std::pair("X-Key", "sealed 2")));
}

}  // namespace cronally::conformance
