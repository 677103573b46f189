#include "cli/bench_receiver.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/text.h"
#include "net/http_call.h"

namespace cronally::cli {
namespace {

TEST(BenchReceiver, KnowsWhereARequestEnds) {
  EXPECT_EQ(request_length(""), 0U);
  EXPECT_EQ(request_length("POST / HTTP/1.1\r\nHost: x\r\n"), 0U);
  EXPECT_EQ(request_length("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 27U);
  EXPECT_EQ(request_length("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab"), 0U);
  EXPECT_EQ(request_length("POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET"), 41U);
}

TEST(BenchReceiver, FindsAHeaderInAnyCase) {
  const auto* const head =
      "POST / HTTP/1.1\r\nHost: x\r\nCronally-Scheduled-At:  2026-01-01\r\nA:b\r\n";
  EXPECT_EQ(header_value(head, "cronally-scheduled-at"), "2026-01-01");
  EXPECT_EQ(header_value(head, "a"), "b");
  EXPECT_EQ(header_value(head, "scheduled-at"), "");
  EXPECT_EQ(header_value(head, "host"), "x");
}

TEST(BenchReceiver, AnswersAndNotesTheInstant) {
  const runtime::SystemClock clock;
  BenchReceiver receiver(clock);
  ASSERT_TRUE(receiver.start());
  const Instant scheduled = clock.wall() - std::chrono::seconds{3};
  net::Call call{.method = "POST", .url = receiver.url(), .body = "{}"};
  call.headers.push_back({"Cronally-Scheduled-At", format_instant(scheduled)});
  for (int i = 0; i < 3; ++i) {
    const auto answer = net::call(call);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
  }
  EXPECT_EQ(receiver.count(), 3);
  const auto arrivals = receiver.stop();
  ASSERT_EQ(arrivals.size(), 3U);
  for (const auto& arrival : arrivals) {
    EXPECT_EQ(arrival.scheduled_at, scheduled);
    EXPECT_GE(arrival.at - scheduled, std::chrono::seconds{3});
  }
}

}  // namespace
}  // namespace cronally::cli
