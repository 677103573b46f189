#include "delivery/http_deliverer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>

#include "base/text.h"
#include "net/raw_socket_test.h"
#include "runtime/clock.h"
#include "runtime/clock_manual.h"

namespace cronally::delivery {
namespace {

using namespace std::chrono_literals;

const std::string run_text = "0195b3a0-1c00-7abc-8def-0123456789ab";
const std::string job_text = "6f1d2c3b-0000-4000-8000-00000000beef";

core::JobDefinition definition_of(core::HttpTarget target) {
  core::JobDefinition out;
  out.name = "nightly / büro";
  out.target = std::move(target);
  return out;
}

Delivery delivery_of(core::JobDefinition definition) {
  Delivery out;
  out.run_no = RunNo{42};
  out.run = RunId{*parse_uuid(run_text)};
  out.job = JobId{*parse_uuid(job_text)};
  out.attempt = 3;
  out.fence = Fence{(7LL << 36) + 9};
  out.scheduled_at = *parse_instant("2026-12-01T09:00:00.25Z");
  out.definition = std::make_shared<const core::JobDefinition>(std::move(definition));
  out.gate = std::make_shared<SendGate>();
  return out;
}

const Instant attempt_at = *parse_instant("2026-12-01T09:00:01.9Z");

net::HttpRequest composed(core::HttpTarget target) {
  return compose_http(delivery_of(definition_of(std::move(target))), attempt_at, "Cronally/1");
}

std::string all_of(const net::HttpRequest& request, std::string_view name) {
  std::string out;
  for (const net::HttpHeader& field : request.headers) {
    if (net::equal_names(field.name, name)) out += field.value + "|";
  }
  return out;
}

TEST(HttpDelivery, CarriesWhatTheInterfacePromises) {
  Delivery delivery = delivery_of(definition_of({.url = "http://h/p"}));
  delivery.signing_key = std::make_shared<const core::SigningKey>(
      core::parse_signing_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value());
  const net::HttpRequest request = compose_http(delivery, attempt_at, "Cronally/1");
  const std::string body = R"({"type":"cronally.run","job":")" + job_text + R"(","run":")" +
                           run_text + R"(","scheduled_at":"2026-12-01T09:00:00.250Z","attempt":3})";
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://h/p");
  EXPECT_EQ(request.body, body);
  EXPECT_EQ(request.timeout, 30s);
  EXPECT_FALSE(request.fresh_connection);
  const std::string signature = core::sign(*delivery.signing_key, run_text, 1796115601, body);
  const std::vector<net::HttpHeader> expected{
      {"webhook-id", run_text},
      {"Idempotency-Key", run_text},
      {"Cronally-Run", run_text},
      {"Cronally-Job", job_text},
      {"Cronally-Job-Name", "nightly%20%2F%20b%C3%BCro"},
      {"Cronally-Scheduled-At", "2026-12-01T09:00:00.250Z"},
      {"Cronally-Attempt", "3"},
      {"Cronally-Fence", "481036337161"},
      {"webhook-timestamp", "1796115601"},
      {"webhook-signature", signature},
      {"traceparent", all_of(request, "traceparent").substr(0, 55)},
      {"User-Agent", "Cronally/1"},
      {"Content-Type", "application/json"}};
  EXPECT_EQ(request.headers, expected);
}

TEST(HttpDelivery, OneTraceARunOneParentAnAttempt) {
  Delivery delivery = delivery_of(definition_of({.url = "http://h/"}));
  const std::string third = all_of(compose_http(delivery, attempt_at, ""), "traceparent");
  delivery.attempt = 4;
  const std::string fourth = all_of(compose_http(delivery, attempt_at, ""), "traceparent");
  EXPECT_EQ(third.substr(0, 36), "00-0195b3a01c007abc8def0123456789ab-");
  EXPECT_EQ(third.substr(0, 36), fourth.substr(0, 36));
  EXPECT_NE(third, fourth);
  EXPECT_EQ(third.substr(52), "-01|");
}

TEST(HttpDelivery, BodyAndItsTypeFollowTheTarget) {
  struct Row {
    std::string_view what;
    core::HttpTarget target;
    std::string_view body, type;
  };
  const std::string own_type = "Content-Type";
  for (const Row& row : std::vector<Row>{
           {"GET sends none", {.method = "GET"}, "", ""},
           {"DELETE sends none", {.method = "DELETE"}, "", ""},
           {"JSON by its looks",
            {.body = " {\"n\":\"{{job.name}}\"}"},
            " {\"n\":\"nightly / büro\"}",
            "application/json|"},
           {"plain text", {.body = "run {{attempt}}"}, "run 3", "text/plain; charset=utf-8|"},
           {"declared",
            {.headers = {{own_type, "application/vnd.a+JSON"}}, .body = "\"{{job.name}}\""},
            "\"nightly / büro\"",
            "application/vnd.a+JSON|"},
           {"form",
            {.headers = {{own_type, "application/x-www-form-urlencoded"}},
             .body = "n={{job.name}}"},
            "n=nightly%20%2F%20b%C3%BCro",
            "application/x-www-form-urlencoded|"},
           {"empty on purpose", {.body = ""}, "", ""},
       }) {
    core::HttpTarget target = row.target;
    target.url = "http://h/";
    const net::HttpRequest request = composed(target);
    EXPECT_EQ(request.body, row.body) << row.what;
    EXPECT_EQ(all_of(request, "content-type"), row.type) << row.what;
  }
}

TEST(HttpDelivery, PlaceholdersAreEscapedWhereTheyStand) {
  const net::HttpRequest request =
      composed({.url = "http://h/{{job.id}}?n={{job.name}}&at={{scheduled_at}}",
                .headers = {{"X-Name", "{{job.name}}"}, {"X-Run", "{{run.id}}/{{attempt}}"}}});
  EXPECT_EQ(request.url, "http://h/" + job_text +
                             "?n=nightly%20%2F%20b%C3%BCro&at=2026-12-01T09%3A00%3A00.250Z");
  EXPECT_EQ(all_of(request, "x-name"), "nightly / b%C3%BCro|");
  EXPECT_EQ(all_of(request, "x-run"), run_text + "/3|");
}

TEST(HttpDelivery, NoJobOverridesOurHeaders) {
  Delivery delivery = delivery_of(definition_of({.url = "http://h/",
                                                 .headers = {{"WEBHOOK-ID", "x"},
                                                             {"cronally-fence", "0"},
                                                             {"Content-Length", "9"},
                                                             {"Host", "other"},
                                                             {"user-agent", "mine"},
                                                             {"X-Plain", "p"}}}));
  delivery.secret_headers = std::make_shared<const std::vector<SecretHeaderValue>>(
      std::vector<SecretHeaderValue>{{"Authorization", SecretText{"Bearer {{run.id}}"}},
                                     {"Idempotency-Key", SecretText{"x"}}});
  const net::HttpRequest request = compose_http(delivery, attempt_at, "Cronally/1");
  EXPECT_EQ(all_of(request, "webhook-id"), run_text + "|");
  EXPECT_EQ(all_of(request, "idempotency-key"), run_text + "|");
  EXPECT_EQ(all_of(request, "cronally-fence"), "481036337161|");
  EXPECT_EQ(all_of(request, "content-length"), "");
  EXPECT_EQ(all_of(request, "host"), "");
  EXPECT_EQ(all_of(request, "user-agent"), "mine|");
  EXPECT_EQ(all_of(request, "x-plain"), "p|");
  EXPECT_EQ(all_of(request, "authorization"), "Bearer {{run.id}}|") << "a secret is not a template";
}

TEST(HttpDelivery, AtMostOnceTakesAFreshConnection) {
  core::JobDefinition definition = definition_of({.url = "http://h/", .timeout = 5s});
  definition.delivery = core::DeliveryMode::at_most_once;
  const net::HttpRequest request = compose_http(delivery_of(definition), attempt_at, "");
  EXPECT_TRUE(request.fresh_connection);
  EXPECT_EQ(request.timeout, 5s);
}

// ---- With the client ----------------------------------------------------------------------------

struct Told {
  std::vector<core::AttemptEnded> wait(std::size_t count) {
    std::unique_lock lock{mutex};
    EXPECT_TRUE(changed.wait_for(lock, 10s, [&] { return ended.size() >= count; }));
    return ended;
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<core::AttemptEnded> ended;
  std::shared_ptr<const DeliverySink> sink =
      std::make_shared<const DeliverySink>([this](std::vector<core::AttemptEnded>&& batch) {
        std::lock_guard lock{mutex};
        std::ranges::move(batch, std::back_inserter(ended));
        changed.notify_all();
      });
};

TEST(HttpDelivery, TellsEachAttemptByRunAndNumber) {
  net::RawListener listener{[](net::RawSocket socket, int) {
    while (!socket.read_answer().empty()) {
      socket.send("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\nbusy");
    }
  }};
  const runtime::SystemClock clock;
  Told told;
  net::HttpClient client{{}, clock};
  HttpDeliverer deliverer{{.user_agent = "Cronally/1"}, client, clock};
  Delivery sent = delivery_of(definition_of({.url = listener.url()}));
  Delivery withdrawn = delivery_of(definition_of({.url = listener.url()}));
  withdrawn.run_no = RunNo{43};
  withdrawn.attempt = 1;
  withdrawn.gate->withdraw();
  Delivery without_lease = delivery_of(definition_of({.url = listener.url()}));
  without_lease.run_no = RunNo{44};
  without_lease.may_send = [] { return false; };
  std::vector<Delivery> batch;
  for (Delivery* each : {&sent, &withdrawn, &without_lease}) batch.push_back(std::move(*each));
  deliverer.deliver(std::move(batch), told.sink);
  auto ended = told.wait(3);
  std::ranges::sort(ended, {}, &core::AttemptEnded::run);
  EXPECT_EQ(ended[0].run, RunNo{42});
  EXPECT_EQ(ended[0].attempt, 3);
  EXPECT_EQ(ended[0].result.fate, core::Fate::answered);
  EXPECT_EQ(ended[0].result.status, 503);
  EXPECT_EQ(ended[0].result.retry_after, Duration{5s});
  EXPECT_EQ(ended[0].result.response, "busy");
  EXPECT_EQ(ended[1].attempt, 1);
  EXPECT_EQ(ended[1].result.fate, core::Fate::withdrawn);
  EXPECT_EQ(ended[2].result.fate, core::Fate::withdrawn);
}

}  // namespace
}  // namespace cronally::delivery
