#include "cli/job_body.h"

#include <gtest/gtest.h>

namespace cronally::cli {
namespace json = boost::json;

namespace {

JobInputs inputs() {
  return {[](const std::string& text) -> Outcome<std::string> { return "<" + text + ">"; },
          [](const std::string& source) -> Outcome<std::string> { return "content of " + source; },
          [](const std::string& path) -> Outcome<std::string> { return "body in " + path; }};
}

std::string body(const JobFlags& flags, JobUse use = JobUse::edit) {
  const Outcome<json::object> made = job_body(flags, use, inputs());
  return made ? json::serialize(*made) : "refused: " + made.error().message;
}

JobFlags least() {
  JobFlags flags;
  flags.name = "n";
  flags.cron = "* * * * *";
  flags.url = "http://h/";
  return flags;
}

TEST(JobBody, OfAddHoldsOnlyWhatWasGiven) {
  EXPECT_EQ(body(least(), JobUse::add),
            R"({"name":"n","schedule":"* * * * *","target":{"type":"http","url":"http://h/"}})");
}

TEST(JobBody, OfEditIsAMergePatchThatKeepsTheRestOfTheTarget) {
  EXPECT_EQ(body({.url = "http://h/"}), R"({"target":{"url":"http://h/"}})");
  EXPECT_EQ(body({.name = "new"}), R"({"name":"new"})");
  EXPECT_EQ(body({.description = ""}), R"({"description":""})");
}

TEST(JobBody, SchedulesBecomeOneText) {
  EXPECT_EQ(body({.cron = "@hourly"}), R"({"schedule":"@hourly"})");
  EXPECT_EQ(body({.every = "90s"}), R"({"schedule":"@every 90s"})");
  EXPECT_EQ(body({.at = "+2h"}), R"({"schedule":"@at <+2h>"})");
  EXPECT_EQ(body({.never = true}), R"({"schedule":"@never"})");
  EXPECT_EQ(body({.zone = "Europe/Riga", .dst = "skip", .anchor = "now"}),
            R"({"zone":"Europe/Riga","dst":"skip","anchor":"<now>"})");
}

TEST(JobBody, ThereIsExactlyOneScheduleAndOneTarget) {
  EXPECT_EQ(body({.cron = "* * * * *", .never = true}), "refused: a job has one schedule");
  JobFlags flags = least();
  flags.cron.reset();
  EXPECT_EQ(body(flags, JobUse::add), "refused: a job needs a schedule");
  flags = least();
  flags.url.reset();
  EXPECT_EQ(body(flags, JobUse::add), "refused: a job needs a target");
}

TEST(JobBody, TargetTakesHeadersSecretsAndABody) {
  EXPECT_EQ(
      body({.method = "PUT", .headers = {"A: b:c", "D:"}, .body = "x", .timeout = "2m"}),
      R"({"target":{"method":"PUT","headers":{"A":"b:c","D":""},"body":"x","timeout":"2m"}})");
  EXPECT_EQ(body({.secret_headers = {"A=@f", "B=-"}}),
            R"({"target":{"secret_headers":{"A":"content of @f","B":"content of -"}}})");
  EXPECT_EQ(body({.body_file = "f"}), R"({"target":{"body":"body in f"}})");
  EXPECT_EQ(body({.body = "x", .body_file = "f"}), "refused: give one of --body and --body-file");
  EXPECT_EQ(body({.headers = {"nothing"}}), "refused: --header takes NAME:VALUE");
}

TEST(JobBody, ATopicIsATargetOfItsOwn) {
  JobFlags flags{.name = "n", .never = true, .sns_topic = "arn"};
  EXPECT_EQ(body(flags, JobUse::add),
            R"({"name":"n","schedule":"@never","target":{"type":"sns","topic_arn":"arn"}})");
  EXPECT_EQ(body({.sns_region = "r", .message = "m", .subject = "s", .message_group_id = "g"}),
            R"({"target":{"region":"r","message":"m","subject":"s","message_group_id":"g"}})");
  EXPECT_EQ(body({.message_file = "f"}), R"({"target":{"message":"body in f"}})");
  EXPECT_EQ(body({.subject = "default", .timeout = "2m"}),
            R"({"target":{"subject":null,"timeout":"2m"}})");
  EXPECT_EQ(body({.message_attributes = {"a=7", "b=07", "c=x=y", "d=99999999999999999999"},
                  .remove_message_attributes = {"e"}}),
            R"({"target":{"message_attributes":{"a":7,"b":"07","c":"x=y",)"
            R"("d":"99999999999999999999","e":null}}})");
  EXPECT_EQ(body({.message = "x", .message_file = "f"}),
            "refused: give one of --message and --message-file");
  EXPECT_EQ(body({.url = "http://h/", .message = "x"}), "refused: a job has one target");
  flags.sns_topic.reset();
  flags.message = "x";
  EXPECT_EQ(body(flags, JobUse::add), "refused: a job needs a target");
}

TEST(JobBody, AnAccessKeyIsAPairThatCanBeDropped) {
  EXPECT_EQ(body({.sns_access_key_id = "AKIA", .sns_secret_access_key = "-"}),
            R"({"target":{"credentials":{"access_key_id":"AKIA",)"
            R"("secret_access_key":"content of -"}}})");
  EXPECT_EQ(body({.sns_secret_access_key = "@f"}),
            R"({"target":{"credentials":{"secret_access_key":"content of @f"}}})");
  EXPECT_EQ(body({.sns_access_key_id = "default"}), R"({"target":{"credentials":null}})");
  const JobFlags half{.name = "n", .never = true, .sns_topic = "arn", .sns_access_key_id = "AKIA"};
  EXPECT_EQ(body(half, JobUse::add), "refused: credentials are a pair");
}

TEST(JobBody, PoliciesAreCheckedHereSoThatTheFlagIsNamed) {
  EXPECT_EQ(body({.attempts = "3", .backoff_min = "2s", .backoff_max = "1m", .age_max = "1h"}),
            R"({"retry":{"attempts":3,"backoff_min":"2s","backoff_max":"1m","age_max":"1h"}})");
  EXPECT_EQ(body({.catch_up = "all", .catch_up_window = "2h", .catch_up_limit = "7"}),
            R"({"catch_up":{"mode":"all","window":"2h","limit":7}})");
  EXPECT_EQ(body({.delivery = "at_most_once"}), R"({"delivery":"at_most_once"})");
  EXPECT_EQ(body({.attempts = "many"}), "refused: --attempts takes a whole number, not 'many'");
  EXPECT_EQ(body({.catch_up = "lates"}),
            "refused: --catch-up takes latest, all, skip, not 'lates'; did you mean 'latest'?");
  EXPECT_TRUE(body({.timeout = "2 minutes"}).starts_with("refused: --timeout: "));
  EXPECT_TRUE(body({.every = "often"}).starts_with("refused: --every: "));
}

TEST(JobBody, DefaultPutsAFieldBackOnlyInAnEdit) {
  EXPECT_EQ(body({.zone = "default",
                  .dst = "default",
                  .anchor = "default",
                  .attempts = "default",
                  .age_max = "default",
                  .catch_up = "default",
                  .delivery = "default"}),
            R"({"zone":null,"dst":null,"anchor":null,"retry":{"attempts":null,"age_max":null},)"
            R"("catch_up":{"mode":null},"delivery":null})");
  JobFlags flags = least();
  flags.attempts = "default";
  EXPECT_EQ(body(flags, JobUse::add), "refused: --attempts takes a whole number, not 'default'");
}

TEST(JobBody, LabelsAndHeadersCanBeDropped) {
  EXPECT_EQ(body({.labels = {"a=b=c", "d="}, .remove_labels = {"e"}}),
            R"({"labels":{"a":"b=c","d":"","e":null}})");
  EXPECT_EQ(body({.remove_headers = {"X"}}),
            R"({"target":{"headers":{"X":null},"secret_headers":{"X":null}}})");
  EXPECT_EQ(body({.labels = {"alone"}}), "refused: --label takes NAME=VALUE, not 'alone'");
}

TEST(JobBody, AnEditWithoutFlagsIsRefused) { EXPECT_EQ(body({}), "refused: nothing to change"); }

TEST(JobBody, ASecretIsNeverTakenFromTheArgumentListNorRepeated) {
  const std::vector<JobFlags> rows{{.secret_headers = {"Authorization=hunter2"}},
                                   {.secret_headers = {"Authorization=@"}},
                                   {.headers = {"authorization: Bearer hunter2"}},
                                   {.headers = {"Cookie:hunter2"}}};
  for (const JobFlags& flags : rows) {
    const Outcome<json::object> made = job_body(flags, JobUse::edit, inputs());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().exit, ExitCode::usage);
    EXPECT_EQ(made.error().message,
              "a secret in the argument list can be read by every user of this machine");
    EXPECT_NE(made.error().advice.find("=@FILE"), std::string::npos) << made.error().advice;
    EXPECT_EQ(text_of(made.error()).find("hunter2"), std::string::npos);
  }
}

TEST(JobBody, NorIsTheSecretOfAnAccessKey) {
  for (const char* secret : {"hunter2", "@", ""}) {
    const Outcome<json::object> made =
        job_body({.sns_secret_access_key = secret}, JobUse::edit, inputs());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().exit, ExitCode::usage);
    EXPECT_EQ(made.error().message,
              "a secret in the argument list can be read by every user of this machine");
    EXPECT_EQ(made.error().advice, "--sns-secret-access-key takes @FILE, or - for standard input.");
  }
}

}  // namespace
}  // namespace cronally::cli
