#include "core/definition_json.h"

#include <gtest/gtest.h>

namespace cronally::core {
namespace {

JobDefinition full_definition() {
  JobDefinition out{.name = "nightly \"report\"",
                    .description = "ünïcode\n",
                    .labels = {{"team", "billing"}, {"", "empty key"}},
                    .schedule = "0 3 * * *",
                    .anchor = instant_from_us(1'700'000'000'123'000),
                    .zone = "Europe/Riga",
                    .dst = cron::Dst::skip,
                    .delivery = DeliveryMode::at_most_once,
                    .paused = true};
  out.target = HttpTarget{.url = "https://example.com/{{run.id}}?a=%2B",
                          .method = "PUT",
                          .headers = {{"X-A", "1"}, {"X-A", "2"}},
                          .secret_headers = {{"Authorization", SecretId{uuid_v4(1, 2)}}},
                          .body = "",
                          .timeout = std::chrono::milliseconds{1500}};
  out.retry = {.attempts = 1,
               .backoff_min = Duration{1},
               .backoff_max = Duration{2},
               .age_max = std::chrono::hours{2}};
  out.catch_up = {.mode = CatchUpMode::all, .window = std::chrono::days{30}, .limit = 10'000};
  return out;
}

JobDefinition sns_definition() {
  JobDefinition out = full_definition();
  out.target = SnsTarget{.topic_arn = "arn:aws:sns:eu-west-1:123456789012:reports.fifo",
                         .region = "eu-west-2",
                         .message = "{{run.id}} ü",
                         .subject = "s",
                         .message_attributes = {{"a", "text"}, {"b", -7}},
                         .message_group_id = "g",
                         .credentials = {{"AKIAIOSFODNN7EXAMPLE", SecretId{uuid_v4(3, 4)}}},
                         .timeout = std::chrono::seconds{5}};
  return out;
}

JobDefinition sns_definition_of_defaults() {
  return {.target = SnsTarget{.topic_arn = "arn:aws:sns:eu-west-1:123456789012:reports"}};
}

TEST(DefinitionJson, LosesNothing) {
  for (const auto& definition :
       {JobDefinition{}, full_definition(), sns_definition(), sns_definition_of_defaults()}) {
    auto read = read_definition(write_definition(definition));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, definition);
  }
}

TEST(DefinitionJson, SaysThatItIsDamagedInsteadOfGuessing) {
  for (const char* text : {"", "{}", "[1]", R"({"name":1})", "{\"name\":\"a\""}) {
    auto read = read_definition(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, "definition_damaged");
  }
}

}  // namespace
}  // namespace cronally::core
