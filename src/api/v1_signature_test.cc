// Whom a signature lets in, at v1 and at v2.
#include <gmock/gmock.h>

#include "api/v1_fixture_test.h"

namespace cronally::api {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* here = "; it is 2026-11-24T05:00:00Z here, which is 202611240500";

class V1Signatures : public V1Test {};

TEST_F(V1Signatures, LetTheirAccountIn) {
  EXPECT_EQ(account().id.text(), text(success(v1("GET", "/account/")).as_object(), "account_id"));
}

TEST_F(V1Signatures, MayBeOverThePathWithItsSlashToggled) {
  for (const char* path : {"/account", "/account/"})
    for (const char* signed_path : {"/account", "/account/"})
      EXPECT_EQ(200, v1("GET", path, "", {{"path", signed_path}}).status) << path << signed_path;
  EXPECT_EQ(200, v1("GET", "/account/?x=1").status) << "a query is not signed";
}

TEST_F(V1Signatures, ThatAreWrongTellNothing) {
  const std::string expected =
      "401 unauthorized: the api key or the signature is wrong; it must be over PATH, METHOD and "
      "DATE with the base64-decoded api secret" +
      std::string(here);
  for (const Changes& wrong :
       std::vector<Changes>{{{"key", "59ab5a9c-ce44-4446-9501-76f4f64be3c6"}},
                            {{"key", "nobody"}},
                            {{"key", account().id.text()}},
                            {{"secret", "YWJj"}},
                            {{"signature", "x"}},
                            {{"signature", ""}},
                            {{"method", "POST"}},
                            {{"path", "/cronjobs/"}},
                            {{"path", "/cron/account/"}}}) {
    const net::Response response = v1("GET", "/account/", "", wrong);
    EXPECT_EQ(expected, refusal(response)) << wrong.begin()->first;
    EXPECT_EQ("Cronally-V1", header_of(response, "WWW-Authenticate"));
  }
}

TEST_F(V1Signatures, NeedEachHeaderOnce) {
  for (const char* name : {"X-Cron-Key", "X-Cron-Date", "X-Cron-Signature"}) {
    net::Request made = signed_request("GET", "/account/");
    drop(made, name);
    EXPECT_EQ(std::string("401 unauthorized: this needs the headers X-Cron-Key, X-Cron-Date and "
                          "X-Cron-Signature, each once; correct ") +
                  name + here,
              refusal(call(made)));
    made = signed_request("GET", "/account/");
    made.headers.add(name, std::string(*made.headers.find(name)));
    EXPECT_THAT(refusal(call(made)), HasSubstr(std::string("correct ") + name));
  }
  // A token does not open v1: its answers would be those of another account.
  EXPECT_EQ(401, call("GET", "/account/").status);
}

TEST_F(V1Signatures, AreOfTheMinutesAroundNow) {
  const auto dated = [&](const char* date) { return v1("GET", "/account/", "", {{"date", date}}); };
  EXPECT_EQ(200, dated("202611240455").status);
  EXPECT_EQ(200, dated("202611240505").status);
  for (const char* date : {"202611240454", "202611240506", "200601021504"})
    EXPECT_EQ("401 unauthorized: X-Cron-Date " + std::string(date) +
                  " is more than 5m off this server's clock" + here,
              refusal(dated(date)));
  EXPECT_EQ(std::string("401 unauthorized: X-Cron-Date must be UTC as YYYYMMDDHHMM, twelve digits, "
                        "not '20261124T050000Z'") +
                here,
            refusal(dated("20261124T050000Z")));
  serve({.window = 1min});
  EXPECT_EQ(401, dated("202611240458").status);
  EXPECT_EQ(200, dated("202611240459").status);
}

TEST_F(V1Signatures, MayBeOverTheBasePathThatClientsSee) {
  serve({.base_path = "/cron"});
  for (const char* path : {"/account/", "/account", "/cron/account/", "/cron/account"})
    for (const char* signed_path : {"/account/", "/account", "/cron/account/", "/cron/account"})
      EXPECT_EQ(200, v1("GET", path, "", {{"path", signed_path}}).status) << path << signed_path;
  EXPECT_EQ(200, call("GET", "/cron/v2/jobs").status);
  EXPECT_EQ(404, call("GET", "/cronx/v2/jobs").status);
  EXPECT_EQ(404, call("GET", "/cron").status);
}

TEST_F(V1Signatures, AreTakenAgainUnlessReplaysAreRefused) {
  const net::Request post =
      signed_request("POST", "/cronjob/", "name=a&cron=@daily&" + std::string(http));
  EXPECT_EQ(200, call(post).status);
  EXPECT_EQ(200, call(post).status);
  serve({.replays_refused = true});
  EXPECT_EQ(200, call(post).status);
  EXPECT_THAT(refusal(call(post)),
              StartsWith("401 unauthorized: this very request was taken already; "));
  EXPECT_EQ(200, v1("GET", "/cronjobs/").status);
  EXPECT_EQ(200, v1("GET", "/cronjobs/").status) << "reading changes nothing";
  EXPECT_EQ(200, v1("POST", "/cronjob/", "name=b&cron=@daily&" + std::string(http)).status);
  // Written in another way it is the same.
  EXPECT_EQ(401, call(signed_request("POST", "/cronjob", post.body)).status);
  net::Request hex_signed = post;
  const std::string hexed = hex(*base64_decode(*post.headers.find("X-Cron-Signature")));
  drop(hex_signed, "X-Cron-Signature");
  hex_signed.headers.add("X-Cron-Signature", hexed);
  EXPECT_EQ(401, call(hex_signed).status);
  std::string upper = key_;
  for (char& c : upper) c = c >= 'a' ? static_cast<char>(c - 32) : c;
  EXPECT_EQ(401, v1("POST", "/cronjob/", post.body, {{"key", upper}}).status);
  clock_.advance(1min);
  EXPECT_EQ(401, call(post).status);
  EXPECT_EQ(200, v1("POST", "/cronjob/", post.body).status) << "a new minute, signed anew";
}

TEST_F(V1Signatures, OfWhatFailedHereAreNoReplay) {
  serve({.replays_refused = true});
  const net::Request post =
      signed_request("POST", "/cronjob/", "name=a&cron=@daily&" + std::string(http));
  store_.seen = false;
  const std::string id = id_of(add("b"));
  const net::Request gone = signed_request("DELETE", "/cronjob/" + id + "/");
  EXPECT_THAT(refusal(call(gone)), StartsWith("503 undecided: "));
  EXPECT_THAT(refusal(call(gone)), StartsWith("404 not_found: "));
  store_.down = true;
  EXPECT_THAT(refusal(call(post)), StartsWith("503 unavailable: "));
  store_.down = false;
  EXPECT_EQ(200, call(post).status);
  EXPECT_EQ(401, call(post).status);
}

// ---- v2 -----------------------------------------------------------------------------------------

TEST_F(V1Signatures, OpenV2ForTheirAccount) {
  const net::Response shown = v1("GET", "/v2/account");
  EXPECT_EQ(200, shown.status) << shown.body;
  EXPECT_EQ(key_, text(body_of(shown).as_object(), "api_key"));
  EXPECT_EQ("ops@example.com", text(body_of(shown).as_object(), "email"));
  const Changes as_json{{"type", "application/json"}};
  EXPECT_EQ(201, v1("POST", "/v2/jobs", job_text("report"), as_json).status);
  EXPECT_EQ(1U, body_of(v1("GET", "/v2/jobs?limit=5")).at("items").as_array().size());
  EXPECT_EQ(0U, body_of(call("GET", "/v2/jobs")).at("items").as_array().size());
  net::Request head = signed_request("GET", "/v2/jobs", "", {{"method", "HEAD"}});
  head.head = true;
  EXPECT_EQ(200, call(head).status);
}

TEST_F(V1Signatures, AreNeverAnAdmins) {
  for (const char* path : {"/v2/tokens", "/v2/accounts", "/v2/backup"})
    EXPECT_EQ("admin_required", code_of(v1("POST", path, "{}"))) << path;
}

TEST_F(V1Signatures, StandBackWhereThereIsAToken) {
  net::Request both = signed_request("GET", "/v2/account", "", {{"signature", "wrong"}});
  EXPECT_EQ("unauthorized", code_of(call(both)));
  both.headers.add("Authorization", "Bearer " + plain_token_.reveal());
  const net::Response shown = call(both);
  EXPECT_EQ(200, shown.status);
  EXPECT_EQ("main", text(body_of(shown).as_object(), "name"));
}

TEST_F(V1Signatures, PartLongPollsOfTwoAccounts) {
  const net::Request first = signed_request("GET", "/v2/runs/changes?after=c1&wait=10s");
  net::Request second = first;
  drop(second, "X-Cron-Key");
  second.headers.add("X-Cron-Key", "59ab5a9c-ce44-4446-9501-76f4f64be3c6");
  EXPECT_NE(QuietPolls::key_of(first), QuietPolls::key_of(second));
}

}  // namespace
}  // namespace cronally::api
