#include "delivery/sns_deliverer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"

namespace cronally::delivery {
namespace {

using namespace std::chrono_literals;
using Fields = std::vector<std::pair<std::string, std::string>>;

const std::string run_text = "0195b3a0-1c00-7abc-8def-0123456789ab";
const std::string job_text = "6f1d2c3b-0000-4000-8000-00000000beef";
const std::string topic = "arn:aws:sns:eu-west-1:123456789012:reports";

Delivery delivery_of(core::SnsTarget target, std::string name = "nightly") {
  Delivery out;
  out.run = RunId{*parse_uuid(run_text)};
  out.job = JobId{*parse_uuid(job_text)};
  out.attempt = 3;
  out.fence = Fence{7};
  out.scheduled_at = *parse_instant("2026-12-01T09:00:00.25Z");
  core::JobDefinition definition;
  definition.name = std::move(name);
  definition.target = std::move(target);
  out.definition = std::make_shared<const core::JobDefinition>(std::move(definition));
  return out;
}

const Instant at = *parse_instant("2026-12-01T09:00:01.9Z");

std::string field(const Fields& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &Fields::value_type::first);
  return found == fields.end() ? "(none)" : found->second;
}

TEST(Publish, CarriesTheFactsOfTheAttempt) {
  const Fields expected{
      {"Action", "Publish"},
      {"Version", "2010-03-31"},
      {"TopicArn", topic},
      {"Message", R"({"type":"cronally.run","job":")" + job_text + R"(","run":")" + run_text +
                      R"(","scheduled_at":"2026-12-01T09:00:00.250Z","attempt":3})"},
      {"MessageAttributes.entry.1.Name", "Cronally-Run"},
      {"MessageAttributes.entry.1.Value.DataType", "String"},
      {"MessageAttributes.entry.1.Value.StringValue", run_text},
      {"MessageAttributes.entry.2.Name", "Cronally-Job"},
      {"MessageAttributes.entry.2.Value.DataType", "String"},
      {"MessageAttributes.entry.2.Value.StringValue", job_text},
      {"MessageAttributes.entry.3.Name", "Cronally-Scheduled-At"},
      {"MessageAttributes.entry.3.Value.DataType", "String"},
      {"MessageAttributes.entry.3.Value.StringValue", "2026-12-01T09:00:00.250Z"},
      {"MessageAttributes.entry.4.Name", "Cronally-Attempt"},
      {"MessageAttributes.entry.4.Value.DataType", "Number"},
      {"MessageAttributes.entry.4.Value.StringValue", "3"},
      {"MessageAttributes.entry.5.Name", "Cronally-Fence"},
      {"MessageAttributes.entry.5.Value.DataType", "Number"},
      {"MessageAttributes.entry.5.Value.StringValue", "7"}};
  EXPECT_EQ(compose_publish(delivery_of({.topic_arn = topic}), at), expected);
}

TEST(Publish, RendersPlaceholdersForWhereTheyStand) {
  const Fields fields =
      compose_publish(delivery_of({.topic_arn = topic,
                                   .message = R"({"name": "{{job.name}}"})",
                                   .subject = "{{job.name}}",
                                   .message_attributes = {{"a", "{{job.name}}"}, {"b", -7}},
                                   .message_group_id = "{{job.name}}"},
                                  "say \"hi\" ü"),
                      at);
  EXPECT_EQ(field(fields, "Message"), R"({"name": "say \"hi\" ü"})");
  EXPECT_EQ(field(fields, "Subject"), "say \"hi\" ü");
  EXPECT_EQ(field(fields, "MessageGroupId"), "say%20%22hi%22%20%C3%BC");
  EXPECT_EQ(field(fields, "MessageDeduplicationId"), "(none)");
  EXPECT_EQ(field(fields, "MessageAttributes.entry.6.Value.StringValue"), "say \"hi\" ü");
  EXPECT_EQ(field(fields, "MessageAttributes.entry.7.Value.DataType"), "Number");
  EXPECT_EQ(field(fields, "MessageAttributes.entry.7.Value.StringValue"), "-7");
}

TEST(Publish, CutsALongSubjectBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 120; ++i) name += "ü";
  const Fields fields =
      compose_publish(delivery_of({.topic_arn = topic, .subject = "{{job.name}}"}, name), at);
  EXPECT_EQ(field(fields, "Subject"), name.substr(0, 198));
}

TEST(Publish, ToAFifoTopicIsTheRunOfTheJob) {
  const Fields own = compose_publish(delivery_of({.topic_arn = topic + ".fifo"}), at);
  EXPECT_EQ(field(own, "MessageGroupId"), job_text);
  EXPECT_EQ(field(own, "MessageDeduplicationId"), run_text);
  const Fields given =
      compose_publish(delivery_of({.topic_arn = topic + ".fifo", .message_group_id = "g"}), at);
  EXPECT_EQ(field(given, "MessageGroupId"), "g");
}

core::AttemptResult result_of(int status, std::string body) {
  return publish_result_of(
      {.fate = net::Fate::answered, .status = status, .body = std::move(body)});
}

std::string error_body(const std::string& code) {
  return "<ErrorResponse><Error><Code>" + code +
         "</Code><Message>why</Message></Error></ErrorResponse>";
}

TEST(PublishAnswer, IsASuccessWithAMessageIdOnly) {
  const auto good =
      result_of(200,
                "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult>"
                "</PublishResponse>");
  EXPECT_EQ(good.fate, core::Fate::answered);
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.error, "");
  const auto strange = result_of(200, "<html>");
  EXPECT_EQ(strange.fate, core::Fate::unknown);
  EXPECT_EQ(strange.status, 0);
  EXPECT_TRUE(strange.error.contains("no answer of SNS"));
}

TEST(PublishAnswer, SaysWhetherARepeatHelps) {
  struct Row {
    int status;
    std::string body;
    core::Repeat repeat;
    const char* error;
  };
  const Row rows[] = {
      {400, error_body("Throttling"), core::Repeat::by_policy, "Throttling: why"},
      {500, error_body("InternalError"), core::Repeat::by_policy, "InternalError: why"},
      {503, "", core::Repeat::by_policy, "HTTP 503"},
      {403, error_body("AuthorizationError"), core::Repeat::never, "AuthorizationError: why"},
      {404, error_body("NotFound"), core::Repeat::never, "NotFound: why"},
      // Not AWS's word: a proxy's, or that of whoever listens at a wrong endpoint.
      {404, "<html>", core::Repeat::by_policy, "HTTP 404"},
      {302, "", core::Repeat::by_policy, "HTTP 302"},
  };
  for (const Row& row : rows) {
    const auto result = result_of(row.status, row.body);
    EXPECT_EQ(result.repeat, row.repeat) << row.error;
    EXPECT_EQ(result.error, row.error);
    EXPECT_EQ(result.status, row.status);
    EXPECT_EQ(result.fate, core::Fate::answered);
  }
  const auto lost = publish_result_of({.fate = net::Fate::unknown, .error = "reset"});
  EXPECT_EQ(lost.fate, core::Fate::unknown);
  EXPECT_EQ(lost.repeat, core::Repeat::by_policy);
  EXPECT_EQ(lost.error, "reset");
}

}  // namespace
}  // namespace cronally::delivery
