#include "aws_fake.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "base/percent.h"
#include "base/text.h"
#include "core/aws_answer.h"
#include "core/aws_signature.h"
#include "runtime/clock_manual.h"

namespace cronally::support {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

const std::string key_id = "AKIAIOSFODNN7EXAMPLE";
const std::string secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const Instant now = *parse_instant("2026-08-31T12:36:00Z");
const std::string topic = "arn:aws:sns:eu-west-1:123456789012:reports";

std::string text_at(const json::value& row, std::string_view name) {
  return std::string(row.at(name).as_string());
}

json::array golden() {
  std::ifstream in(CRONALLY_SOURCE_DIR "/tests/golden/aws_signatures.json");
  EXPECT_TRUE(in.is_open());
  std::stringstream text;
  text << in.rdbuf();
  return json::parse(text.str()).at("cases").as_array();
}

net::Request request_of(const json::value& row) {
  net::Request request{.method = text_at(row, "method"), .path = "/", .body = text_at(row, "body")};
  for (const json::value& pair : row.at("headers").as_array())
    request.headers.add(std::string(pair.at(0).as_string()), std::string(pair.at(1).as_string()));
  std::string stamp = text_at(row, "at");
  std::erase(stamp, '-');
  std::erase(stamp, ':');
  request.headers.add("X-Amz-Date", stamp);
  if (const std::string token = text_at(row, "session_token"); !token.empty())
    request.headers.add("X-Amz-Security-Token", token);
  request.headers.add("Authorization", text_at(row, "authorization"));
  return request;
}

TEST(Golden, TheFakeTakesWhatBotocoreSigns) {
  int judged = 0;
  for (const json::value& row : golden()) {
    // Its requests are of the query protocol: no other path than "/", no query.
    if (text_at(row, "path") != "/" || !row.at("query").as_array().empty()) continue;
    SCOPED_TRACE(text_at(row, "name"));
    const auto refusal = check_signature(
        request_of(row), {.service = text_at(row, "service"),
                          .region = text_at(row, "region"),
                          .now = *parse_instant(text_at(row, "at")) + 1min,
                          .key_of = [&](const std::string& id) -> std::optional<AwsKey> {
                            if (id != text_at(row, "access_key_id")) return std::nullopt;
                            return AwsKey{text_at(row, "secret_access_key"),
                                          text_at(row, "session_token"), std::nullopt};
                          }});
    EXPECT_FALSE(refusal) << refusal->code << ": " << refusal->message;
    ++judged;
  }
  EXPECT_GE(judged, 10);
}

struct Sent {
  std::string key = key_id, with = secret, token;
  std::string region = "eu-west-1", service = "sns";
  Instant at = now;
  std::string body =
      "Action=Publish&Version=2010-03-31&TopicArn=" + percent_encode(topic) + "&Message=hello";
};

net::Request signed_request(const Sent& sent) {
  core::AwsKeyring keyring;
  core::AwsRequest to_sign{
      .headers = {{"Host", "sns.test"}, {"Content-Type", "application/x-www-form-urlencoded"}},
      .body = sent.body};
  core::sign_aws(to_sign, {sent.key, SecretText(sent.with), SecretText(sent.token)},
                 {sent.region, sent.service}, sent.at, keyring);
  net::Request request{.method = "POST", .target = "/", .path = "/", .body = sent.body};
  for (const core::Header& header : to_sign.headers) request.headers.add(header.name, header.value);
  return request;
}

class AwsFakes : public testing::Test {
 protected:
  net::Response answer(const net::Request& request, AwsFakeOptions options = {}) {
    AwsFake fake(std::move(options), clock_);
    return std::get<net::Response>(fake.handle(request));
  }
  std::string code(const net::Request& request, AwsFakeOptions options = {}) {
    const net::Response response = answer(request, std::move(options));
    return response.status == 200 ? "" : core::read_aws_error(response.body).code;
  }

  runtime::ManualClock clock_{now};
};

net::Request changed(net::Request request, std::string_view name, const std::string& value) {
  net::HttpHeaders headers;
  for (const net::HttpHeader& field : request.headers)
    headers.add(field.name, net::equal_names(field.name, name) ? value : field.value);
  request.headers = headers;
  return request;
}

TEST_F(AwsFakes, TakeASignedPublish) {
  const net::Response response = answer(signed_request({}));
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_TRUE(core::xml_text(response.body, {"PublishResult", "MessageId"}));
}

TEST_F(AwsFakes, RefuseWhatIsNotSignedRight) {
  const net::Request good = signed_request({});
  const std::string authorization(*good.headers.find("Authorization"));
  net::Request body = good;
  body.body += "!";
  net::Request path = good;
  path.path = "/x";
  std::string bit = authorization;
  bit.back() = bit.back() == '0' ? '1' : '0';
  EXPECT_EQ(code(body), "SignatureDoesNotMatch");
  EXPECT_EQ(code(path), "SignatureDoesNotMatch");
  EXPECT_EQ(code(changed(good, "Host", "other.test")), "SignatureDoesNotMatch");
  EXPECT_EQ(code(changed(good, "Authorization", bit)), "SignatureDoesNotMatch");
  EXPECT_EQ(code(changed(good, "Authorization", "AWS4-HMAC-SHA256 x")),
            "MissingAuthenticationToken");
  EXPECT_EQ(code(changed(good, "X-Amz-Date", "20260831T123601Z")), "SignatureDoesNotMatch");
  EXPECT_EQ(code(changed(good, "X-Amz-Date", "yesterday")), "IncompleteSignature");
  EXPECT_EQ(code(signed_request({.with = "wrong"})), "SignatureDoesNotMatch");
  EXPECT_EQ(code(signed_request({.region = "eu-west-2"})), "SignatureDoesNotMatch");
  EXPECT_EQ(code(signed_request({.service = "sqs"})), "SignatureDoesNotMatch");
  EXPECT_EQ(code(signed_request({.key = "AKIAIOSFODNN7NOTKNOWN"})), "InvalidClientTokenId");
  EXPECT_EQ(code(signed_request({.token = "t"})), "InvalidClientTokenId");
  const std::size_t host = authorization.find("content-type;host;");
  ASSERT_NE(host, std::string::npos);
  std::string unsigned_host = authorization;
  unsigned_host.erase(host + 13, 5);
  EXPECT_EQ(code(changed(good, "Authorization", unsigned_host)), "SignatureDoesNotMatch");
}

TEST_F(AwsFakes, TellTheirTimeWhereTheSignedOneIsFarFromIt) {
  const net::Response old = answer(signed_request({.at = now - 16min}));
  EXPECT_EQ(core::aws_clock_offset(core::read_aws_error(old.body).message, now - 16min), 16min);
  const net::Response early = answer(signed_request({.at = now + 16min}));
  EXPECT_EQ(core::aws_clock_offset(core::read_aws_error(early.body).message, now + 16min), -16min);
  EXPECT_EQ(code(signed_request({.at = now - 14min})), "");
}

TEST_F(AwsFakes, JudgeTheFieldsOfPublish) {
  const std::string head = "Action=Publish&Version=2010-03-31";
  const std::string to = head + "&TopicArn=" + percent_encode(topic);
  const std::string fifo = to + ".fifo&Message=a";
  const std::string attribute =
      "&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value."
      "DataType=";
  const std::pair<std::string, const char*> rows[] = {
      {to + "&Message=a&Subject=b", ""},
      {to + "&Message=a&MessageGroupId=g", ""},
      {fifo + "&MessageGroupId=g&MessageDeduplicationId=d", ""},
      {to + "&Message=a" + attribute + "Number&MessageAttributes.entry.1.Value.StringValue=7", ""},
      {head + "&TopicArn=x&Message=a", "InvalidParameter"},
      {to + "&Message=", "InvalidParameter"},
      {to, "InvalidParameter"},
      {to + "&Message=a&Subject=", "InvalidParameter"},
      {to + "&Message=a&Subject=b%0Ac", "InvalidParameter"},
      {to + "&Message=a&Subject=" + std::string(100, 'x'), "InvalidParameter"},
      {to + "&Message=a&MessageDeduplicationId=d", "InvalidParameter"},
      {fifo, "InvalidParameter"},
      {fifo + "&MessageGroupId=g", "InvalidParameter"},
      {to + "&Message=a" + attribute + "Number&MessageAttributes.entry.1.Value.StringValue=x",
       "InvalidParameter"},
      {to + "&Message=a" + attribute + "String", "InvalidParameter"},
      {to + "&Message=a" + attribute + "String&MessageAttributes.entry.1.Value.StringValue=",
       "InvalidParameter"},
  };
  for (const auto& [body, expected] : rows)
    EXPECT_EQ(code(signed_request({.body = body})), expected) << body;
}

TEST_F(AwsFakes, GiveCredentialsThatWorkUntilTheyEnd) {
  AwsFake fake({.lifetime = 1h, .external_id = "x"}, clock_);
  const auto send = [&](const Sent& sent) {
    return std::get<net::Response>(fake.handle(signed_request(sent)));
  };
  const std::string assume =
      "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa&"
      "RoleSessionName=cronally";
  EXPECT_EQ(send({.region = "us-east-1", .service = "sts", .body = assume}).status, 403);
  const auto session = core::read_sts_answer(
      send({.region = "us-east-1", .service = "sts", .body = assume + "&ExternalId=x"}).body);
  ASSERT_TRUE(session) << session.error().message;
  const Sent with{.key = session->credentials.access_key_id,
                  .with = session->credentials.secret_access_key.reveal(),
                  .token = session->credentials.session_token.reveal()};
  EXPECT_EQ(send(with).status, 200);
  Sent without = with;
  without.token.clear();
  EXPECT_EQ(core::read_aws_error(send(without).body).code, "InvalidClientTokenId");
  clock_.advance(61min);
  Sent later = with;
  later.at = now + 61min;
  EXPECT_EQ(core::read_aws_error(send(later).body).code, "ExpiredToken");
}

}  // namespace
}  // namespace cronally::support
