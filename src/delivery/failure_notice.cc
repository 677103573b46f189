#include "delivery/failure_notice.h"

#include <fmt/format.h>

#include <latch>

#include "base/text.h"
#include "delivery/http_deliverer.h"

namespace cronally::delivery {

namespace {

std::string body_of(const FailureNotice& notice) {
  std::string runs;
  for (const auto& run : notice.runs) {
    if (!runs.empty()) runs += ',';
    runs += '"' + run.text() + '"';
  }
  return fmt::format(R"({{"type":"cronally.failures","count":{},"since":"{}","runs":[{}]}})",
                     notice.count, format_instant(notice.since), runs);
}

}  // namespace

net::HttpRequest compose_notice(const FailureNotice& notice, Instant at,
                                const std::string& user_agent) {
  auto seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  net::HttpRequest request{.method = "POST", .url = notice.url, .timeout = notice_timeout};
  request.body = body_of(notice);
  const std::string id = notice.id.text();
  request.headers = {
      {"webhook-id", id},
      {"Idempotency-Key", id},
      {"webhook-timestamp", std::to_string(seconds)},
      {"webhook-signature", core::sign(notice.signing_key, id, seconds, request.body)},
      {"User-Agent", user_agent},
      {"Content-Type", "application/json"}};
  for (const auto& header : notice.secret_headers) {
    request.headers.push_back({header.name, header.value.reveal()});
  }
  return request;
}

std::vector<core::AttemptResult> NoticeSender::send(const std::vector<FailureNotice>& notices) {
  std::vector<core::AttemptResult> results(notices.size());
  if (notices.empty()) return results;
  std::vector<net::Submission> submissions;
  for (std::size_t i = 0; i < notices.size(); ++i) {
    auto request = compose_notice(notices[i], clock_.wall(), user_agent_);
    submissions.push_back({.tag = i,
                           .request = client_.written(std::move(request)),
                           .gate = std::make_shared<net::SendGate>()});
  }
  // The sink runs on the client's thread; the latch outlives it because every submission ends.
  std::latch ended(static_cast<std::ptrdiff_t>(notices.size()));
  client_.submit(std::move(submissions),
                 std::make_shared<const net::HttpSink>([&](std::vector<net::Finished>&& finished) {
                   for (auto& one : finished) {
                     results[one.tag] = attempt_result_of(std::move(one.result));
                   }
                   ended.count_down(static_cast<std::ptrdiff_t>(finished.size()));
                 }));
  ended.wait();
  return results;
}

}  // namespace cronally::delivery
