#include "core/aws_config.h"

#include <gtest/gtest.h>

namespace cronally::core {
namespace {

AwsProfiles read(std::string_view text, AwsFile kind = AwsFile::config) {
  const auto profiles = read_aws_file(text, kind);
  EXPECT_TRUE(profiles) << text << profiles.error().message;
  return profiles.value_or(AwsProfiles{});
}

TEST(AwsFiles, HoldProfilesOfSettings) {
  const AwsProfiles profiles = read(
      "# mine\n"
      "[default]\n"
      "Region = eu-west-1\r\n"
      "\n"
      "[profile build]   # the builder\n"
      "role_arn=arn:aws:iam::123456789012:role/build   ; who\n"
      "s3 =\n"
      "  max_concurrent_requests = 20\n"
      "source_profile = default\n"
      "[ profile \"two words\" ]\n"
      "region = us-east-1\n"
      "[sso-session x]\n"
      "sso_region = us-east-1\n"
      "[profile build]\n"
      "region = eu-west-2\n"
      "region = eu-west-3\n");
  const AwsProfiles expected{{"default", {{"region", "eu-west-1"}}},
                             {"build",
                              {{"role_arn", "arn:aws:iam::123456789012:role/build"},
                               {"s3", ""},
                               {"source_profile", "default"},
                               {"region", "eu-west-3"}}},
                             {"two words", {{"region", "us-east-1"}}}};
  EXPECT_EQ(profiles, expected);
}

TEST(AwsFiles, OfCredentialsNameProfilesPlainly) {
  const AwsProfiles profiles = read(
      "\xEF\xBB\xBF[default]\naws_access_key_id = A\naws_secret_access_key = s/#+=;x\n[build]\n"
      "aws_access_key_id = B",
      AwsFile::credentials);
  EXPECT_EQ(profiles.at("default").at("aws_secret_access_key"), "s/#+=;x");
  EXPECT_EQ(profiles.at("build").at("aws_access_key_id"), "B");
}

TEST(AwsFiles, NameTheLineThatIsNone) {
  const std::pair<const char*, const char*> rows[] = {
      {"region = x", "line 1 stands before the first [section]"},
      {"[default\n", "line 1 begins a section and lacks its ]"},
      {"[default]\n\nsecret", "line 3 is neither [section] nor NAME = VALUE"},
      {"[default]\n= x", "line 2 is neither [section] nor NAME = VALUE"},
  };
  for (const auto& [text, message] : rows) {
    const auto profiles = read_aws_file(text, AwsFile::config);
    ASSERT_FALSE(profiles) << text;
    EXPECT_EQ(profiles.error().code, "invalid_config");
    EXPECT_EQ(profiles.error().message, message);
  }
}

TEST(AwsFiles, AreOneWithTheCredentialsAbove) {
  const AwsProfiles merged =
      merge_aws_files({{"a", {{"region", "r"}, {"aws_access_key_id", "old"}}}},
                      {{"a", {{"aws_access_key_id", "new"}}}, {"b", {{"x", "y"}}}});
  EXPECT_EQ(merged, (AwsProfiles{{"a", {{"region", "r"}, {"aws_access_key_id", "new"}}},
                                 {"b", {{"x", "y"}}}}));
}

}  // namespace
}  // namespace cronally::core
