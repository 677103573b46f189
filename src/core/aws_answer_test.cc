#include "core/aws_answer.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace cronally::core {
namespace {

using namespace std::chrono_literals;

TEST(AwsXml, FindsTheTextOfAnElementByItsPath) {
  struct Row {
    const char* xml;
    std::optional<std::string> text;
  };
  const Row rows[] = {
      {"<R><Error><Code>A</Code></Error></R>", "A"},
      {"<R><Code>no</Code><Error><Type>Sender</Type><Code>A</Code></Error></R>", "A"},
      {"<?xml version=\"1.0\"?>\n<R xmlns=\"x\">\n <Error>\n  <Code>A</Code></Error></R>", "A"},
      {"<R><a:Error><a:Code b='c'>A</a:Code></a:Error></R>", "A"},
      {"<R><Error><!-- <Code>no</Code> --><Code>A</Code></Error></R>", "A"},
      {"<R><Error><Code>&lt;&amp;&#65;&#x42;&#xfc;&quot;</Code></Error></R>", "<&AB\xC3\xBC\""},
      {"<R><Error><Code><![CDATA[<A&]]></Code></Error></R>", "<A&"},
      {"<R><Error><Code/></Error></R>", ""},
      {"<Error><Code>A</Code></Error>", "A"},
      {"<R><Error><Other>A</Other></Error></R>", std::nullopt},
      {"<R><Error><Code>A", std::nullopt},
      {"<R><Error></R><Code>A</Code></Error>", std::nullopt},
      {"<!DOCTYPE x [<!ENTITY y 'z'>]><R><Error><Code>A</Code></Error></R>", std::nullopt},
      {"<R><Error><Code>&y;</Code></Error></R>", std::nullopt},
      {"<R><Error><Code>&#0;&#xD800;</Code></Error></R>", std::nullopt},
      {"{\"Error\":{\"Code\":\"A\"}}", std::nullopt},
      {"", std::nullopt},
  };
  for (const Row& row : rows) EXPECT_EQ(xml_text(row.xml, {"Error", "Code"}), row.text) << row.xml;
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_EQ(xml_text(deep + "<Error><Code>A</Code></Error>", {"Error", "Code"}), std::nullopt);
}

TEST(AwsErrors, AreOneLine) {
  const AwsError error = read_aws_error(
      "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code>"
      "<Message>Invalid\nparameter: TopicArn</Message></Error></ErrorResponse>");
  EXPECT_EQ(aws_error_text(error, 400), "InvalidParameter: Invalid parameter: TopicArn");
  EXPECT_EQ(aws_error_text(read_aws_error("<html>"), 502), "HTTP 502");
  EXPECT_EQ(aws_error_text({"NotFound", ""}, 404), "NotFound");
}

TEST(AwsErrors, AreJudgedByTheRulesOfTheSdks) {
  struct Row {
    const char* code;
    int status;
    AwsRemedy remedy;
  };
  const Row rows[] = {
      {"Throttling", 400, AwsRemedy::wait},
      {"ThrottledException", 429, AwsRemedy::wait},
      {"KMSThrottling", 400, AwsRemedy::wait},
      {"RequestLimitExceeded", 503, AwsRemedy::wait},
      {"InternalError", 500, AwsRemedy::wait},
      {"", 502, AwsRemedy::wait},
      {"", 429, AwsRemedy::wait},
      {"ExpiredToken", 403, AwsRemedy::credentials},
      {"ExpiredTokenException", 400, AwsRemedy::credentials},
      {"InvalidClientTokenId", 403, AwsRemedy::credentials},
      {"RequestTimeTooSkewed", 403, AwsRemedy::clock},
      {"SignatureDoesNotMatch", 403, AwsRemedy::clock},
      {"AuthorizationError", 403, AwsRemedy::none},
      {"NotFound", 404, AwsRemedy::none},
      {"InvalidParameter", 400, AwsRemedy::none},
      {"KMSAccessDenied", 400, AwsRemedy::none},
      {"", 302, AwsRemedy::none},
  };
  for (const Row& row : rows)
    EXPECT_EQ(aws_remedy({row.code, ""}, row.status), row.remedy) << row.code << row.status;
}

TEST(AwsClock, IsReadFromTheRefusalOfASignature) {
  const Instant sent = *parse_instant("2026-08-31T12:00:00.7Z");
  EXPECT_EQ(aws_clock_offset("Signature expired: 20260831T120000Z is now earlier than "
                             "20260831T122500Z (20260831T124000Z - 15 min.)",
                             sent),
            40min);
  EXPECT_EQ(aws_clock_offset("Signature not yet current: 20260831T120000Z is still later than "
                             "20260831T113500Z (20260831T112000Z + 15 min.)",
                             sent),
            -40min);
  for (const char* message :
       {"", "The request signature we calculated does not match (20260831T124000Z)",
        "Signature expired: 20260831T120000Z", "Signature expired: (tomorrow)",
        "Signature expired: (20261331T124000Z - 15 min.)", "Signature expired: (20260831"})
    EXPECT_EQ(aws_clock_offset(message, sent), std::nullopt) << message;
}

TEST(AwsSessions, AreReadFromSts) {
  const auto session = read_sts_answer(
      "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>"
      "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>"
      "<SessionToken>t==</SessionToken><Expiration>2026-08-31T12:00:00Z</Expiration></Credentials>"
      "</AssumeRoleResult></AssumeRoleResponse>");
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->credentials.access_key_id, "ASIA1");
  EXPECT_EQ(session->credentials.secret_access_key.reveal(), "s/+=");
  EXPECT_EQ(session->credentials.session_token.reveal(), "t==");
  EXPECT_EQ(session->expires_at, *parse_instant("2026-08-31T12:00:00Z"));
  EXPECT_EQ(read_sts_answer("<a/>").error().code, "invalid_answer");
}

TEST(AwsSessions, AreReadFromTheCredentialEndpoints) {
  const auto session = read_endpoint_answer(
      R"({"Code": "Success", "AccessKeyId": "A", "SecretAccessKey": "S", "Token": "T",
          "Expiration": "2026-08-31T12:00:00Z"})");
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->credentials.session_token.reveal(), "T");
  EXPECT_EQ(session->expires_at, *parse_instant("2026-08-31T12:00:00Z"));
  const auto lasting = read_endpoint_answer(R"({"AccessKeyId": "A", "SecretAccessKey": "S"})");
  ASSERT_TRUE(lasting);
  EXPECT_EQ(lasting->expires_at, std::nullopt);
  for (const char* json :
       {"", "[]", "{}", R"({"AccessKeyId": "A"})", R"({"AccessKeyId": 1, "SecretAccessKey": "S"})",
        R"({"AccessKeyId": "A", "SecretAccessKey": "S", "Expiration": "soon"})",
        R"({"AccessKeyId": "A\r\nX: y", "SecretAccessKey": "S"})"}) {
    const auto refused = read_endpoint_answer(json);
    ASSERT_FALSE(refused) << json;
    EXPECT_EQ(refused.error().code, "invalid_answer");
  }
  const auto told =
      read_endpoint_answer(R"({"Code": "AssumeRoleUnauthorizedAccess", "Message": "m"})");
  EXPECT_EQ(told.error().message, "the answer says AssumeRoleUnauthorizedAccess: m");
}

}  // namespace
}  // namespace cronally::core
