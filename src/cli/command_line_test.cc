// Whole command lines against a made-up server, clock and terminal.
#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <sstream>

#include "base/text.h"
#include "core/v1_signature.h"

namespace cronally::cli {
namespace {

int serve_seen = 0;
ServeOptions served;
int fake_serve(const ServeOptions& options) {
  ++serve_seen;
  served = options;
  return 0;
}

net::CallAnswer answer(int status, std::string body) { return {status, {}, std::move(body)}; }

constexpr const char* job_json =
    R"({"id":"0193a0b1-0000-7000-8000-000000000001","name":"report","description":"",)"
    R"("labels":{"team":"a"},"schedule":"0 9 * * *","anchor":null,"zone":"Europe/Riga","dst":"run",)"
    R"("target":{"type":"http","url":"http://h/","method":"POST","headers":{},)"
    R"("secret_headers":{"Authorization":"***"},"body":null,"timeout":"30s"},)"
    R"("delivery":"at_least_once","overlap":"allow","retry":{"attempts":5,"backoff_min":"1s",)"
    R"("backoff_max":"5m","age_max":null},"catch_up":{"mode":"latest","window":"1h","limit":1000},)"
    R"("paused":false,"revision":1,"created_at":"2026-11-24T12:00:00Z",)"
    R"("updated_at":"2026-11-24T12:00:00Z","next_at":"2026-11-25T07:00:00Z"})";

std::string run_json(const std::string& state, const std::string& verdict, int status) {
  return R"({"id":"r1","job_id":"j1","job_name":"report","job_revision":1,"kind":"manual",)"
         R"("key":"manual:x","scheduled_at":"2026-11-24T12:00:00Z","due":"2026-11-24T12:00:00Z",)"
         R"("state":")" +
         state + R"(","verdict":)" + (verdict.empty() ? "null" : "\"" + verdict + "\"") +
         R"(,"reason":"none","fence":7,"lateness_ms":1.26,"ended_at":null,"attempts":[{"number":1,"revision":1,)"
         R"("fence":7,"node":"n","first_byte_at":"2026-11-24T12:00:00.001Z",)"
         R"("ended_at":"2026-11-24T12:00:00.003Z","status":)" +
         std::to_string(status) + R"(,"error":"","response":"hello\nsecond"}]})";
}

struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

class CommandLine : public testing::Test {
 protected:
  CommandLine() {
    files_["/data/server.json"] = R"({"url":"http://127.0.0.1:8787","pid":1,"version":"0.1.0"})";
    files_["/data/admin-token"] = "cronally_admin\n";
  }

  Ran run(std::vector<std::string> args) {
    std::istringstream in(input_);
    std::ostringstream out;
    std::ostringstream err;
    World world{{in, out, err, terminal_, terminal_, terminal_},
                [this](const std::string& name) -> std::optional<std::string> {
                  const auto found = env_.find(name);
                  return found == env_.end() ? std::nullopt : std::optional(found->second);
                },
                [] { return *parse_instant("2026-11-24T12:00:00Z"); },
                [](std::string_view name) -> Result<cctz::time_zone> {
                  cctz::time_zone zone;
                  if (!cctz::load_time_zone(std::string(name), &zone))
                    return fail("invalid_zone", "no zone named " + quote(name));
                  return zone;
                },
                [this](const std::string& path) -> Result<std::string> {
                  const auto found = files_.find(path);
                  if (found == files_.end()) return fail("file_missing", "no file " + quote(path));
                  return found->second;
                },
                [this](const net::Call& call) { return next_answer(call); },
                [this](const net::Call& call, const std::string& file) {
                  files_[file] = "copy";
                  return next_answer(call);
                },
                [this](Duration length) { paused_ += length; },
                [this](const std::string& path) -> Result<std::vector<ManifestFile>> {
                  const auto found = files_.find(path);
                  if (found == files_.end()) return fail("file_missing", "no file " + quote(path));
                  return std::vector<ManifestFile>{{path, found->second}};
                },
                "/data"};
    const ExitCode code = run_command_line(std::move(args), world, &fake_serve);
    return {static_cast<int>(code), out.str(), err.str()};
  }

  Result<net::CallAnswer> next_answer(const net::Call& call) {
    calls_.push_back(call);
    if (answers_.empty()) return fail("server_unreachable", "nothing listens at " + call.url);
    Result<net::CallAnswer> next = std::move(answers_.front());
    answers_.pop_front();
    return next;
  }

  std::string header(const net::Call& call, std::string_view name) {
    for (const net::HttpHeader& field : call.headers)
      if (field.name == name) return field.value;
    return {};
  }

  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> env_;
  std::deque<Result<net::CallAnswer>> answers_;
  std::vector<net::Call> calls_;
  std::string input_;
  bool terminal_ = false;
  Duration paused_{};
};

TEST_F(CommandLine, AddsAJobAsTheFlagsSay) {
  answers_.push_back(answer(201, job_json));
  const Ran ran = run({"job", "add", "report", "--cron", "0 9 * * *", "--zone", "Europe/Riga",
                       "--url", "http://h/", "--label", "team=a"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "added report: next 2026-11-25T07:00:00Z, in 19h\n");
  ASSERT_EQ(calls_.size(), 1u);
  EXPECT_EQ(calls_[0].method, "POST");
  EXPECT_EQ(calls_[0].url, "http://127.0.0.1:8787/v2/jobs");
  EXPECT_EQ(calls_[0].body, R"({"name":"report","schedule":"0 9 * * *","zone":"Europe/Riga",)"
                            R"("target":{"type":"http","url":"http://h/"},"labels":{"team":"a"}})");
  EXPECT_EQ(header(calls_[0], "Authorization"), "Bearer cronally_admin");
  EXPECT_EQ(header(calls_[0], "Content-Type"), "application/json");
}

TEST_F(CommandLine, ServerUrlStandsBeforeTheVerbAndTargetUrlBehindIt) {
  answers_.push_back(answer(201, job_json));
  env_["CRONALLY_TOKEN"] = "t";
  run({"--url", "http://server:1/", "job", "add", "x", "--never", "--url", "http://target/"});
  ASSERT_EQ(calls_.size(), 1u);
  EXPECT_EQ(calls_[0].url, "http://server:1/v2/jobs");
  EXPECT_NE(calls_[0].body.find("http://target/"), std::string::npos);
}

TEST_F(CommandLine, TheAdminTokenOfTheDataDirectoryGoesToNoOtherServer) {
  EXPECT_EQ(run({"--url", "http://elsewhere/", "job", "list"}).code, 4);
  EXPECT_TRUE(calls_.empty());
  answers_.push_back(answer(200, R"({"items":[],"next_cursor":null})"));
  EXPECT_EQ(run({"--url", "http://127.0.0.1:8787", "job", "list"}).code, 0);
  answers_.push_back(answer(200, R"({"items":[],"next_cursor":null})"));
  EXPECT_EQ(run({"--url", "http://elsewhere/", "--data-dir", "/data", "job", "list"}).code, 0);
  EXPECT_EQ(header(calls_.back(), "Authorization"), "Bearer cronally_admin");
}

TEST_F(CommandLine, TokenComesFromTheFileThenFromTheVariable) {
  files_["t"] = "from-file\n";
  env_["CRONALLY_TOKEN"] = "from-env";
  answers_ = {answer(200, R"({"items":[]})"), answer(200, R"({"items":[]})")};
  run({"--token-file", "t", "job", "list"});
  run({"job", "list"});
  EXPECT_EQ(header(calls_[0], "Authorization"), "Bearer from-file");
  EXPECT_EQ(header(calls_[1], "Authorization"), "Bearer from-env");
}

TEST_F(CommandLine, SignsRequestsWhereThereIsNoToken) {
  env_["CRONALLY_API_KEY"] = "59ab5a9c-ce44-4446-9501-76f4f64be3c6";
  env_["CRONALLY_API_SECRET"] = "h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk=";
  answers_ = {answer(200, R"({"items":[]})"), answer(200, job_json),
              answer(200, R"({"items":[]})")};
  run({"--url", "http://elsewhere/cron", "job", "list"});
  run({"job", "show", "a/b"});
  const auto expect_signed = [&](const net::Call& call, std::string_view path) {
    EXPECT_EQ(header(call, "Authorization"), "");
    EXPECT_EQ(header(call, "X-Cron-Key"), env_["CRONALLY_API_KEY"]);
    EXPECT_EQ(header(call, "X-Cron-Date"), "202611241200");
    EXPECT_EQ(header(call, "X-Cron-Signature"),
              core::sign_v1(*core::parse_v1_secret(env_["CRONALLY_API_SECRET"]), path, "GET",
                            "202611241200"));
  };
  expect_signed(calls_[0], "/cron/v2/jobs");
  expect_signed(calls_[1], "/v2/jobs/a%2Fb");
  env_["CRONALLY_TOKEN"] = "a-token";
  run({"job", "list"});
  EXPECT_EQ(header(calls_.back(), "Authorization"), "Bearer a-token");
  EXPECT_EQ(header(calls_.back(), "X-Cron-Signature"), "");
}

TEST_F(CommandLine, CredentialsThatAreNoneAreNotSent) {
  env_["CRONALLY_API_KEY"] = "59ab5a9c-ce44-4446-9501-76f4f64be3c6";
  for (const char* secret : {"", "not base64!"}) {
    env_["CRONALLY_API_SECRET"] = secret;
    const Ran ran = run({"job", "list"});
    EXPECT_EQ(ran.code, 4);
    EXPECT_EQ(ran.err.find("CRONALLY_API_SECRET is missing, or is no api secret"), 10u) << ran.err;
  }
  EXPECT_TRUE(calls_.empty());
}

TEST_F(CommandLine, WithoutAServerSaysHowToGetOne) {
  files_.erase("/data/server.json");
  const Ran none = run({"job", "list"});
  EXPECT_EQ(none.code, 6);
  EXPECT_EQ(none.err,
            "cronally: no server is known here: no file '/data/server.json'\n"
            "  Next: start one with `cronally serve`, or name one with --url or CRONALLY_URL.\n");
  files_["/data/server.json"] = R"({"url":"http://127.0.0.1:9"})";
  EXPECT_EQ(run({"job", "list"}).code, 6);
}

TEST_F(CommandLine, AProblemIsShownWithItsPlacesAndItsExitCode) {
  answers_.push_back(answer(
      422,
      R"({"title":"Invalid job","detail":"the job is not valid","code":"invalid_job",)"
      R"("errors":[{"pointer":"/schedule","detail":"column 1: \u001b[31m61 is too large"}]})"));
  const Ran ran = run({"job", "add", "x", "--cron", "61 * * * *", "--url", "http://h/"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "cronally: the job is not valid\n  /schedule: column 1: \\x1b[31m61 is too large\n");
  answers_.push_back(answer(502, "<html>bad gateway</html>"));
  EXPECT_EQ(run({"job", "list"}).code, 6);
}

TEST_F(CommandLine, ListsFollowThePages) {
  answers_ = {answer(200, std::string(R"({"items":[)") + job_json + R"(],"next_cursor":"a b"})"),
              answer(200, std::string(R"({"items":[)") + job_json + R"(],"next_cursor":null})")};
  const Ran ran = run({"job", "list", "--label", "team=a"});
  EXPECT_EQ(ran.out,
            "NAME    SCHEDULE   ZONE         NEXT                          STATUS\n"
            "report  0 9 * * *  Europe/Riga  2026-11-25T07:00:00Z  in 19h  active\n"
            "report  0 9 * * *  Europe/Riga  2026-11-25T07:00:00Z  in 19h  active\n");
  EXPECT_EQ(calls_[1].url, "http://127.0.0.1:8787/v2/jobs?label=team%3Da&limit=1000&cursor=a%20b");
}

TEST_F(CommandLine, JsonHasTheApisShape) {
  answers_.push_back(answer(200, R"({"items":[{"id":1}],"next_cursor":null})"));
  EXPECT_EQ(run({"job", "list", "--json"}).out,
            "{\n  \"items\": [\n    {\n      \"id\": 1\n    }\n  ],\n  \"next_cursor\": null\n}\n");
}

TEST_F(CommandLine, NamesTravelPercentEncoded) {
  answers_.push_back(answer(200, job_json));
  run({"job", "show", "a/b c"});
  EXPECT_EQ(calls_[0].url, "http://127.0.0.1:8787/v2/jobs/a%2Fb%20c");
}

TEST_F(CommandLine, AJobMayBeNamedAsAVerb) {
  answers_.push_back(answer(200, job_json));
  run({"job", "show", "run"});
  ASSERT_EQ(calls_.size(), 1u);
  EXPECT_EQ(calls_[0].url, "http://127.0.0.1:8787/v2/jobs/run");
}

TEST_F(CommandLine, AnEmptyValueStaysEmpty) {
  answers_ = {answer(200, job_json), answer(200, job_json)};
  run({"job", "edit", "x", "--description="});
  run({"job", "edit", "--description", "", "x"});
  EXPECT_EQ(calls_[0].body, R"({"description":""})");
  EXPECT_EQ(calls_[1].body, R"({"description":""})");
}

TEST_F(CommandLine, LocalTimesOfAnEditAreOfTheJobsZone) {
  answers_ = {answer(200, job_json), answer(200, job_json)};
  const Ran ran = run({"job", "edit", "report", "--at", "2026-12-01T10:00"});
  ASSERT_EQ(calls_.size(), 2u) << ran.err;
  EXPECT_EQ(calls_[0].method, "GET");
  EXPECT_EQ(calls_[1].body, R"({"schedule":"@at 2026-12-01T08:00:00Z"})");
}

TEST_F(CommandLine, RemovingAsksOnATerminalAndNeedsYesElsewhere) {
  const Ran refused = run({"job", "rm", "report"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("--yes"), std::string::npos);
  terminal_ = true;
  input_ = "n\n";
  EXPECT_EQ(run({"job", "rm", "report"}).code, 1);
  EXPECT_TRUE(calls_.empty());
  input_ = "y\n";
  answers_.push_back(answer(204, ""));
  EXPECT_EQ(run({"job", "rm", "report"}).out, "removed report\n");
  EXPECT_EQ(calls_[0].method, "DELETE");
}

TEST_F(CommandLine, SomeOfSeveralIsPartly) {
  answers_ = {answer(200, job_json), answer(404, R"({"title":"no job named 'b'"})")};
  const Ran ran = run({"job", "pause", "a", "b"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_EQ(ran.err, "cronally: no job named 'b'\n");
}

TEST_F(CommandLine, RunNowPrintsTheIdOrWaitsForTheEnd) {
  answers_.push_back(answer(201, run_json("requested", "", 0)));
  EXPECT_EQ(run({"job", "run", "report"}).out, "r1\n");
  answers_ = {
      answer(200, R"({"items":[],"next_cursor":"c1"})"), answer(201, run_json("requested", "", 0)),
      answer(200, R"({"items":[],"next_cursor":"c2"})"),
      answer(200, R"({"items":[)" + run_json("ended", "failed", 500) + R"(],"next_cursor":"c3"})")};
  const Ran ran = run({"job", "run", "report", "--wait"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out,
            "run        r1\n"
            "job        report (j1, revision 1)\n"
            "kind       manual\n"
            "key        manual:x\n"
            "scheduled  2026-11-24T12:00:00Z\n"
            "status     failed\n"
            "late       +1.3 ms\n"
            "fence      7\n"
            "\n"
            "ATTEMPT  SENT                      TOOK  REVISION  ANSWER\n"
            "      1  2026-11-24T12:00:00.001Z   2ms         1  500 hello\n");
  EXPECT_EQ(calls_.back().url,
            "http://127.0.0.1:8787/v2/runs/changes?after=c2&wait=10s&job=report");
}

TEST_F(CommandLine, WatchEndsWithTheVerdictOfTheFirstRunThatEnds) {
  for (const auto& [verdict, code] : {std::pair{"succeeded", 0}, std::pair{"unknown", 1}}) {
    answers_ = {answer(200, R"({"items":[],"next_cursor":"c1"})"),
                answer(200, R"({"items":[)" + run_json("claimed", "", 0) + "," +
                                run_json("ended", verdict, 200) + R"(],"next_cursor":"c2"})")};
    const Ran ran = run({"run", "watch", "--exit-status"});
    EXPECT_EQ(ran.code, code);
    EXPECT_NE(ran.out.find("  claimed  "), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find(std::string("  ") + verdict + "  +1.3 ms  attempt 1  200 hello\n"),
              std::string::npos)
        << ran.out;
  }
}

TEST_F(CommandLine, WatchOutlivesARestartOfTheServer) {
  answers_ = {answer(200, R"({"items":[],"next_cursor":"c1"})"),
              fail("server_unreachable", "connection refused"),
              answer(503, ""),
              answer(410, R"({"code":"cursor_expired","detail":"too old"})"),
              answer(200, R"({"items":[],"next_cursor":"c9"})"),
              answer(200, R"({"items":[)" + run_json("ended", "succeeded", 200) +
                              R"(],"next_cursor":"c10"})")};
  const Ran ran = run({"run", "watch", "--exit-status"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(paused_, std::chrono::seconds{2});
  EXPECT_EQ(calls_[4].url, "http://127.0.0.1:8787/v2/runs/changes");
}

TEST_F(CommandLine, RunsAreFilteredByTimesInTheJobsZone) {
  answers_ = {answer(200, job_json), answer(200, R"({"items":[],"next_cursor":null})")};
  const Ran ran =
      run({"run", "list", "--job", "report", "--since", "2026-11-24", "--until", "-1h"});
  ASSERT_EQ(calls_.size(), 2u) << ran.err;
  EXPECT_EQ(calls_[1].url,
            "http://127.0.0.1:8787/v2/runs?job=report&since=2026-11-23T22%3A00%3A00Z&until="
            "2026-11-24T11%3A00%3A00Z&limit=100");
}

TEST_F(CommandLine, ATokenIsPrintedAloneSoThatItCanBePiped) {
  answers_.push_back(answer(201, R"({"id":"i","name":"ops","admin":true,"token":"cronally_x"})"));
  const Ran ran = run({"token", "create", "ops", "--admin"});
  EXPECT_EQ(ran.out, "cronally_x\n");
  EXPECT_EQ(calls_[0].body, R"({"name":"ops","admin":true})");
}

TEST_F(CommandLine, TokensAreRevokedByNameToo) {
  answers_ = {answer(200, R"({"items":[{"id":"t1","name":"ops"}],"next_cursor":null})"),
              answer(204, "")};
  EXPECT_EQ(run({"token", "revoke", "ops"}).code, 0);
  EXPECT_EQ(calls_[1].url, "http://127.0.0.1:8787/v2/tokens/t1");
  answers_ = {answer(200, R"({"items":[],"next_cursor":null})")};
  EXPECT_EQ(run({"token", "revoke", "ops"}).code, 3);
}

TEST_F(CommandLine, AccountsAreMadeAndRotatedForVariables) {
  const std::string fresh =
      R"({"id":"a1","name":"night","email":"ops@x.org","api_key":"k","api_secret":"s="})";
  answers_.push_back(answer(201, fresh));
  const Ran made = run({"account", "create", "ops@x.org", "--name", "night"});
  EXPECT_EQ(made.out, "CRONALLY_API_KEY=k\nCRONALLY_API_SECRET=s=\n");
  EXPECT_EQ(
      made.err,
      "This is the only time the api secret is shown; hand it on to whoever signs requests for "
      "night.\n");
  EXPECT_EQ(calls_.back().method + " " + calls_.back().url,
            "POST http://127.0.0.1:8787/v2/accounts");
  EXPECT_EQ(calls_.back().body, R"({"email":"ops@x.org","name":"night"})");
  answers_.push_back(answer(200, fresh));
  EXPECT_EQ(run({"account", "rotate", "ops@x.org", "--json"}).code, 0);
  EXPECT_EQ(calls_.back().url, "http://127.0.0.1:8787/v2/accounts/ops%40x.org/rotate");
  answers_ = {answer(200, R"({"id":"a1","name":"main"})"), answer(200, fresh)};
  EXPECT_EQ(run({"account", "rotate"}).code, 0);
  EXPECT_EQ(calls_.back().url, "http://127.0.0.1:8787/v2/accounts/a1/rotate");
  EXPECT_EQ(calls_.back().body, "");
}

TEST_F(CommandLine, AccountSecretsComeFromFilesOrStandardInput) {
  files_["secret"] = "whsec_abc\n";
  input_ = "Bearer x\n";
  answers_.push_back(answer(200, R"({"id":"a","name":"main","signing_secret":"whsec_abc"})"));
  run({"account", "edit", "--signing-secret", "@secret", "--failure-webhook", "http://h/",
       "--failure-secret-header", "Authorization=-"});
  EXPECT_EQ(calls_.back().body,
            R"({"signing_secret":"whsec_abc","failure_webhook":{"url":"http://h/",)"
            R"("secret_headers":{"Authorization":"Bearer x"}}})");
  answers_.push_back(answer(200, R"({"id":"a","name":"main"})"));
  run({"account", "edit", "--no-failure-webhook"});
  EXPECT_EQ(calls_.back().body, R"({"failure_webhook":null})");
  const Ran plain = run({"account", "edit", "--signing-secret", "whsec_abc"});
  EXPECT_EQ(plain.code, 2);
  EXPECT_EQ(plain.err.find("whsec_abc"), std::string::npos);
}

TEST_F(CommandLine, BackupGoesToTheFile) {
  answers_.push_back(answer(200, ""));
  const Ran ran = run({"backup", "copy.db"});
  EXPECT_EQ(ran.out, "backup written to copy.db\n");
  EXPECT_EQ(calls_[0].method, "POST");
  EXPECT_EQ(calls_[0].timeout, Duration::zero());
}

TEST_F(CommandLine, NextAndExplainNeedNoServer) {
  EXPECT_EQ(run({"next", "0 9 * * *", "--zone", "Europe/Riga", "--count", "2", "--plain"}).out,
            "2026-11-25T07:00:00Z\n2026-11-26T07:00:00Z\n");
  EXPECT_EQ(run({"next", "@at", "2026-11-24T13:00:00Z"}).out, "UTC\n2026-11-24T13:00:00Z  in 1h\n");
  EXPECT_EQ(run({"next", "@hourly", "--count", "1", "--plain"}).out, "2026-11-24T12:00:00Z\n");
  EXPECT_EQ(run({"next", "0 9 * * *", "--zone", "Europe/Riga", "--count", "1"}).out,
            "Europe/Riga                UTC\n"
            "2026-11-25T09:00:00+02:00  2026-11-25T07:00:00Z  in 19h\n");
  const Ran explained = run({"explain", "30 3 * * *", "--zone", "Europe/Riga"});
  EXPECT_NE(explained.out.find("leaving out 03:30; it fires at 2027-03-28T04:00:00+03:00"),
            std::string::npos)
      << explained.out;
  EXPECT_EQ(run({"next", "61 * * * *"}).code, 2);
  EXPECT_NE(run({"next", "0", "9", "a.txt", "b.txt", "*"}).err.find("in quotes"),
            std::string::npos);
  EXPECT_EQ(run({"next", "@never"}).err, "never due from 2026-11-24T12:00:00Z on\n");
  EXPECT_TRUE(calls_.empty());
}

TEST_F(CommandLine, ServeTakesItsFlagsAndTheDataDirectory) {
  const Ran ran = run({"serve", "--listen", "127.0.0.1:0", "--drain-timeout", "3s", "--runs-max",
                       "1000", "--runs-keep", "7d", "--data-dir", "/other"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(served.listen, "127.0.0.1:0");
  EXPECT_EQ(served.data_dir, "/other");
  EXPECT_EQ(served.drain_timeout, std::chrono::seconds{3});
  EXPECT_EQ(served.runs_max, 1000);
  EXPECT_EQ(served.runs_keep, std::chrono::days{7});
  EXPECT_EQ(served.destination_concurrency, 64);
  serve_seen = 0;
  EXPECT_EQ(run({"serve", "--log-level", "infos"}).err,
            "cronally: --log-level takes debug, info, warning, error, not 'infos'; did you mean "
            "'info'?\n");
  EXPECT_EQ(serve_seen, 0);
}

TEST_F(CommandLine, WhatIsMistypedIsAUsageError) {
  const Ran verb = run({"job", "lst"});
  EXPECT_EQ(verb.code, 2);
  EXPECT_EQ(verb.err,
            "cronally: unknown verb 'lst' of 'cronally job'; did you mean 'list'?\n"
            "  Next: `cronally job --help` lists what it takes.\n");
  EXPECT_EQ(run({"job", "show"}).err,
            "cronally: 'cronally job show' needs JOB\n"
            "  Next: `cronally job show --help` lists what it takes.\n");
  EXPECT_EQ(run({"job", "show", "a", "b"}).err,
            "cronally: 'cronally job show' does not expect 'b'\n"
            "  Next: `cronally job show --help` lists what it takes.\n");
  EXPECT_EQ(run({"serve", "--runs-max", "many"}).code, 2);
  EXPECT_EQ(run({"serve", "--runs-keep", "1s"}).code, 2);
  EXPECT_EQ(run({"serve", "--runs-keep", "30 moons"}).code, 2);
}

TEST_F(CommandLine, HelpComesWithoutAServer) {
  EXPECT_EQ(run({}).code, 2);
  EXPECT_TRUE(run({}).err.starts_with("Cron for clusters"));
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_EQ(run({"job"}).code, 2);
  const Ran help = run({"job", "add", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("Usage: cronally job add NAME [flags]"), std::string::npos) << help.out;
  EXPECT_EQ(run({"help", "job", "add"}).out, help.out);
}

TEST_F(CommandLine, ColoursAreForTerminals) {
  terminal_ = true;
  answers_ = {answer(200, job_json), answer(200, job_json)};
  EXPECT_NE(run({"job", "show", "x"}).out.find("\033["), std::string::npos);
  EXPECT_EQ(run({"--no-color", "job", "show", "x"}).out.find("\033["), std::string::npos);
}

TEST_F(CommandLine, VersionNamesWhatItIsBuiltOn) {
  const Ran ran = run({"--version"});
  EXPECT_EQ(ran.code, 0);
  for (const char* name : {"cronally", "tzdata", "SQLite", "OpenSSL", "Boost", "test hooks"})
    EXPECT_NE(ran.out.find(name), std::string::npos) << ran.out;
}

}  // namespace
}  // namespace cronally::cli
