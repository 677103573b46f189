#include "cli/plan.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/job_yaml.h"
#include "cli/plan_text.h"

namespace cronally::cli {
namespace {

namespace json = boost::json;

const Instant now = *parse_instant("2026-11-24T12:00:00Z");

Result<cctz::time_zone> zone_of(std::string_view name) {
  cctz::time_zone zone;
  if (!cctz::load_time_zone(std::string(name), &zone))
    return fail("invalid_zone", "no zone named " + quote(name));
  return zone;
}

constexpr const char* report = R"(kind: job
name: report
schedule: 0 9 * * *
target:
  url: http://h/
  secret_headers: {Authorization: "***"}
)";

constexpr const char* stored_report =
    R"({"id":"j1","name":"report","description":"","labels":{},"schedule":"0 9 * * *",)"
    R"("anchor":"2026-11-24T10:00:00Z","zone":"UTC","dst":"run","target":{"type":"http",)"
    R"("url":"http://h/","method":"POST","headers":{},"secret_headers":{"Authorization":"***"},)"
    R"("body":null,"timeout":"30s"},"delivery":"at_least_once","overlap":"allow",)"
    R"("retry":{"attempts":5,"backoff_min":"1s","backoff_max":"5m","age_max":null},)"
    R"("catch_up":{"mode":"latest","window":"1h","limit":1000},"paused":false,"revision":4,)"
    R"("created_at":"2026-11-24T10:00:00Z","updated_at":"2026-11-24T10:00:00Z","next_at":null})";

StoredJobs live() { return {{"report", json::parse(stored_report).as_object()}}; }

PlanContext context_of(Labels selector = {}, bool prune = false) {
  return {zone_of, now, std::move(selector), prune};
}

Outcome<Plan> plan_of(const std::string& yaml, const StoredJobs& stored,
                      const PlanContext& context = context_of()) {
  return make_plan(read_declarations({{"jobs.yaml", yaml}}), stored, context);
}

std::string faults_of(const std::string& yaml, const StoredJobs& stored = {},
                      const PlanContext& context = context_of()) {
  const Outcome<Plan> plan = plan_of(yaml, stored, context);
  if (plan) return "none";
  std::string text;
  for (const FieldError& field : plan.error().fields)
    text += field.pointer + ": " + field.detail + "\n";
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

std::string shown(const Plan& plan) { return plan_text(plan, {zone_of}) + summary_text(plan); }

TEST(Plan, FaultsNameLineAndColumn) {
  const std::pair<std::string, std::string> rows[] = {
      {"kind: job\nname: x\nschedul: 0 9 * * *\ntarget: {url: http://h/}\n",
       "jobs.yaml:3:1: /schedul: is not a field here; did you mean 'schedule'?\n"
       "jobs.yaml:1:1: /schedule: is missing; give a cron expression, @every, @at or @never\n"},
      {"kind: jbo\n", "jobs.yaml:1:1: /kind: must be job, not 'jbo'; did you mean 'job'?\n"},
      {"name: x\n", "jobs.yaml:1:1: the kind is missing; write kind: job\n"},
      {"---\n- 1\n", "jobs.yaml:2:1: a document must be an object with kind: job\n"},
      {"kind: job\nname: x\nschedule: '@never'\ntarget:\n  url: http://h/\n  tineout: 3s\n",
       "jobs.yaml:6:3: /target/tineout: is not a field here; did you mean 'timeout'?\n"},
      {"kind: job\nname: x\nschedule: '@never'\npaused: yes\ntarget: {url: http://h/}\n",
       "jobs.yaml:4:1: /paused: must be true or false, not a text\n"},
      {"kind: job\nname: x\nschedule: '@never'\nretry: {attempts: 010}\ntarget: {url: http://h/}\n",
       "jobs.yaml:4:9: /retry/attempts: must be a whole number, not a text\n"},
      {"kind: job\nname: x\nname: y\n",
       "jobs.yaml:3:1: 'name' stands twice; it is on line 2 already\n"},
      {std::string(report),
       "jobs.yaml:6:20: /target/secret_headers/Authorization: is *** (unchanged), but nothing is "
       "stored; give the value\n"}};
  for (const auto& [yaml, wanted] : rows) EXPECT_EQ(faults_of(yaml), wanted) << yaml;
}

TEST(Plan, FaultsBeyondAHundredAreCounted) {
  std::string many;
  for (int i = 0; i < 150; ++i) many += "---\nkind: jbo\n";
  const std::string said = faults_of(many);
  EXPECT_TRUE(said.ends_with("did you mean 'job'?\n: and 50 more\n")) << said;
}

TEST(Plan, NamesAreUniqueOverAllFiles) {
  const std::string job = "kind: job\nname: x\nschedule: '@never'\ntarget: {url: http://h/}\n";
  const Outcome<Plan> plan =
      make_plan(read_declarations({{"a.yaml", job}, {"b.yaml", job}}), {}, context_of());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().fields.at(0),
            (FieldError{"b.yaml:2:1: /name", "is the name of the job at a.yaml:2:1 too"}));
}

TEST(Plan, WhatMeansTheSameIsNoChange) {
  const std::string written_out = replaced(
      report,
      "schedule:", "zone: UTC\ndescription:\npaused: false\nretry: {backoff_max: 300s}\nschedule:");
  const std::string repeated_anchor =
      replaced(report, "schedule:", "anchor: '2026-11-24T11:00:00+01:00'\nschedule:");
  for (const std::string& yaml : {std::string(report), written_out, repeated_anchor}) {
    const Outcome<Plan> plan = plan_of(yaml, live());
    ASSERT_TRUE(plan) << plan.error().fields.at(0).detail;
    EXPECT_FALSE(plan->changes()) << shown(*plan);
    EXPECT_TRUE(plan->jobs.at(0).item.empty());
  }
}

TEST(Plan, AChangeShowsFieldsAndFires) {
  const Outcome<Plan> plan =
      plan_of(replaced(replaced(report, "0 9", "0 10"), "http://h/", "http://i/"), live());
  ASSERT_TRUE(plan);
  EXPECT_EQ(shown(*plan),
            "~ change report\n"
            "    schedule: 0 9 * * * -> 0 10 * * *\n"
            "    target.url: http://h/ -> http://i/\n"
            "    fires before: 2026-11-25T09:00:00Z, 2026-11-26T09:00:00Z, 2026-11-27T09:00:00Z\n"
            "    fires after:  2026-11-25T10:00:00Z, 2026-11-26T10:00:00Z, 2026-11-27T10:00:00Z\n"
            "0 to create, 1 to change, 0 to remove, 0 unchanged\n"
            "Applying starts nothing now.\n");
  EXPECT_TRUE(diff_text(*plan, {zone_of})
                  .starts_with("--- report (live)\n+++ report (files)\n-schedule: 0 9 * * *\n"
                               "+schedule: 0 10 * * *\n"));
}

TEST(Plan, AChangeThatMovesNoFireShowsNone) {
  const Outcome<Plan> plan = plan_of(replaced(report, "http://h/", "http://i/"), live());
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->jobs.at(0).fires_after);
  // The grid of an interval stays where it was, whoever sends the definition again.
  EXPECT_EQ(plan->jobs.at(0).item.at("anchor"), "2026-11-24T10:00:00Z");
}

TEST(Plan, PausingShowsThatNothingFires) {
  const Outcome<Plan> plan = plan_of(std::string(report) + "paused: true\n", live());
  ASSERT_TRUE(plan);
  EXPECT_TRUE(shown(*plan).contains("    fires after:  none, it is paused\n")) << shown(*plan);
}

TEST(Plan, WhatIsDueSoonIsNamed) {
  const Outcome<Plan> plan =
      plan_of("kind: job\nname: tick\nschedule: '@every 5s'\ntarget: {url: http://h/}\n", live());
  ASSERT_TRUE(plan);
  EXPECT_TRUE(summary_text(*plan).ends_with(
      "Applying starts nothing now.\nWithin 10s of it are due: tick.\n"));
}

TEST(Plan, AGivenSecretIsSentAndNeverShown) {
  const std::string yaml = replaced(report, "\"***\"", "\"${env:TOKEN}\"");
  PlanContext context = context_of();
  const Outcome<Plan> before = plan_of(yaml, live(), context);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->jobs.at(0).step, Step::secret);
  EXPECT_FALSE(before->changes());
  context.env = [](const std::string& name) -> std::optional<std::string> {
    return name == "TOKEN" ? std::optional<std::string>("s3cr3t") : std::nullopt;
  };
  const Outcome<Plan> plan = plan_of(yaml, live(), context);
  ASSERT_TRUE(plan);
  EXPECT_EQ(json::value(plan->jobs.at(0).item).at_pointer("/target/secret_headers/Authorization"),
            "s3cr3t");
  for (const std::string& text :
       {shown(*plan), diff_text(*plan, {zone_of}), json::serialize(plan_json(*plan))})
    EXPECT_FALSE(text.contains("s3cr3t")) << text;
  context.env = [](const std::string&) { return std::nullopt; };
  EXPECT_EQ(faults_of(yaml, live(), context),
            "jobs.yaml:6:20: /target/secret_headers/Authorization: the environment variable "
            "'TOKEN' is not set; set it\n");
}

TEST(Plan, PruneRemovesOnlyWhatCarriesTheLabel) {
  StoredJobs stored = live();
  for (const char* name : {"mine", "other"}) {
    json::object job = stored.at("report");
    job["name"] = name;
    job["labels"] = {{"app", name}};
    stored.emplace(name, std::move(job));
  }
  const std::string yaml = "kind: job\nname: new\nschedule: '@never'\ntarget: {url: http://h/}\n";
  const Outcome<Plan> plan = plan_of(yaml, stored, context_of({{"app", "mine"}}, true));
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->jobs.size(), 2u);
  EXPECT_EQ(plan->jobs[0].item.at("labels"), json::value({{"app", "mine"}}));
  EXPECT_EQ(plan->jobs[1].step, Step::remove);
  EXPECT_EQ(plan->jobs[1].name, "mine");
  EXPECT_EQ(plan_of(yaml, stored, context_of({{"app", "mine"}}))->count(Step::remove), 0u);
  EXPECT_EQ(faults_of(yaml + "labels: {app: x}\n", stored, context_of({{"app", "mine"}})),
            "jobs.yaml:5:10: /labels/app: is not what --selector says, 'mine'\n");
}

TEST(Plan, AnEmptyLabelIsNotAMissingOne) {
  const std::string yaml = "kind: job\nname: new\nschedule: '@never'\ntarget: {url: http://h/}\n";
  StoredJobs stored = live();
  const PlanContext context = context_of({{"app", ""}}, true);
  EXPECT_EQ(plan_of(yaml, stored, context)->count(Step::remove), 0u);
  stored.at("report")["labels"] = {{"app", ""}};
  EXPECT_EQ(plan_of(yaml, stored, context)->count(Step::remove), 1u);
}

TEST(Plan, AnInstantThatHasPassedIsNoFaultOfAJobThatHasIt) {
  StoredJobs stored = live();
  stored.at("report")["schedule"] = "@at 2026-11-24T11:00:00Z";
  const std::string yaml = replaced(report, "0 9 * * *", "'@at 2026-11-24T11:00:00Z'");
  EXPECT_FALSE(plan_of(yaml, stored)->changes());
  EXPECT_TRUE(faults_of(yaml).contains("is in the past"));
}

TEST(JobYaml, ReadsBackWithoutAChange) {
  json::object odd = live().at("report");
  odd["description"] = "yes: \"no\"\n\x7F \u00e9\t# \u0085\u2028\uFEFF";
  odd["labels"] = {{"on", "010"}, {"a/b", "12:30"}, {"c", ""}};
  odd["delivery"] = "at_most_once";
  odd["retry"].as_object()["attempts"] = 1;
  odd["schedule"] = "@every 5s";
  odd["target"].as_object()["body"] = "***";
  odd["target"].as_object()["headers"] = {{"X-Null", "null"}, {"X-Star", "*a"}};
  const Outcome<Plan> plan = plan_of(job_yaml(odd), {{"report", odd}});
  ASSERT_TRUE(plan) << plan.error().fields.at(0).pointer << plan.error().fields.at(0).detail;
  EXPECT_FALSE(plan->changes()) << job_yaml(odd) << shown(*plan);
}

TEST(JobYaml, LeavesOutWhatIsTheDefault) {
  EXPECT_EQ(job_yaml(live().at("report")),
            "---\nkind: job\nname: report\nschedule: \"0 9 * * *\"\ntarget:\n  type: http\n"
            "  url: http://h/\n  method: POST\n  secret_headers:\n    Authorization: \"***\"\n"
            "  timeout: \"30s\"\n");
}

TEST(JobSchema, StandsAlone) {
  const json::object schema = job_schema();
  EXPECT_FALSE(json::serialize(schema).contains("#/components/"));
  EXPECT_TRUE(schema.at("$defs").as_object().contains("TargetInput"));
  EXPECT_EQ(schema.at("properties").at("kind").at("const"), "job");
}

}  // namespace
}  // namespace cronally::cli
