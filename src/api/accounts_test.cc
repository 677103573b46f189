// POST /v2/accounts and the rotation of credentials.
#include <gmock/gmock.h>

#include "api/v1_fixture_test.h"

namespace cronally::api {
namespace {

class Accounts : public V1Test {};

TEST_F(Accounts, AreMadeByAdminsWithTheirCredentials) {
  const net::Response made =
      call("POST", "/v2/accounts", R"({"email": "New@example.com", "name": "night shift"})");
  EXPECT_EQ(201, made.status);
  EXPECT_EQ("no-store", header_of(made, "Cache-Control"));
  const json::object account = body_of(made).as_object();
  EXPECT_EQ("New@example.com", text(account, "email"));
  EXPECT_EQ("night shift", text(account, "name"));
  secret_ = text(account, "api_secret");
  key_ = text(account, "api_key");
  const json::object shown = body_of(v1("GET", "/v2/account")).as_object();
  EXPECT_EQ(text(account, "id"), text(shown, "id"));
  EXPECT_EQ("***", text(shown, "signing_secret"));
  EXPECT_FALSE(shown.contains("api_secret"));
}

TEST_F(Accounts, AreSealed) {
  const store::Account& stored = account();
  EXPECT_EQ(std::string::npos, stored.api->sealed_secret.find(secret_));
  EXPECT_EQ(secret_,
            vault_.open(core::api_secret_context(stored.id), stored.api->sealed_secret)->reveal());
  EXPECT_TRUE(vault_.open(core::account_context(stored.id), stored.sealed_signing_secret));
}

TEST_F(Accounts, AreNamedByTheirEmailWithoutAName) { EXPECT_EQ("ops@example.com", account().name); }

TEST_F(Accounts, NeedAnEmailOfTheirOwn) {
  EXPECT_EQ("email_taken",
            code_of(call("POST", "/v2/accounts", R"({"email": "ops@example.com"})")));
  for (const char* body :
       {"{}", R"({"email": null})", R"({"email": "x"})", R"({"email": 5})",
        R"({"email": "a@b.c", "name": " "})", R"({"email": "a@b.c", "mail": 1})"}) {
    const net::Response refused = call("POST", "/v2/accounts", body);
    EXPECT_EQ(422, refused.status) << body;
    EXPECT_EQ("invalid_account", code_of(refused));
  }
  EXPECT_EQ(400, call("POST", "/v2/accounts?x=1", R"({"email": "a@b.c"})").status);
}

TEST_F(Accounts, AreMadeAndRotatedByAdminsAlone) {
  for (const char* path : {"/v2/accounts", "/v2/accounts/ops@example.com/rotate"}) {
    EXPECT_EQ("admin_required", code_of(call("POST", path, R"({"email": "a@b.c"})", as_plain())));
    EXPECT_EQ("unauthorized", code_of(call("POST", path, "{}", {{"Authorization", "Bearer x"}})));
  }
}

TEST_F(Accounts, HaveOtherCredentialsOnceRotated) {
  for (const std::string& reference : {account().id.text(), std::string("ops%40example.com")}) {
    const net::Response rotated = call("POST", "/v2/accounts/" + reference + "/rotate");
    EXPECT_EQ(200, rotated.status) << rotated.body;
    EXPECT_EQ(401, v1("GET", "/account/").status);
    const json::object fresh = body_of(rotated).as_object();
    EXPECT_NE(secret_, text(fresh, "api_secret"));
    EXPECT_NE(key_, text(fresh, "api_key"));
    secret_ = text(fresh, "api_secret");
    key_ = text(fresh, "api_key");
    EXPECT_EQ(200, v1("GET", "/account/").status);
  }
  EXPECT_EQ("not_found", code_of(call("POST", "/v2/accounts/nobody@example.com/rotate")));
  EXPECT_EQ(400, call("POST", "/v2/accounts/ops@example.com/rotate", R"({"x": 1})").status);
}

TEST_F(Accounts, OfTheServerMayGetCredentialsToo) {
  EXPECT_TRUE(body_of(call("GET", "/v2/account")).at("api_key").is_null());
  const json::object fresh =
      body_of(call("POST", "/v2/accounts/" + store_.account_row.id.text() + "/rotate")).as_object();
  EXPECT_TRUE(fresh.at("email").is_null());
  secret_ = text(fresh, "api_secret");
  key_ = text(fresh, "api_key");
  const json::object shown = success(v1("GET", "/account/")).as_object();
  EXPECT_EQ("", text(shown, "email"));
  EXPECT_EQ(store_.account_row.id.text(), text(shown, "account_id"));
}

}  // namespace
}  // namespace cronally::api
