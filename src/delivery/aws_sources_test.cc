#include "delivery/aws_sources.h"

#include <gtest/gtest.h>

#include <fstream>

#include "runtime/clock_manual.h"
#include "runtime/test_directory.h"

namespace cronally::delivery {
namespace {

using namespace std::chrono_literals;

const Instant now{std::chrono::seconds{1'800'000'000}};

std::string value_of(const net::Call& call, std::string_view name) {
  for (const net::HttpHeader& field : call.headers)
    if (net::equal_names(field.name, name)) return field.value;
  return "";
}

class AwsSourcesTest : public testing::Test {
 protected:
  // Answers by "METHOD URL"; what is not there cannot be reached.
  std::map<std::string, net::CallAnswer> answers_;
  std::vector<net::Call> calls_;
  core::AwsVariables variables_{{"AWS_EC2_METADATA_DISABLED", "true"}};
  runtime::ManualClock clock_{now};
  runtime::TestDirectory directory_;

  void write(const std::string& file, const std::string& text) {
    std::ofstream(directory_.path() / file) << text;
  }
  std::string path(const std::string& file) const { return directory_.path() / file; }

  Result<FetchedCredentials> fetch() {
    if (!variables_.contains("HOME")) variables_["HOME"] = path("nobody");
    AwsSources sources({.variables = variables_,
                        .endpoints = {},
                        .clock = clock_,
                        .call = [this](const net::Call& call) -> Result<net::CallAnswer> {
                          calls_.push_back(call);
                          const auto found = answers_.find(call.method + " " + call.url);
                          if (found == answers_.end()) return fail("server_unreachable", "nobody");
                          return found->second;
                        }});
    return sources.fetch();
  }

  std::string why() {
    const auto got = fetch();
    return got ? "found in " + got->source : got.error().message;
  }
};

const std::string role = "role_arn = arn:aws:iam::123456789012:role/a\n";
const std::string keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\n";

net::CallAnswer sts_answer() {
  return {200,
          {},
          "<A><R><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
          "<SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration>"
          "</Credentials></R></A>"};
}

net::CallAnswer endpoint_answer() {
  return {200,
          {},
          R"({"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t",
              "Expiration":"2030-01-01T00:00:00Z"})"};
}

TEST_F(AwsSourcesTest, AreAskedInAwsOrder) {
  const auto none = fetch();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, "no_credentials");
  EXPECT_EQ(none.error().message,
            "no credentials for AWS: environment: AWS_ACCESS_KEY_ID is not set; profile default: "
            "neither " +
                path("nobody/.aws/credentials") + " nor " + path("nobody/.aws/config") +
                " has it; web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; container: "
                "AWS_CONTAINER_CREDENTIALS_… is not set; instance: AWS_EC2_METADATA_DISABLED is "
                "true");
  EXPECT_TRUE(calls_.empty());
}

TEST_F(AwsSourcesTest, TakeTheEnvironmentUnlessAProfileIsNamed) {
  write("credentials", "[build]\n" + keys);
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = path("credentials");
  variables_["AWS_ACCESS_KEY_ID"] = "AKIAENV";
  EXPECT_TRUE(why().contains("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set"));
  variables_["AWS_SECRET_ACCESS_KEY"] = "s";
  variables_["AWS_SESSION_TOKEN"] = "t";
  const auto got = fetch();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->source, "environment");
  EXPECT_EQ(got->session.credentials.session_token.reveal(), "t");
  variables_["AWS_PROFILE"] = "build";
  EXPECT_EQ(why(), "found in profile build");
  variables_["AWS_PROFILE"] = "other";
  EXPECT_TRUE(why().contains("profile other: neither"));
}

TEST_F(AwsSourcesTest, AssumeTheRoleOfAProfile) {
  write("config", "[profile top]\n" + role +
                      "source_profile = middle\nexternal_id = e\nrole_session_name = n-1\n"
                      "duration_seconds = 900\nregion = eu-west-1\n[profile middle]\n" +
                      role + "source_profile = base\n");
  write("credentials", "[base]\n" + keys);
  variables_["AWS_CONFIG_FILE"] = path("config");
  variables_["AWS_SHARED_CREDENTIALS_FILE"] = path("credentials");
  variables_["AWS_PROFILE"] = "top";
  variables_["AWS_REGION"] = "us-west-2";
  answers_["POST https://sts.us-west-2.amazonaws.com/"] = sts_answer();
  answers_["POST https://sts.eu-west-1.amazonaws.com/"] = sts_answer();
  ASSERT_EQ(why(), "found in profile top");
  ASSERT_EQ(calls_.size(), 2u);
  EXPECT_TRUE(
      value_of(calls_[0], "Authorization").contains("Credential=AKIA/20270115/us-west-2/sts"));
  EXPECT_TRUE(
      value_of(calls_[1], "Authorization").contains("Credential=ASIA/20270115/eu-west-1/sts"));
  EXPECT_EQ(value_of(calls_[1], "X-Amz-Security-Token"), "t");
  EXPECT_EQ(calls_[1].body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole"
            "%2Fa&RoleSessionName=n-1&DurationSeconds=900&ExternalId=e");
  EXPECT_FALSE(calls_[1].proxies);
}

TEST_F(AwsSourcesTest, SayWhatIsWrongWithAProfile) {
  variables_["AWS_CONFIG_FILE"] = path("config");
  const std::pair<std::string, std::string> rows[] = {
      {role, "a role_arn needs source_profile, credential_source or web_identity_token_file"},
      {role + "source_profile = x\ncredential_source = Environment\n", "and one of them alone"},
      {role + "source_profile = x\n", "there is no profile 'x'"},
      {role + "source_profile = default\n", "in a circle"},
      {role + "source_profile = default\nmfa_serial = m\n", "needs a code of a person"},
      {role + "credential_source = Magic\n", "credential_source is Environment"},
      {"credential_process = /bin/x\n", "starts a program"},
      {"sso_session = x\n", "needs a person to sign in"},
      {"aws_access_key_id = AKIA\n", "only one is set"},
      {"region = eu-west-1\n", "profile 'default' holds no credentials"},
      {"what\n", "line 2 is neither [section] nor NAME = VALUE"},
  };
  for (const auto& [text, words] : rows) {
    write("config", "[default]\n" + text);
    EXPECT_TRUE(why().contains(words)) << text << why();
  }
  write("config", "[default]\n" + role + "source_profile = default\n" + keys);
  answers_["POST https://sts.us-east-1.amazonaws.com/"] = sts_answer();
  EXPECT_EQ(why(), "found in profile default") << "its own keys may assume its role";
}

TEST_F(AwsSourcesTest, TellWhyStsRefuses) {
  write("token", "the-token\n");
  variables_["AWS_WEB_IDENTITY_TOKEN_FILE"] = path("token");
  EXPECT_TRUE(why().contains("web identity: AWS_ROLE_ARN is not set"));
  variables_["AWS_ROLE_ARN"] = "arn:aws:iam::123456789012:role/a";
  const std::string url = "https://sts.us-east-1.amazonaws.com";
  answers_["POST " + url + "/"] = {
      403, {}, "<E><Error><Code>AccessDenied</Code><Message>no</Message></Error></E>"};
  EXPECT_TRUE(
      why().ends_with("web identity: AssumeRoleWithWebIdentity of " + url + ": AccessDenied: no"));
  EXPECT_EQ(calls_.size(), 1u) << "a refusal is not repeated";
  EXPECT_EQ(value_of(calls_[0], "Authorization"), "");
  EXPECT_TRUE(calls_[0].body.ends_with("&WebIdentityToken=the-token"));
  answers_["POST " + url + "/"] = {503, {}, ""};
  EXPECT_TRUE(why().ends_with("HTTP 503"));
  EXPECT_EQ(calls_.size(), 4u) << "trouble inside AWS is";
}

TEST_F(AwsSourcesTest, AskAContainersEndpointOnThisHostOnly) {
  struct Row {
    const char* url;
    bool asked;
  };
  const Row rows[] = {{"http://127.0.0.1:80/c", true},
                      {"http://127.9.9.9/c", true},
                      {"http://localhost:9/c", true},
                      {"http://[::1]:9/c", true},
                      {"http://169.254.170.2/c", true},
                      {"http://169.254.170.23/c", true},
                      {"http://[fd00:ec2::23]/c", true},
                      {"https://example.com/c", true},
                      {"http://example.com/c", false},
                      {"http://169.254.169.254/c", false},
                      {"http://127.0.0.1.example.com/c", false},
                      {"http://127.0.0.1:80@example.com/c", false},
                      {"ftp://127.0.0.1/c", false}};
  for (const Row& row : rows) {
    calls_.clear();
    variables_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = row.url;
    EXPECT_TRUE(why().contains("container: ")) << row.url;
    EXPECT_EQ(!calls_.empty(), row.asked) << row.url;
  }
  calls_.clear();
  variables_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/x";
  variables_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Bearer b";
  answers_["GET http://169.254.170.2/v2/x"] = endpoint_answer();
  EXPECT_EQ(why(), "found in container");
  EXPECT_EQ(value_of(calls_.at(0), "Authorization"), "Bearer b");
}

TEST_F(AwsSourcesTest, AskTheMetadataServiceWithAToken) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  const std::string base = "http://169.254.169.254/latest/";
  const std::string roles = base + "meta-data/iam/security-credentials/";
  answers_["PUT " + base + "api/token"] = {200, {}, "the-token"};
  answers_["GET " + roles] = {200, {}, "r\nother"};
  answers_["GET " + roles + "r"] = endpoint_answer();
  ASSERT_EQ(why(), "found in instance");
  ASSERT_EQ(calls_.size(), 3u);
  EXPECT_EQ(value_of(calls_[0], "X-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(value_of(calls_[1], "X-aws-ec2-metadata-token"), "the-token");
  EXPECT_EQ(value_of(calls_[2], "X-aws-ec2-metadata-token"), "the-token");
  EXPECT_EQ(calls_[0].timeout, 1s) << "inside a container no answer may come";
}

TEST_F(AwsSourcesTest, FallBackToTheFirstMetadataServiceWhereThatIsAllowed) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  const std::string base = "http://169.254.169.254/latest/";
  const std::string roles = base + "meta-data/iam/security-credentials/";
  answers_["PUT " + base + "api/token"] = {405, {}, ""};
  answers_["GET " + roles] = {200, {}, "r"};
  answers_["GET " + roles + "r"] = endpoint_answer();
  EXPECT_EQ(why(), "found in instance");
  EXPECT_EQ(value_of(calls_.at(1), "X-aws-ec2-metadata-token"), "");
  variables_["AWS_EC2_METADATA_V1_DISABLED"] = "true";
  EXPECT_TRUE(why().contains("gives no token: HTTP 405"));
}

TEST_F(AwsSourcesTest, GiveUpSoonWhereThereIsNoMetadataService) {
  variables_.erase("AWS_EC2_METADATA_DISABLED");
  variables_["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6";
  EXPECT_TRUE(why().contains("instance: http://[fd00:ec2::254]/latest/"));
  EXPECT_EQ(calls_.size(), 4u);
}

}  // namespace
}  // namespace cronally::delivery
