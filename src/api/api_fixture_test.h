// An Api over the fake store, and requests in one line. Every answer is held against openapi.json.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "api/api.h"
#include "api/fake_store_test.h"
#include "api/router.h"
#include "api/schema_check_test.h"
#include "core/secret_context.h"
#include "runtime/clock_manual.h"
#include "runtime/random.h"
#include "runtime/token.h"

namespace cronally::api {

namespace json = boost::json;

class ApiTest : public testing::Test {
 protected:
  static constexpr const char* signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

  ApiTest() : scratch_(make_scratch()), vault_(open_vault(scratch_)), store_(clock_) {
    const store::Token admin{TokenId{runtime::random_uuid_v4()}, "admin", true, clock_.wall()};
    store::Account account{AccountNo{1}, AccountId{runtime::random_uuid_v4()}, "main", {}, {}};
    account.sealed_signing_secret =
        vault_.seal(core::account_context(account.id), SecretText(signing_secret));
    store_.bootstrap(account, admin, as_bytes(runtime::token_digest(admin_token_.reveal())));
    const store::Token plain{TokenId{runtime::random_uuid_v4()}, "plain", false, clock_.wall()};
    EXPECT_TRUE(store_.accounts().create_token(
        account.no, plain, as_bytes(runtime::token_digest(plain_token_.reveal()))));
    health_.ok("store");
    api_ = std::make_unique<Api>(ApiDeps{.database = store_,
                                         .vault = vault_,
                                         .zones = zones_,
                                         .clock = clock_,
                                         .health = health_,
                                         .metrics = metrics_,
                                         .version = "test",
                                         .scratch = scratch_});
  }
  ~ApiTest() override { std::filesystem::remove_all(scratch_); }

  net::Request request(std::string method, std::string target, std::string body = {},
                       net::HttpHeaders headers = {}) {
    net::Request made{std::move(method),
                      target,
                      target.substr(0, target.find('?')),
                      {},
                      std::move(headers),
                      std::move(body),
                      "127.0.0.1",
                      clock_.steady()};
    if (const std::size_t mark = target.find('?'); mark != target.npos)
      made.query = target.substr(mark + 1);
    if (!made.headers.find("Authorization"))
      made.headers.add("Authorization", "Bearer " + admin_token_.reveal());
    return made;
  }

  net::Response call(const net::Request& made) {
    net::Reply reply = api_->handle(made);
    EXPECT_TRUE(std::holds_alternative<net::Response>(reply)) << made.target;
    net::Response response = std::get<net::Response>(std::move(reply));
    if (const Match match = match_route(made.method, made.path); match.route)
      EXPECT_EQ("", schema_.fault(made.method, match.route->pattern, response))
          << made.method << " " << made.target << " answered " << response.status << " "
          << response.body;
    return response;
  }

  net::Response call(std::string method, std::string target, std::string body = {},
                     net::HttpHeaders headers = {}) {
    return call(request(std::move(method), std::move(target), std::move(body), std::move(headers)));
  }

  net::HttpHeaders as_plain() const {
    return {{"Authorization", "Bearer " + plain_token_.reveal()}};
  }

  static json::value body_of(const net::Response& response) { return json::parse(response.body); }
  static std::string code_of(const net::Response& response) {
    return std::string(body_of(response).at("code").as_string());
  }
  static std::string header_of(const net::Response& response, std::string_view name) {
    return std::string(response.headers.find(name).value_or(""));
  }

  // A job with a name and, spliced in, more fields: R"(, "paused": true)".
  static std::string job_text(std::string_view name, std::string_view more = {}) {
    return R"({"name": ")" + std::string(name) +
           R"(", "schedule": "0 9 * * *", "target": {"type": "http", "url": "http://r.test/x"})" +
           std::string(more) + "}";
  }

  json::object add_job(std::string_view name, std::string_view more = {}) {
    const net::Response made = call("POST", "/v2/jobs", job_text(name, more));
    EXPECT_EQ(201, made.status) << made.body;
    return body_of(made).as_object();
  }

  static std::filesystem::path make_scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "api_test.XXXXXX").string();
    EXPECT_NE(nullptr, ::mkdtemp(pattern.data()));
    return pattern;
  }
  static runtime::Vault open_vault(const std::filesystem::path& scratch) {
    return *runtime::Vault::open_or_create(scratch / "master.key", runtime::MissingKey::create);
  }

  std::filesystem::path scratch_;
  runtime::ManualClock clock_{*parse_instant("2026-11-24T05:00:00Z")};
  runtime::Vault vault_;
  runtime::ZoneLoader zones_;
  runtime::Health health_;
  runtime::Metrics metrics_;
  SecretText admin_token_ = runtime::make_token();
  SecretText plain_token_ = runtime::make_token();
  FakeStore store_;
  std::unique_ptr<Api> api_;
  SchemaCheck schema_;
};

}  // namespace cronally::api
