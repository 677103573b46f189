#include "core/aws_signature.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace cronally::core {
namespace {

namespace json = boost::json;

json::object golden() {
  std::ifstream in(CRONALLY_SOURCE_DIR "/tests/golden/aws_signatures.json");
  EXPECT_TRUE(in.is_open());
  std::stringstream text;
  text << in.rdbuf();
  return json::parse(text.str()).as_object();
}

std::string text_at(const json::object& object, std::string_view name) {
  return std::string(object.at(name).as_string());
}

AwsRequest request_of(const json::object& row, const std::string& body) {
  AwsRequest request{.method = text_at(row, "method"), .path = text_at(row, "path"), .body = body};
  const auto pair_of = [](const json::value& pair) {
    return std::pair(std::string(pair.at(0).as_string()), std::string(pair.at(1).as_string()));
  };
  for (const json::value& pair : row.at("query").as_array()) request.query.push_back(pair_of(pair));
  for (const json::value& pair : row.at("headers").as_array()) {
    auto [name, value] = pair_of(pair);
    request.headers.push_back({std::move(name), std::move(value)});
  }
  return request;
}

AwsCredentials credentials_of(const json::object& row) {
  return {text_at(row, "access_key_id"), SecretText(text_at(row, "secret_access_key")),
          SecretText(text_at(row, "session_token"))};
}

const Header& last(const AwsRequest& request) { return request.headers.back(); }

TEST(Golden, AwsSignaturesAreThoseOfBotocore) {
  AwsKeyring keyring;
  const json::object file = golden();
  ASSERT_GE(file.at("cases").as_array().size(), 20u);
  for (const json::value& value : file.at("cases").as_array()) {
    const json::object& row = value.as_object();
    SCOPED_TRACE(text_at(row, "name"));
    const std::string body = text_at(row, "body");
    const AwsScope scope{text_at(row, "region"), text_at(row, "service")};
    const Instant at = *parse_instant(text_at(row, "at"));
    AwsRequest request = request_of(row, body);
    sign_aws(request, credentials_of(row), scope, at, keyring);
    EXPECT_EQ(last(request).name, "Authorization");
    EXPECT_EQ(last(request).value, text_at(row, "authorization"));
    request.headers.pop_back();
    const std::string canonical = aws_canonical_request(request);
    EXPECT_EQ(canonical, text_at(row, "canonical_request"));
    EXPECT_EQ(aws_string_to_sign(canonical, aws_timestamp(at), scope),
              text_at(row, "string_to_sign"));
  }
}

TEST(AwsSignature, JoinsTheValuesOfOneHeader) {
  const AwsRequest request{.headers = {{"Host", "h"}, {"X-A", " 1  2 "}, {"x-a", "3"}}};
  EXPECT_TRUE(aws_canonical_request(request).contains("\nhost:h\nx-a:1 2,3\n\nhost;x-a\n"));
}

TEST(AwsSignature, WritesTheTimeInWholeSecondsOfUtc) {
  EXPECT_EQ(aws_timestamp(*parse_instant("2026-12-31T23:59:59.999999Z")), "20261231T235959Z");
  EXPECT_EQ(aws_timestamp(*parse_instant("2027-01-01T00:00:00+01:00")), "20261231T230000Z");
}

TEST(AwsSignature, KeysFollowSecretDayAndScope) {
  AwsKeyring keyring;
  const AwsCredentials a{"AKIA", SecretText("one"), {}};
  const AwsCredentials b{"AKIA", SecretText("two"), {}};
  const AwsScope sns{"eu-west-1", "sns"};
  const std::string first(keyring.key_of(a, "20260831", sns));
  EXPECT_EQ(first.size(), 32u);
  EXPECT_NE(keyring.key_of(b, "20260831", sns), first);
  EXPECT_NE(keyring.key_of(a, "20260901", sns), first);
  EXPECT_NE(keyring.key_of(a, "20260831", {"eu-west-2", "sns"}), first);
  EXPECT_NE(keyring.key_of(a, "20260831", {"eu-west-1", "sqs"}), first);
  EXPECT_EQ(keyring.key_of(a, "20260831", sns), first);
}

}  // namespace
}  // namespace cronally::core
