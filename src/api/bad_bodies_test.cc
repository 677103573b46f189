// What is sent wrong is answered with one exact status, code and place.
#include "api/api_fixture_test.h"

namespace cronally::api {
namespace {

struct Bad {
  const char* body;
  int status;
  const char* code;
  const char* pointer;  // of the first error; "": the answer has none
};

class BadBodies : public ApiTest {
 protected:
  void expect(std::string_view method, std::string_view target, const Bad& row) {
    const net::Response answer = call(std::string(method), std::string(target), row.body);
    EXPECT_EQ(row.status, answer.status) << row.body << "\n" << answer.body;
    if (answer.status < 400) return;
    EXPECT_EQ(row.code, code_of(answer)) << row.body;
    EXPECT_EQ("application/problem+json", header_of(answer, "Content-Type"));
    const json::value body = body_of(answer);
    const json::value* errors = body.as_object().if_contains("errors");
    const std::string pointer =
        errors ? std::string(errors->as_array().at(0).at("pointer").as_string()) : "";
    EXPECT_EQ(row.pointer, pointer) << row.body << "\n" << answer.body;
  }
};

TEST_F(BadBodies, AreRefusedAsJson) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  const std::string deep_object = R"({"name": )" + deep + "}";
  const Bad rows[] = {
      {"", 400, "invalid_json", ""},
      {"{", 400, "invalid_json", ""},
      {"{]", 400, "invalid_json", ""},
      {"{} {}", 400, "invalid_json", ""},
      {"{} x", 400, "invalid_json", ""},
      {"[]", 400, "invalid_json", ""},
      {"null", 400, "invalid_json", ""},
      {"\"text\"", 400, "invalid_json", ""},
      {"{'name': 1}", 400, "invalid_json", ""},
      {"{\"name\": 01}", 400, "invalid_json", ""},
      {"{\"name\": NaN}", 400, "invalid_json", ""},
      {"{\"name\": \"a\",}", 400, "invalid_json", ""},
      {"{\"name\": \"a\"} // comment", 400, "invalid_json", ""},
      {"{\"name\": \"\xff\"}", 400, "invalid_json", ""},
      {"{\"name\": \"\xc0\x80\"}", 400, "invalid_json", ""},
      {"{\"name\": \"\xed\xa0\x80\"}", 400, "invalid_json", ""},
      {R"({"name": "\ud800"})", 400, "invalid_json", ""},
      {"{\"name\": \"line\nbreak\"}", 400, "invalid_json", ""},
      {"\xef\xbb\xbf{}", 400, "invalid_json", ""},
      {R"({"name": "a", "name": "b"})", 400, "invalid_json", ""},
      {R"({"name": "a", "\u006eame": "b"})", 400, "invalid_json", ""},
      {R"({"target": {"url": "a", "url": "b"}})", 400, "invalid_json", ""},
      {R"({"labels": [{"a": 1, "a": 2}]})", 400, "invalid_json", ""},
      {deep_object.c_str(), 400, "invalid_json", ""},
  };
  for (const Bad& row : rows)
    for (const char* target : {"/v2/jobs", "/v2/jobs/bulk", "/v2/schedules/preview", "/v2/tokens"})
      expect("POST", target, row);
}

// A sound job with one field more, or another in its place. The value stands as it is given.
std::string with(std::string_view field, std::string_view value) {
  std::string text = "{";
  const auto add = [&](std::string_view name, std::string_view sound) {
    if (name != field) text += '"' + std::string(name) + "\": " + std::string(sound) + ", ";
  };
  add("name", "\"a\"");
  add("schedule", "\"@hourly\"");
  add("target", R"({"type": "http", "url": "http://r.test/"})");
  return text + '"' + std::string(field) + "\": " + std::string(value) + "}";
}

TEST_F(BadBodies, OfJobsNameTheFieldAtFault) {
  struct Row {
    const char* field;
    const char* value;
    const char* pointer;
  };
  const Row rows[] = {
      // Wrong kinds of value.
      {"name", "1", "/name"},
      {"name", "null", "/name"},
      {"schedule", "[]", "/schedule"},
      {"schedule", "null", "/schedule"},
      {"zone", "true", "/zone"},
      {"target", "null", "/target"},
      {"target", "\"http://r.test/\"", "/target"},
      {"labels", "[\"a\"]", "/labels"},
      {"retry", "5", "/retry"},
      {"catch_up", "\"latest\"", "/catch_up"},
      {"paused", "\"yes\"", "/paused"},
      {"paused", "0", "/paused"},
      {"anchor", "1764000000", "/anchor"},
      // Names.
      {"name", "\"\"", "/name"},
      {"name", "\"  \"", "/name"},
      {"name", "\"a\\u0007b\"", "/name"},
      {"name", "\"a\\u0085b\"", "/name"},
      {"name", "\"bulk\"", "/name"},
      {"name", "\"once\"", "/name"},
      {"name", "\"..\"", "/name"},
      {"name", "\"019ab7c2-5d1e-7c3a-9f0e-2b6d41c8e7a5\"", "/name"},
      {"name", "\"019AB7C2-5D1E-7C3A-9F0E-2B6D41C8E7A5\"", "/name"},
      // Schedules.
      {"schedule", "\"\"", "/schedule"},
      {"schedule", "\"61 * * * *\"", "/schedule"},
      {"schedule", "\"0 0 31 2 *\"", "/schedule"},
      {"schedule", "\"@every 0s\"", "/schedule"},
      {"schedule", "\"@every 500ms\"", "/schedule"},
      {"schedule", "\"@at 2026-11-24T05:00:00Z\"", "/schedule"},
      {"schedule", "\"@at yesterday\"", "/schedule"},
      {"schedule", "\"@at 2076-11-24T05:00:01Z\"", "/schedule"},  // 50 years and a second
      {"schedule", "\"0 0 0 1 1 * 2190\"", "/schedule"},
      {"zone", "\"Europe/Rigga\"", "/zone"},
      {"zone", "\"../../etc/passwd\"", "/zone"},
      {"zone", "\"\"", "/zone"},
      {"dst", "\"Run\"", "/dst"},
      {"anchor", "\"2026-11-24\"", "/anchor"},
      // Targets.
      {"target", "{}", "/target/url"},
      {"target", R"({"type": "htttp"})", "/target/type"},
      {"target", R"({"type": "sqs"})", "/target/type"},
      {"target", R"({"url": ""})", "/target/url"},
      {"target", R"({"url": "ftp://r.test/"})", "/target/url"},
      {"target", R"({"url": "//r.test/"})", "/target/url"},
      {"target", R"({"url": "http://"})", "/target/url"},
      {"target", R"({"url": "http:///x"})", "/target/url"},
      {"target", R"({"url": "http://:80/"})", "/target/url"},
      {"target", R"({"url": "http://u:p@r.test/"})", "/target/url"},
      {"target", R"({"url": "http://r.test/#top"})", "/target/url"},
      {"target", R"({"url": "http://r.test:99999/"})", "/target/url"},
      {"target", R"({"url": "http://r.test:0/"})", "/target/url"},
      {"target", R"({"url": "http://r.test/a b"})", "/target/url"},
      {"target", R"({"url": "http://r.test/%zz"})", "/target/url"},
      {"target", R"({"url": "http://{{job.name}}.test/"})", "/target/url"},
      {"target", R"({"url": "http://r.test/{{job.nam}}"})", "/target/url"},
      {"target", R"({"url": "http://r.test/", "method": "post"})", "/target/method"},
      {"target", R"({"url": "http://r.test/", "method": "GE T"})", "/target/method"},
      {"target", R"({"url": "http://r.test/", "method": "CONNECT"})", "/target/method"},
      {"target", R"({"url": "http://r.test/", "body": {"a": 1}})", "/target/body"},
      {"target", R"({"url": "http://r.test/", "body": "{{who}}"})", "/target/body"},
      {"target", R"({"url": "http://r.test/", "timeout": 30})", "/target/timeout"},
      {"target", R"({"url": "http://r.test/", "timeout": "999ms"})", "/target/timeout"},
      {"target", R"({"url": "http://r.test/", "timeout": "901s"})", "/target/timeout"},
      {"target", R"({"url": "http://r.test/", "timeout": "soon"})", "/target/timeout"},
      {"target", R"({"url": "http://r.test/", "tiemout": "1s"})", "/target/tiemout"},
      // Headers.
      {"target", R"({"url": "http://r.test/", "headers": {"A B": "x"}})", "/target/headers/A B"},
      {"target", R"({"url": "http://r.test/", "headers": {"a/b": "x"}})", "/target/headers/a~1b"},
      {"target", R"({"url": "http://r.test/", "headers": {"": "x"}})", "/target/headers/"},
      {"target", R"({"url": "http://r.test/", "headers": {"X": "a\r\nB: c"}})",
       "/target/headers/X"},
      {"target", R"({"url": "http://r.test/", "headers": {"X": 1}})", "/target/headers/X"},
      {"target", R"({"url": "http://r.test/", "headers": {"Host": "x"}})", "/target/headers/Host"},
      {"target", R"({"url": "http://r.test/", "headers": {"webhook-id": "x"}})",
       "/target/headers/webhook-id"},
      {"target", R"({"url": "http://r.test/", "headers": {"Cronally-New": "x"}})",
       "/target/headers/Cronally-New"},
      {"target", R"({"url": "http://r.test/", "headers": {"CONTENT-LENGTH": "1"}})",
       "/target/headers/CONTENT-LENGTH"},
      {"target", R"({"url": "http://r.test/", "headers": {"a": "1", "A": "2"}})",
       "/target/headers/A"},
      {"target",
       R"({"url": "http://r.test/", "headers": {"a": "1"}, "secret_headers": {"A": "2"}})",
       "/target/secret_headers/A"},
      {"target", R"({"url": "http://r.test/", "secret_headers": {"A": "***"}})",
       "/target/secret_headers/A"},
      {"target", R"({"url": "http://r.test/", "secret_headers": {"A": "x\ny"}})",
       "/target/secret_headers/A"},
      // Policies.
      {"delivery", "\"exactly_once\"", "/delivery"},
      {"overlap", "\"forbid\"", "/overlap"},
      {"overlap", "\"alow\"", "/overlap"},
      {"retry", R"({"attempts": 0})", "/retry/attempts"},
      {"retry", R"({"attempts": 186})", "/retry/attempts"},
      {"retry", R"({"attempts": 1.5})", "/retry/attempts"},
      {"retry", R"({"attempts": 5.0})", "/retry/attempts"},
      {"retry", R"({"attempts": 99999999999999999999})", "/retry/attempts"},
      {"retry", R"({"attempts": 1e400})", "/retry/attempts"},
      {"retry", R"({"attempts": "5"})", "/retry/attempts"},
      {"retry", R"({"backoff_min": "1m", "backoff_max": "1s"})", "/retry/backoff_max"},
      {"retry", R"({"backoff_min": "-1s"})", "/retry/backoff_min"},
      {"retry", R"({"age_max": "8d"})", "/retry/age_max"},
      {"retry", R"({"atempts": 2})", "/retry/atempts"},
      {"catch_up", R"({"mode": "none"})", "/catch_up/mode"},
      {"catch_up", R"({"window": "31d"})", "/catch_up/window"},
      {"catch_up", R"({"window": "0s"})", "/catch_up/window"},
      {"catch_up", R"({"limit": 10001})", "/catch_up/limit"},
      // Labels and the rest.
      {"labels", R"({"a b": "x"})", "/labels/a b"},
      {"labels", R"({"-a": "x"})", "/labels/-a"},
      {"labels", R"({"a": 1})", "/labels/a"},
      {"labels", R"({"a": "x\u0000"})", "/labels/a"},
      {"kind", "\"queue\"", "/kind"},
      {"shedule", "\"@hourly\"", "/shedule"},
      {"Name", "\"a\"", "/Name"},
      {"a/b~c", "1", "/a~1b~0c"},
      {"id", "\"x\"", "/id"},
      {"revision", "3", "/revision"},
      {"next_at", "null", "/next_at"},
  };
  for (const Row& row : rows)
    expect("POST", "/v2/jobs",
           {with(row.field, row.value).c_str(), 422, "invalid_job", row.pointer});
}

TEST_F(BadBodies, ThatAreTooLongAreRefused) {
  const auto text = [](std::size_t length) { return '"' + std::string(length, 'x') + '"'; };
  const auto url = [&](std::size_t length) {
    return R"({"url": "http://r.test/)" + std::string(length - 14, 'x') + "\"}";
  };
  const auto body = [&](std::size_t length) {
    return R"({"url": "http://r.test/", "body": )" + text(length) + "}";
  };
  struct Row {
    const char* field;
    std::string value;
    int status;
    const char* pointer;
  };
  const Row rows[] = {
      {"name", text(200), 201, ""},
      {"name", text(201), 422, "/name"},
      {"description", text(4096), 201, ""},
      {"description", text(4097), 422, "/description"},
      {"schedule", text(257), 422, "/schedule"},
      {"target", url(8192), 201, ""},
      {"target", url(8193), 422, "/target/url"},
      {"target", body(262144), 201, ""},
      {"target", body(262145), 422, "/target/body"},
      {"labels", R"({"a": )" + text(255) + "}", 201, ""},
      {"labels", R"({"a": )" + text(256) + "}", 422, "/labels/a"},
  };
  for (const Row& row : rows) {
    if (const auto old = store_.jobs().find_job(AccountNo{1}, "a"))
      EXPECT_TRUE(store_.jobs().delete_job(AccountNo{1}, old->id, {}));
    expect("POST", "/v2/jobs",
           {with(row.field, row.value).c_str(), row.status, "invalid_job", row.pointer});
  }
}

TEST_F(BadBodies, OfOtherRoutesNameTheFieldAtFault) {
  struct Row {
    const char* method;
    const char* target;
    Bad bad;
  };
  add_job("a");
  const Row rows[] = {
      // Bulk: pointers start at the item, and nothing is written.
      {"POST", "/v2/jobs/bulk", {"{}", 422, "invalid_job", "/items"}},
      {"POST", "/v2/jobs/bulk", {R"({"items": {}})", 422, "invalid_job", "/items"}},
      {"POST", "/v2/jobs/bulk", {R"({"items": [1]})", 422, "invalid_job", "/items/0"}},
      {"POST", "/v2/jobs/bulk", {R"({"items": [], "x": 1})", 422, "invalid_job", "/items"}},
      {"POST", "/v2/jobs/bulk", {R"({"items": [{}]})", 422, "invalid_job", "/items/0/name"}},
      // A patch is judged as the whole that it makes.
      {"PATCH", "/v2/jobs/a", {R"({"schedule": null})", 422, "invalid_job", "/schedule"}},
      {"PATCH", "/v2/jobs/a", {R"({"name": null})", 422, "invalid_job", "/name"}},
      {"PATCH", "/v2/jobs/a", {R"({"target": null})", 422, "invalid_job", "/target"}},
      {"PATCH",
       "/v2/jobs/a",
       {R"({"target": {"type": "http"}})", 422, "invalid_job", "/target/url"}},
      {"PATCH",
       "/v2/jobs/a",
       {R"({"target": {"secret_headers": {"A": "***"}}})", 422, "invalid_job",
        "/target/secret_headers/A"}},
      {"PATCH",
       "/v2/jobs/a",
       {R"({"delivery": "at_most_once", "retry": {"attempts": 2}})", 422, "invalid_job",
        "/retry/attempts"}},
      {"PATCH", "/v2/jobs/a", {R"({"revision": 1})", 422, "invalid_job", "/revision"}},
      {"PATCH", "/v2/jobs/nobody", {"{}", 404, "not_found", ""}},
      // Requests without fields.
      {"POST", "/v2/jobs/a/pause", {R"({"for": "1h"})", 400, "invalid_request", ""}},
      {"POST", "/v2/jobs/a/run", {R"({"key": "x"})", 400, "invalid_request", ""}},
      {"DELETE", "/v2/jobs/a", {"{", 400, "invalid_json", ""}},
      // Previews.
      {"POST", "/v2/schedules/preview", {"{}", 422, "invalid_schedule", "/schedule"}},
      {"POST",
       "/v2/schedules/preview",
       {R"({"schedule": "* * * *"})", 422, "invalid_schedule", "/schedule"}},
      {"POST",
       "/v2/schedules/preview",
       {R"({"schedule": "@hourly", "count": 1001})", 422, "invalid_schedule", "/count"}},
      {"POST",
       "/v2/schedules/preview",
       {R"({"schedule": "@hourly", "from": "now"})", 422, "invalid_schedule", "/from"}},
      {"POST",
       "/v2/schedules/preview",
       {R"({"schedule": "@hourly", "zon": "UTC"})", 422, "invalid_schedule", "/zon"}},
      {"POST",
       "/v2/schedules/preview",
       {R"({"schedule": "@hourly", "zone": "Mars"})", 422, "invalid_schedule", "/zone"}},
      // The account and its tokens.
      {"PATCH", "/v2/account", {R"({"id": "x"})", 422, "invalid_account", "/id"}},
      {"PATCH", "/v2/account", {R"({"name": ""})", 422, "invalid_account", "/name"}},
      {"PATCH",
       "/v2/account",
       {R"({"signing_secret": "secret"})", 422, "invalid_account", "/signing_secret"}},
      {"PATCH",
       "/v2/account",
       {R"({"signing_secret": null})", 422, "invalid_account", "/signing_secret"}},
      {"PATCH",
       "/v2/account",
       {R"({"signing_secret": "whsec_dG9vIHNob3J0"})", 422, "invalid_account", "/signing_secret"}},
      {"PATCH",
       "/v2/account",
       {R"({"failure_webhook": {}})", 422, "invalid_account", "/failure_webhook/url"}},
      {"PATCH",
       "/v2/account",
       {R"({"failure_webhook": {"url": "mailto:a@b"}})", 422, "invalid_account",
        "/failure_webhook/url"}},
      {"PATCH",
       "/v2/account",
       {R"({"failure_webhook": {"url": "http://r.test/{{run.id}}"}})", 422, "invalid_account",
        "/failure_webhook/url"}},
      {"PATCH",
       "/v2/account",
       {R"({"failure_webhook": {"url": "http://r.test/", "secret_headers": {"A": "***"}}})", 422,
        "invalid_account", "/failure_webhook/secret_headers/A"}},
      {"POST", "/v2/tokens", {"{}", 422, "invalid_token", "/name"}},
      {"POST", "/v2/tokens", {R"({"name": "x", "admin": 1})", 422, "invalid_token", "/admin"}},
      {"POST", "/v2/tokens", {R"({"name": "x", "role": "a"})", 422, "invalid_token", "/role"}},
      {"POST", "/v2/tokens", {R"({"name": "plain"})", 409, "name_taken", "/name"}},
  };
  for (const Row& row : rows) expect(row.method, row.target, row.bad);
}

TEST_F(BadBodies, ShowEveryFaultAtOnce) {
  const net::Response answer = call("POST", "/v2/jobs",
                                    R"({"name": "bulk", "schedule": "x", "zone": "Mars",
                                        "target": {"url": "ftp://r"}, "retry": {"attempts": 0}})");
  EXPECT_EQ(422, answer.status);
  std::string pointers;
  for (const json::value& error : body_of(answer).at("errors").as_array())
    pointers += std::string(error.at("pointer").as_string()) + " ";
  EXPECT_EQ("/name /zone /schedule /target/url /retry/attempts ", pointers);
}

TEST_F(BadBodies, OfAnotherMediaTypeAreRefused) {
  const auto status = [&](const char* type, const char* method = "POST") {
    const char* target = method[1] == 'O' ? "/v2/jobs" : "/v2/jobs/a";
    return call(method, target, method[1] == 'O' ? job_text(type) : "{}", {{"Content-Type", type}})
        .status;
  };
  EXPECT_EQ(415, status("application/x-www-form-urlencoded"));
  EXPECT_EQ(415, status("text/plain"));
  EXPECT_EQ(415, status("application/merge-patch+json"));
  EXPECT_EQ(201, status("application/json"));
  EXPECT_EQ(201, status("Application/JSON; charset=utf-8"));
  add_job("a");
  EXPECT_EQ(200, status("application/merge-patch+json", "PATCH"));
  EXPECT_EQ(200, status("application/json", "PATCH"));
  EXPECT_EQ(415, status("text/plain", "PATCH"));
}

TEST_F(BadBodies, NeverShowASecret) {
  const net::Response answer =
      call("POST", "/v2/jobs",
           job_text("a").substr(0, job_text("a").size() - 2) +
               R"(, "secret_headers": {"A": "hunter2\n", "B C": "hunter2"}}})");
  EXPECT_EQ(422, answer.status);
  EXPECT_FALSE(answer.body.contains("hunter2")) << answer.body;
  const net::Response secret = call("PATCH", "/v2/account", R"({"signing_secret": "hunter2"})");
  EXPECT_FALSE(secret.body.contains("hunter2")) << secret.body;
}

}  // namespace
}  // namespace cronally::api
