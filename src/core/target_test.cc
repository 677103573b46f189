#include "core/target.h"

#include <gtest/gtest.h>

#include "base/uuid.h"

namespace cronally::core {
namespace {

TEST(Destination, IsSchemeHostAndPort) {
  struct Row {
    const char* url;
    const char* destination;
  };
  const Row rows[] = {
      {"http://example.com", "http://example.com:80"},
      {"https://Example.COM/a?b=c", "https://example.com:443"},
      {"HTTP://127.0.0.1:8080/x:y", "http://127.0.0.1:8080"},
      {"http://[::1]/", "http://[::1]:80"},
      {"http://[::1]:9000?x", "http://[::1]:9000"},
      {"https://example.com/{{job.id}}/{{run.id}}", "https://example.com:443"},
      {"http://example.com:/empty-port", "http://example.com:80"},
  };
  for (const auto& row : rows) EXPECT_EQ(destination_of(row.url), row.destination) << row.url;
}

TEST(Destination, OfATopicStandsForTheEndpointOfItsRegion) {
  SnsTarget target{.topic_arn = "arn:aws:sns:eu-west-1:123456789012:reports"};
  EXPECT_EQ(destination_of(Target(target)), "aws:sns:eu-west-1");
  target.region = "us-east-1";
  EXPECT_EQ(destination_of(Target(target)), "aws:sns:us-east-1");
}

TEST(Secrets, AreFoundAndSetByName) {
  const SecretId id{uuid_v4(1, 2)};
  Target http = HttpTarget{.secret_headers = {{"A", {}}, {"B", {}}}};
  set_secret(http, "B", id);
  EXPECT_EQ(secrets_of(http), (std::vector<StoredSecret>{{"A", {}}, {"B", id}}));
  Target sns = SnsTarget{.credentials = {{"AKIAIOSFODNN7EXAMPLE", {}}}};
  set_secret(sns, sns_secret_name, id);
  EXPECT_EQ(secrets_of(sns), (std::vector<StoredSecret>{{"secret_access_key", id}}));
  EXPECT_TRUE(secrets_of(Target(SnsTarget{})).empty());
}

}  // namespace
}  // namespace cronally::core
