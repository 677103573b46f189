// API v1: its accounts, its cronjobs, and the shape of each answer.
#include <gmock/gmock.h>

#include <cstring>

#include "api/standby.h"
#include "api/v1_fixture_test.h"
#include "base/percent.h"

namespace cronally::api {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// ---- accounts -----------------------------------------------------------------------------------

class V1Accounts : public V1Test {
 protected:
  net::Response sign_up(const std::string& body, net::HttpHeaders headers = {}) {
    net::Request made = request("POST", "/account/", body, headers);
    if (headers.count("Authorization") == 0) drop(made, "Authorization");
    made.headers.add("Content-Type", urlencoded);
    return call(made);
  }
};

TEST_F(V1Accounts, ShowTheirFieldsInTheOrderOf2015) {
  add("report");
  EXPECT_EQ(R"({"status":"success","response":{"account_id":")" + account().id.text() +
                R"(","email":"ops@example.com","api_key":")" + key_ + R"(","api_secret":")" +
                secret_ + R"(","cronjob_count":1}})",
            v1("GET", "/account/").body);
  EXPECT_EQ("no-store", header_of(v1("GET", "/account/"), "Cache-Control"));
}

TEST_F(V1Accounts, HideTheSecretWhereTheServerIsToldTo) {
  serve({.secret_masked = true});
  EXPECT_EQ("***", text(success(v1("GET", "/account/")).as_object(), "api_secret"));
}

TEST_F(V1Accounts, AreMadeBySigningUpWhereThatIsOpen) {
  serve({.signup_open = true});
  const json::object made =
      success(sign_up("email=a+b%2Bc@x.org&email=new@example.com")).as_object();
  EXPECT_EQ("new@example.com", text(made, "email"));
  EXPECT_EQ(0, made.at("cronjob_count").as_int64());
  key_ = text(made, "api_key");
  secret_ = text(made, "api_secret");
  EXPECT_EQ(32U, core::parse_v1_secret(secret_)->reveal().size());
  EXPECT_EQ(44U, secret_.size());
  EXPECT_EQ(made, success(v1("GET", "/account/")).as_object());
}

TEST_F(V1Accounts, AreMadeByNobodyElseWithoutAnAdminToken) {
  const std::string closed =
      "403 signup_closed: signing up is closed on this server; ask its "
      "operator for an account (`cronally account create`)";
  EXPECT_EQ(closed, refusal(sign_up("email=new@example.com")));
  EXPECT_EQ(closed, refusal(sign_up("email=ops@example.com"))) << "nor who is here";
  EXPECT_EQ(closed, refusal(sign_up("email=new@example.com&token=wrong")));
  EXPECT_EQ(closed, refusal(sign_up("email=new@example.com", as_plain())));
  EXPECT_EQ(200, sign_up("email=new@example.com&token=" + admin_token_.reveal()).status);
  EXPECT_EQ(200, sign_up("email=other@example.com",
                         {{"Authorization", "Bearer " + admin_token_.reveal()}})
                     .status);
}

TEST_F(V1Accounts, NeedAnEmailOfTheirOwn) {
  const std::string malformed =
      "400 invalid_email: email must be an address such as username@example.com";
  for (const char* body : {"", "email=", "email=cronally.com", "mail=a@b.c"})
    EXPECT_EQ(malformed, refusal(sign_up(body))) << "also while it is closed: " << body;
  serve({.signup_open = true});
  EXPECT_EQ(malformed, refusal(sign_up("email=cronally.com")));
  EXPECT_EQ("400 email_taken: another account has this email; give another",
            refusal(sign_up("email=ops@example.com")));
}

// ---- cronjobs -----------------------------------------------------------------------------------

class V1Cronjobs : public V1Test {};

TEST_F(V1Cronjobs, ShowTheirFieldsInTheOrderOf2015) {
  const net::Response made =
      v1("POST", "/cronjob/", "name=report&cron=0 * * * *&" + std::string(sns));
  const json::object cronjob = success(made).as_object();
  const std::string one = R"({"account_id":")" + account().id.text() + R"(","cronjob_id":")" +
                          id_of(cronjob) +
                          R"(","deleted":false,"name":"report","cron":"0 * * * *"})";
  EXPECT_EQ(R"({"status":"success","response":)" + one + "}", made.body);
  EXPECT_EQ(R"({"status":"success","response":[)" + one + "]}", v1("GET", "/cronjobs/").body);
  EXPECT_EQ("application/json", header_of(made, "Content-Type"));
}

TEST_F(V1Cronjobs, GoToTheirTopicWithTheirOwnKey) {
  const core::Job made =
      job(success(v1("POST", "/cronjob/", "name=report&cron=0 * * * *&" + std::string(sns)))
              .as_object());
  const auto& target = std::get<core::SnsTarget>(made.definition.target);
  EXPECT_EQ("arn:aws:sns:us-east-1:123456789012:cron", target.topic_arn);
  EXPECT_EQ("hello from cronally", target.message);
  EXPECT_EQ("us-east-1", target.region);
  EXPECT_EQ("AKIAIOSFODNN7EXAMPLE", target.credentials->access_key_id);
  const SecretId id = target.credentials->secret_access_key;
  EXPECT_EQ("Kd+ja8/x", vault_.open(core::secret_context(id), store_.sealed.at(id))->reveal());
}

TEST_F(V1Cronjobs, GoToAnAddressByGetOrPost) {
  const core::Job get = job(add("a"));
  EXPECT_EQ("GET", std::get<core::HttpTarget>(get.definition.target).method);
  const core::Job post = job(add("b", "&delivery_http_method=POST"));
  EXPECT_EQ("POST", std::get<core::HttpTarget>(post.definition.target).method);
  EXPECT_FALSE(std::get<core::HttpTarget>(post.definition.target).body) << "Cronally's own";
}

TEST_F(V1Cronjobs, AreMadeFromFormsAndJsonAlike) {
  const std::string part = "--X\r\nContent-Disposition: form-data; name=";
  EXPECT_EQ(200, v1("POST", "/cronjob/",
                    part + "name\r\n\r\na\r\n" + part + "cron\r\n\r\n@daily\r\n" + part +
                        "delivery_type\r\n\r\nhttp\r\n" + part +
                        "delivery_http_url\r\n\r\nhttp://r.test/?a=b&c\r\n--X--\r\n",
                    {{"type", "multipart/form-data; boundary=X"}})
                     .status);
  EXPECT_EQ(200, v1("POST", "/cronjob/",
                    R"({"name": "b", "cron": "@daily", "delivery_type": "HTTP",
                        "delivery_http_url": "http://r.test/"})",
                    {{"type", "application/json"}})
                     .status);
  EXPECT_THAT(refusal(v1("POST", "/cronjob/", "name=a", {{"type", "text/plain"}})),
              StartsWith("400 invalid_form: 'text/plain' is not read here; "));
}

TEST_F(V1Cronjobs, NameEachFaultByItsField) {
  EXPECT_EQ(
      R"({"status":"error","reason":"name is missing; each cronjob has a name; sns_topic is missing; )"
      R"(delivery_type sns, the default, needs it; sns_message is missing; delivery_type sns, the )"
      R"(default, needs it; sns_region is missing; delivery_type sns, the default, needs it; )"
      R"(sns_access_key_id is missing; delivery_type sns, the default, needs it; )"
      R"(sns_secret_access_key is missing; delivery_type sns, the default, needs it",)"
      R"("code":"invalid_cronjob","fields":{"name":"is missing; each cronjob has a name",)"
      R"("sns_topic":"is missing; delivery_type sns, the default, needs it",)"
      R"("sns_message":"is missing; delivery_type sns, the default, needs it",)"
      R"("sns_region":"is missing; delivery_type sns, the default, needs it",)"
      R"("sns_access_key_id":"is missing; delivery_type sns, the default, needs it",)"
      R"("sns_secret_access_key":"is missing; delivery_type sns, the default, needs it"}})",
      v1("POST", "/cronjob/", "cron=@daily").body);
  const net::Response wrong = v1(
      "POST", "/cronjob/", "name=a&cron=61 * * * *&delivery_type=http&delivery_http_url=ftp://x/");
  EXPECT_EQ(400, wrong.status);
  const json::object fields = body_of(wrong).at("fields").as_object();
  EXPECT_EQ(2U, fields.size());
  EXPECT_TRUE(fields.contains("cron"));
  EXPECT_EQ("must start with http:// or https://", text(fields, "delivery_http_url"));
  const std::string region = sns;
  EXPECT_THAT(refusal(v1("POST", "/cronjob/", "name=a&cron=@daily&" + region + "&sns_topic=x")),
              StartsWith("400 invalid_cronjob: sns_topic is not a topic's ARN"));
}

TEST_F(V1Cronjobs, MayShareANameOrHaveOneThatJobsMayNot) {
  const json::object first = add("report");
  const json::object second = add("report");
  EXPECT_EQ("report", text(second, "name"));
  EXPECT_EQ("report", job(first).definition.name);
  EXPECT_EQ("report-" + id_of(second).substr(28), job(second).definition.name);
  for (const char* name : {"bulk", "a%0Ab", "59ab5a9c-ce44-4446-9501-76f4f64be3c6", "%01"}) {
    const json::object strange = add(name);
    EXPECT_EQ(*percent_decode(name), text(strange, "name"));
    EXPECT_TRUE(job(strange).definition.name.ends_with("-" + id_of(strange).substr(28)));
  }
  const json::object blank = add("  padded ");
  EXPECT_EQ("  padded ", text(blank, "name"));
  EXPECT_EQ("padded", job(blank).definition.name);
}

TEST_F(V1Cronjobs, AreChangedByPatch) {
  const json::object made = add("report");
  const std::string path = "/cronjob/" + id_of(made);
  json::object changed = success(v1("PATCH", path, "cron=5 * * * *")).as_object();
  EXPECT_EQ("5 * * * *", text(changed, "cron"));
  EXPECT_EQ("report", text(changed, "name"));
  changed = success(v1("PATCH", path + "/", "name=other")).as_object();
  EXPECT_EQ("other", text(changed, "name"));
  EXPECT_EQ("other", job(made).definition.name);
  EXPECT_EQ(3, job(made).revision);
  EXPECT_EQ(changed, success(v1("PATCH", path)).as_object()) << "nothing is nothing";
  EXPECT_EQ(3, job(made).revision);
  EXPECT_EQ(200, v1("PATCH", path, "delivery_http_method=post").status);
  EXPECT_EQ("POST", std::get<core::HttpTarget>(job(made).definition.target).method);
  EXPECT_EQ(200, v1("PATCH", path, "delivery_type=sns&" + std::string(sns)).status);
  EXPECT_EQ(200, v1("PATCH", path, "sns_message=&sns_access_key_id=AKIAOTHERKEYEXAMPLE0").status);
  const auto target = std::get<core::SnsTarget>(job(made).definition.target);
  EXPECT_EQ(" ", target.message);
  EXPECT_EQ("AKIAOTHERKEYEXAMPLE0", target.credentials->access_key_id);
  const SecretId id = target.credentials->secret_access_key;
  EXPECT_EQ("Kd+ja8/x", vault_.open(core::secret_context(id), store_.sealed.at(id))->reveal());
  EXPECT_THAT(refusal(v1("PATCH", path, "cron=x&name=")),
              StartsWith("400 invalid_cronjob: name must not be empty"));
  EXPECT_THAT(refusal(v1("PATCH", path, "delivery_http_url=http://r.test/")),
              StartsWith("400 invalid_cronjob: delivery_http_url is not for a cronjob of "));
}

TEST_F(V1Cronjobs, AreRenamedAsTheyAreNamed) {
  add("taken");
  const json::object made = add("report");
  const std::string path = "/cronjob/" + id_of(made);
  const auto rename = [&](const std::string& name) {
    return text(success(v1("PATCH", path, "name=" + name)).as_object(), "name");
  };
  EXPECT_EQ("taken", rename("taken"));
  const std::string stored = "taken-" + id_of(made).substr(28);
  EXPECT_EQ(stored, job(made).definition.name);
  EXPECT_EQ("taken", rename("taken"));
  EXPECT_EQ(2, job(made).revision) << "that is its name already";
  EXPECT_EQ(stored, rename(stored));
  EXPECT_FALSE(job(made).v1_name);
  EXPECT_EQ("bulk", rename("bulk"));
  EXPECT_EQ("bulk-" + id_of(made).substr(28), job(made).definition.name);
  EXPECT_EQ("report", rename("report"));
  EXPECT_EQ("report", job(made).definition.name);
}

TEST_F(V1Cronjobs, AreDeletedOnce) {
  const json::object made = add("report");
  const std::string path = "/cronjob/" + id_of(made) + "/";
  store_.acks_awaited = 0;
  json::object gone = success(v1("DELETE", path)).as_object();
  EXPECT_EQ(1, store_.acks_awaited);
  EXPECT_TRUE(gone.at("deleted").as_bool());
  gone["deleted"] = false;
  EXPECT_EQ(made, gone);
  EXPECT_EQ("404 not_found: no cronjob '" + id_of(made) + "'; GET /cronjobs/ lists them",
            refusal(v1("DELETE", path)));
  EXPECT_EQ(0U, success(v1("GET", "/cronjobs/")).as_array().size());
}

TEST_F(V1Cronjobs, OfOthersDoNotExist) {
  const json::object foreign = add_job("foreign");
  for (const std::string& id : {text(foreign, "id"), std::string("foreign"), std::string("x%2Fy"),
                                std::string("37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e")})
    for (const char* method : {"PATCH", "DELETE"})
      EXPECT_THAT(refusal(v1(method, "/cronjob/" + id + "/", "name=x")),
                  StartsWith("404 not_found: no cronjob '" + id + "'"));
}

TEST_F(V1Cronjobs, AreListedPageByPageAsOneList) {
  for (int i = 0; i < 3; ++i) add("job " + std::to_string(i));
  EXPECT_EQ(3U, success(v1("GET", "/cronjobs")).as_array().size());
}

// ---- answers that no handler gives --------------------------------------------------------------

class V1Answers : public V1Test {};

TEST_F(V1Answers, OfOtherMethodsNameThoseThatAreThere) {
  struct Row {
    const char* path;
    const char* allow;
    std::vector<const char*> methods;
  };
  for (const Row& row : {Row{"/account/", "GET, POST", {"PUT", "PATCH", "DELETE", "OPTIONS"}},
                         Row{"/cronjob/", "POST", {"GET", "PUT", "PATCH", "DELETE", "OPTIONS"}},
                         Row{"/cronjobs/", "GET", {"POST", "PUT", "PATCH", "DELETE", "OPTIONS"}},
                         Row{"/cronjob/x/", "PATCH, DELETE", {"GET", "POST", "PUT", "OPTIONS"}}})
    for (const char* method : row.methods)
      for (const std::string& path :
           {std::string(row.path), std::string(row.path, std::strlen(row.path) - 1)}) {
        const net::Response refused = v1(method, path);
        EXPECT_EQ("405 method_not_allowed: '" + std::string(method) + "' is not allowed at '" +
                      path + "'; use " + row.allow,
                  refusal(refused));
        EXPECT_EQ(row.allow, header_of(refused, "Allow"));
      }
  net::Request head = signed_request("GET", "/account/");
  head.head = true;
  EXPECT_THAT(refusal(call(head)), StartsWith("405 method_not_allowed: 'HEAD' is not allowed at "));
}

TEST_F(V1Answers, OfUnknownPathsAreJson) {
  for (const char* path :
       {"/account/x", "/account//", "/cronjob//", "/cronjob/x/y", "/cronjobs/x", "/cronjobs//"})
    EXPECT_EQ("404 not_found: there is nothing at '" + std::string(path) + "'",
              refusal(v1("GET", path)));
  for (const char* path : {"/", "/accounts", "/Account/", "/cronjobsx"})
    EXPECT_EQ("not_found", code_of(v1("GET", path))) << path;
}

TEST_F(V1Answers, OfOutagesAreJson) {
  store_.down = true;
  const net::Response down = v1("GET", "/cronjobs/");
  EXPECT_EQ("503 unavailable: the database is down; it is tried again every second", refusal(down));
  EXPECT_EQ("1", header_of(down, "Retry-After"));
  store_.down = false;
  store_.seen = false;
  EXPECT_THAT(refusal(v1("DELETE", "/cronjob/" + id_of(add("a")))), StartsWith("503 undecided: "));
}

TEST_F(V1Answers, OfAStandbyAreJson) {
  const net::Response standby =
      answer_as_standby(request("GET", "/account/"), {}, health_, metrics_, standing_by());
  EXPECT_THAT(refusal(standby), StartsWith("503 standby: this server stands by "));
}

}  // namespace
}  // namespace cronally::api
