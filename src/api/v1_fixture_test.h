// Requests to API v1 in one line, signed by an account that the test made.
#pragma once

#include <map>
#include <string>

#include "api/accounts.h"
#include "api/api_fixture_test.h"
#include "core/v1_signature.h"

namespace cronally::api {

class V1Test : public ApiTest {
 protected:
  V1Test() {
    secret_ = give_account("ops@example.com");
    key_ = store_.more_accounts.back().api->key.text();
  }

  // An account with this email; its secret.
  std::string give_account(const std::string& email) {
    const net::Response made = call("POST", "/v2/accounts", R"({"email": ")" + email + "\"}");
    EXPECT_EQ(201, made.status) << made.body;
    return std::string(body_of(made).at("api_secret").as_string());
  }

  static void drop(net::Request& made, std::string_view name) {
    net::HttpHeaders kept;
    for (const net::HttpHeader& header : made.headers)
      if (!net::equal_names(header.name, name)) kept.add(header.name, header.value);
    made.headers = std::move(kept);
  }

  // With changes to what a right request has: method, path (both as signed), date, key, signature.
  using Changes = std::map<std::string, std::string>;

  net::Request signed_request(const std::string& method, const std::string& target,
                              const std::string& body = {}, const Changes& changes = {}) {
    const auto or_else = [&](const char* name, const std::string& value) {
      const auto found = changes.find(name);
      return found == changes.end() ? value : found->second;
    };
    const std::string date = or_else("date", core::format_v1_date(clock_.wall()));
    const std::string path = or_else("path", target.substr(0, target.find('?')));
    const std::string signature = core::sign_v1(*core::parse_v1_secret(or_else("secret", secret_)),
                                                path, or_else("method", method), date);
    net::Request made = request(method, target, body,
                                {{"X-Cron-Key", or_else("key", key_)},
                                 {"X-Cron-Date", date},
                                 {"X-Cron-Signature", or_else("signature", signature)},
                                 {"Content-Type", or_else("type", urlencoded)}});
    drop(made, "Authorization");
    return made;
  }

  net::Response v1(const std::string& method, const std::string& target,
                   const std::string& body = {}, const Changes& changes = {}) {
    return call(signed_request(method, target, body, changes));
  }

  // The answer's "response" of a success.
  json::value success(const net::Response& response) {
    EXPECT_EQ(200, response.status) << response.body;
    const json::value body = body_of(response);
    EXPECT_EQ("success", body.at("status").as_string()) << response.body;
    return body.at("response");
  }

  // Status, code and reason of a refusal, "400 invalid_form: ..."; its shape is checked.
  std::string refusal(const net::Response& response) {
    const json::value body = body_of(response);
    EXPECT_EQ("application/json", header_of(response, "Content-Type"));
    EXPECT_EQ("error", body.at("status").as_string()) << response.body;
    return std::to_string(response.status) + " " + std::string(body.at("code").as_string()) + ": " +
           std::string(body.at("reason").as_string());
  }

  json::object add(const std::string& name, const std::string& more = {}) {
    return success(v1("POST", "/cronjob/", "name=" + name + "&cron=0 9 * * *&" + http + more))
        .as_object();
  }
  static std::string id_of(const json::object& cronjob) {
    return std::string(cronjob.at("cronjob_id").as_string());
  }
  static std::string text(const json::object& object, std::string_view name) {
    return std::string(object.at(name).as_string());
  }
  const store::Account& account() const { return store_.more_accounts.front(); }
  core::Job job(const json::object& cronjob) {
    return *store_.jobs().find_job(account().no, JobId{*parse_uuid(id_of(cronjob))});
  }

  void serve(V1Options options) {
    api_ = std::make_unique<Api>(ApiDeps{.database = store_,
                                         .vault = vault_,
                                         .zones = zones_,
                                         .clock = clock_,
                                         .health = health_,
                                         .metrics = metrics_,
                                         .version = "test",
                                         .scratch = scratch_,
                                         .v1 = std::move(options)});
  }

  static constexpr const char* urlencoded = "application/x-www-form-urlencoded";
  static constexpr const char* http = "delivery_type=http&delivery_http_url=http://r.test/x";
  static constexpr const char* sns =
      "sns_topic=arn:aws:sns:us-east-1:123456789012:cron&sns_message=hello from cronally&"
      "sns_region=us-east-1&sns_access_key_id=AKIAIOSFODNN7EXAMPLE&sns_secret_access_key=Kd+ja8/x";
  std::string secret_;
  std::string key_;
};

}  // namespace cronally::api
