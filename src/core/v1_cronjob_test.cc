#include "core/v1_cronjob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/manifest.h"

namespace cronally::core {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Form sns_form(Form more = {}) {
  Form form{{"name", "report"},
            {"cron", "0 9 * * *"},
            {"sns_topic", "arn:aws:sns:eu-west-1:123456789012:reports"},
            {"sns_message", "hello"},
            {"sns_region", "eu-west-1"},
            {"sns_access_key_id", "AKIAIOSFODNN7EXAMPLE"},
            {"sns_secret_access_key", "wJalr/XUtnFEMI"}};
  for (auto& [name, value] : more) form[name] = value;
  return form;
}

Form http_form(Form more = {}) {
  Form form{{"name", "ping"},
            {"cron", "@hourly"},
            {"delivery_type", "http"},
            {"delivery_http_url", "https://example.com/x"}};
  for (auto& [name, value] : more) form[name] = value;
  return form;
}

Form without(Form form, std::string_view field) {
  form.erase(form.find(field));
  return form;
}

std::string manifest(const Result<V1Cronjob>& read) {
  EXPECT_TRUE(read) << (read ? "" : read.error().fields.at(0).detail);
  return read ? json::serialize(read->manifest) : "";
}

std::vector<std::string> faulty(const Result<V1Cronjob>& read) {
  std::vector<std::string> pointers;
  if (read) return pointers;
  EXPECT_EQ("invalid_cronjob", read.error().code);
  for (const FieldError& field : read.error().fields) pointers.push_back(field.pointer);
  return pointers;
}

// ---- new ones -----------------------------------------------------------------------------------

TEST(V1Cronjob, GoesToATopicUnlessItSaysOtherwise) {
  const std::string expected =
      R"({"schedule":"0 9 * * *","target":{"type":"sns",)"
      R"("topic_arn":"arn:aws:sns:eu-west-1:123456789012:reports","region":"eu-west-1",)"
      R"("message":"hello","credentials":{"access_key_id":"AKIAIOSFODNN7EXAMPLE",)"
      R"("secret_access_key":"wJalr/XUtnFEMI"}}})";
  EXPECT_EQ(expected, manifest(read_v1_cronjob(sns_form())));
  EXPECT_EQ(expected, manifest(read_v1_cronjob(sns_form({{"delivery_type", "SNS"}}))));
  EXPECT_EQ(expected, manifest(read_v1_cronjob(sns_form({{"delivery_type", ""}, {"x", "y"}}))));
  EXPECT_EQ("report", read_v1_cronjob(sns_form())->name);
}

TEST(V1Cronjob, GoesToAnAddressByGetUnlessItSaysPost) {
  EXPECT_EQ(R"({"schedule":"@hourly","target":{"type":"http","method":"GET",)"
            R"("url":"https://example.com/x"}})",
            manifest(read_v1_cronjob(http_form())));
  for (const char* post : {"post", "POST", "Post"})
    EXPECT_EQ(R"({"schedule":"@hourly","target":{"type":"http","method":"POST",)"
              R"("url":"https://example.com/x"}})",
              manifest(read_v1_cronjob(http_form({{"delivery_http_method", post}}))));
}

TEST(V1Cronjob, HasABlankForAnEmptyMessage) {
  const auto read = read_v1_cronjob(sns_form({{"sns_message", ""}}));
  ASSERT_TRUE(read);
  EXPECT_EQ(" ", read->manifest.at("target").at("message").as_string());
}

TEST(V1Cronjob, HasPlusForEachBlankOfTheSecretAlone) {
  const auto read = read_v1_cronjob(
      sns_form({{"sns_secret_access_key", "a b/c d"}, {"sns_message", "a b"}, {"name", "a b"}}));
  ASSERT_TRUE(read);
  const json::value& target = read->manifest.at("target");
  EXPECT_EQ("a+b/c+d", target.at("credentials").at("secret_access_key").as_string());
  EXPECT_EQ("a b", target.at("message").as_string());
  EXPECT_EQ("a b", read->name);
}

TEST(V1Cronjob, NamesEachFieldThatIsMissing) {
  for (const char* field : {"name", "cron", "sns_topic", "sns_message", "sns_region",
                            "sns_access_key_id", "sns_secret_access_key"})
    EXPECT_THAT(faulty(read_v1_cronjob(without(sns_form(), field))),
                ElementsAre("/" + std::string(field)));
  for (const char* field : {"name", "cron", "sns_topic", "sns_region"})
    EXPECT_THAT(faulty(read_v1_cronjob(sns_form({{field, ""}}))),
                ElementsAre("/" + std::string(field)));
  EXPECT_THAT(faulty(read_v1_cronjob(without(http_form(), "delivery_http_url"))),
              ElementsAre("/delivery_http_url"));
  EXPECT_THAT(faulty(read_v1_cronjob({})),
              ElementsAre("/name", "/cron", "/sns_topic", "/sns_message", "/sns_region",
                          "/sns_access_key_id", "/sns_secret_access_key"));
}

TEST(V1Cronjob, RefusesOtherWordsAndNamesWithoutEnd) {
  EXPECT_THAT(faulty(read_v1_cronjob(sns_form({{"delivery_type", "sqs"}}))),
              ElementsAre("/delivery_type"));
  EXPECT_THAT(faulty(read_v1_cronjob(http_form({{"delivery_http_method", "put"}}))),
              ElementsAre("/delivery_http_method"));
  EXPECT_THAT(faulty(read_v1_cronjob(http_form({{"name", std::string(4096, 'n')}}))), IsEmpty());
  EXPECT_THAT(faulty(read_v1_cronjob(http_form({{"name", std::string(4097, 'n')}}))),
              ElementsAre("/name"));
}

// ---- changes ------------------------------------------------------------------------------------

const Target stored_http = HttpTarget{.url = "https://example.com/x", .method = "GET"};
const Target stored_sns = SnsTarget{.topic_arn = "arn:aws:sns:eu-west-1:123456789012:reports"};

TEST(V1Change, HoldsOnlyWhatIsGiven) {
  EXPECT_EQ("{}", manifest(read_v1_change({}, stored_http)));
  EXPECT_FALSE(read_v1_change({{"cron", "@daily"}}, stored_http)->name);
  EXPECT_EQ(R"({"schedule":"@daily"})", manifest(read_v1_change({{"cron", "@daily"}}, stored_sns)));
  EXPECT_EQ("new", read_v1_change({{"name", "new"}}, stored_sns)->name);
  EXPECT_EQ(R"({"target":{"method":"POST"}})",
            manifest(read_v1_change({{"delivery_http_method", "post"}}, stored_http)));
  EXPECT_EQ(R"({"target":{"message":" "}})",
            manifest(read_v1_change({{"sns_message", ""}}, stored_sns)));
  EXPECT_EQ(R"({"target":{"credentials":{"secret_access_key":"a+b"}}})",
            manifest(read_v1_change({{"sns_secret_access_key", "a b"}}, stored_sns)));
}

TEST(V1Change, EmptiesNothing) {
  EXPECT_THAT(faulty(read_v1_change({{"name", ""}, {"cron", ""}}, stored_http)),
              ElementsAre("/name", "/cron"));
}

TEST(V1Change, OfTheDeliveryTypeNeedsAllOfIt) {
  EXPECT_THAT(faulty(read_v1_change({{"delivery_type", "http"}}, stored_sns)),
              ElementsAre("/delivery_http_url"));
  EXPECT_EQ(R"({"target":{"type":"http","method":"GET","url":"http://h.test/"}})",
            manifest(read_v1_change(
                {{"delivery_type", "http"}, {"delivery_http_url", "http://h.test/"}}, stored_sns)));
  EXPECT_THAT(faulty(read_v1_change({{"delivery_http_url", "http://h.test/"}}, stored_sns)),
              ElementsAre("/delivery_http_url"));
  EXPECT_THAT(faulty(read_v1_change({{"sns_topic", "x"}}, stored_http)), ElementsAre("/sns_topic"));
}

// ---- faults and names ---------------------------------------------------------------------------

TEST(V1Error, NamesFormFields) {
  const Error error = v1_error({"invalid_job",
                                "the job has faults",
                                {{"/schedule", "a"},
                                 {"/target/topic_arn", "b"},
                                 {"/target/credentials/secret_access_key", "c"},
                                 {"/target/url", "d"}}});
  EXPECT_EQ("invalid_cronjob", error.code);
  EXPECT_THAT(error.fields, ElementsAre(FieldError{"/cron", "a"}, FieldError{"/sns_topic", "b"},
                                        FieldError{"/sns_secret_access_key", "c"},
                                        FieldError{"/delivery_http_url", "d"}));
}

TEST(V1StoredName, IsCleanAndEndsWithTheIdsLastDigits) {
  const JobId id{*parse_uuid("37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e")};
  const auto stored = [&](std::string_view name) {
    const std::string text = v1_stored_name(name, id);
    EXPECT_EQ(text, read_name(text).value_or("not allowed")) << name;
    EXPECT_TRUE(text.ends_with("-4bc1f54e")) << text;
    return text.substr(0, text.size() - 9);
  };
  EXPECT_EQ("report", stored("report"));
  EXPECT_EQ("bulk", stored("bulk"));
  EXPECT_EQ("a b", stored("  a\nb\t "));
  EXPECT_EQ("a b", stored("a\xC2\x85"
                          "b"));
  EXPECT_EQ("a b", stored("a\xFF"
                          "b"));
  EXPECT_EQ("37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e", stored("37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e"));
  for (const char* empty : {" ", "\x01", "\n\n"}) EXPECT_EQ("cronjob", stored(empty));
  EXPECT_EQ(std::string(191, 'n'), stored(std::string(4096, 'n')));
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  EXPECT_EQ(umlauts.substr(0, 2 * 191), stored(umlauts));
  EXPECT_EQ(std::string(190, 'n'), stored(std::string(190, 'n') + " n"));
}

}  // namespace
}  // namespace cronally::core
