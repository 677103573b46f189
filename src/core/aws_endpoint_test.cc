#include "core/aws_endpoint.h"

#include <gtest/gtest.h>

namespace cronally::core {
namespace {

TEST(AwsTopics, AreArnsOfTopics) {
  for (const char* arn : {"arn:aws:sns:eu-west-1:123456789012:reports",
                          "arn:aws-cn:sns:cn-north-1:123456789012:A_b-9",
                          "arn:aws:sns:eu-west-1:123456789012:orders.fifo"})
    EXPECT_EQ(topic_fault(arn), std::nullopt) << arn;
  for (const char* arn :
       {"", "reports", "arn:aws:sqs:eu-west-1:123456789012:reports",
        "arn:aws:sns:eu-west-1:12345678901:reports", "arn:aws:sns:eu-west-1:12345678901x:reports",
        "arn:aws:sns:eu-west-1:123456789012:", "arn:aws:sns:eu-west-1:123456789012:.fifo",
        "arn:aws:sns:eu-west-1:123456789012:a b", "arn:aws:sns::123456789012:a",
        "arn:aws:sns:evil.example/:123456789012:a", "arn:aws:sns:eu-west-1:123456789012:a:b",
        "arn:aws:sns:eu-west-1:123456789012:a.b"})
    EXPECT_NE(topic_fault(arn), std::nullopt) << arn;
  EXPECT_NE(topic_fault("arn:aws:sns:eu-west-1:123456789012:" + std::string(257, 'a')),
            std::nullopt);
}

TEST(AwsTopics, KnowTheirRegionAndKind) {
  const std::string arn = "arn:aws:sns:eu-west-1:123456789012:orders.fifo";
  EXPECT_EQ(topic_region(arn), "eu-west-1");
  EXPECT_TRUE(is_fifo_topic(arn));
  EXPECT_FALSE(is_fifo_topic("arn:aws:sns:eu-west-1:123456789012:orders"));
}

TEST(AwsEndpoints, AreThoseOfTheEnvironment) {
  struct Row {
    AwsVariables variables;
    const char* service;
    const char* region;
    const char* url;
  };
  const Row rows[] = {
      {{}, "sns", "eu-west-1", "https://sns.eu-west-1.amazonaws.com"},
      {{}, "sns", "cn-north-1", "https://sns.cn-north-1.amazonaws.com.cn"},
      {{}, "sts", "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com"},
      {{{"AWS_USE_FIPS_ENDPOINT", "true"}},
       "sns",
       "us-east-1",
       "https://sns-fips.us-east-1.amazonaws.com"},
      {{{"AWS_USE_DUALSTACK_ENDPOINT", "True"}},
       "sns",
       "us-east-1",
       "https://sns.us-east-1.api.aws"},
      {{{"AWS_USE_DUALSTACK_ENDPOINT", "no"}},
       "sns",
       "us-east-1",
       "https://sns.us-east-1.amazonaws.com"},
      {{{"AWS_ENDPOINT_URL", "http://127.0.0.1:4566/"}},
       "sns",
       "us-east-1",
       "http://127.0.0.1:4566"},
      {{{"AWS_ENDPOINT_URL", "http://a"}, {"AWS_ENDPOINT_URL_SNS", "http://b/x"}},
       "sns",
       "us-east-1",
       "http://b/x"},
      {{{"AWS_ENDPOINT_URL", "http://a"}, {"AWS_ENDPOINT_URL_SNS", "http://b"}},
       "sts",
       "us-east-1",
       "http://a"},
      {{{"AWS_ENDPOINT_URL_SNS", ""}}, "sns", "us-east-1", "https://sns.us-east-1.amazonaws.com"},
      {{{"AWS_ENDPOINT_URL", "http://a"}, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}},
       "sns",
       "us-east-1",
       "https://sns.us-east-1.amazonaws.com"},
  };
  for (const Row& row : rows) {
    const auto endpoints = AwsEndpoints::of(row.variables);
    ASSERT_TRUE(endpoints) << row.url;
    EXPECT_EQ(endpoints->url(row.service, row.region), row.url);
  }
}

TEST(AwsEndpoints, HaveAHostAndAPathToSign) {
  struct Row {
    const char* url;
    const char* host;
    const char* path;
  };
  const Row rows[] = {{"https://sns.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com", "/"},
                      {"https://a:443/", "a", "/"},
                      {"http://a:80/x/", "a", "/x/"},
                      {"http://a:443", "a:443", "/"},
                      {"http://[::1]:4566/x", "[::1]:4566", "/x"}};
  for (const Row& row : rows) {
    EXPECT_EQ(url_parts(row.url).host, row.host);
    EXPECT_EQ(url_parts(row.url).path, row.path);
  }
  EXPECT_EQ(AwsEndpoints::of({{"AWS_ENDPOINT_URL", "HTTP://LocalHost:1/X/"}})->url("sns", "r"),
            "http://localhost:1/X");
}

TEST(AwsEndpoints, OfNoUrlNameTheVariable) {
  for (const char* url :
       {"localhost:4566", "ftp://a", "http://u:p@a", "http://a?b=c", "http://a#b"}) {
    const auto endpoints = AwsEndpoints::of({{"AWS_ENDPOINT_URL_SNS", url}});
    ASSERT_FALSE(endpoints) << url;
    EXPECT_EQ(endpoints.error().code, "invalid_endpoint");
    EXPECT_TRUE(endpoints.error().message.starts_with("AWS_ENDPOINT_URL_SNS ")) << url;
  }
}

TEST(AwsEndpoints, TurnADestinationIntoAnOrigin) {
  const AwsEndpoints real;
  EXPECT_EQ(real.origin("aws:sns:eu-west-1"), "https://sns.eu-west-1.amazonaws.com:443");
  EXPECT_EQ(real.origin("http://example.com:80"), "http://example.com:80");
  const auto fake = AwsEndpoints::of({{"AWS_ENDPOINT_URL", "http://127.0.0.1:4566/x"}});
  EXPECT_EQ(fake->origin("aws:sns:eu-west-1"), "http://127.0.0.1:4566");
}

}  // namespace
}  // namespace cronally::core
