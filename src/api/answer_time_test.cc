// Every answer has its time, counted from the request's arrival, and the store is told of it.
#include <gtest/gtest.h>

#include "api/api_fixture_test.h"

namespace cronally::api {
namespace {

using namespace std::chrono_literals;

class AnswerTime : public ApiTest {
 protected:
  // What the store had left of a request that came so long ago.
  Duration left_of(net::Request made, Duration ago) {
    clock_.advance(ago);
    store_.find_by.reset();
    const SteadyInstant called = waits_.steady();
    (void)call(made);
    EXPECT_TRUE(store_.find_by);
    return store_.find_by.value_or(runtime::Deadline{}).at - called;
  }
  net::Request get(const json::object& job) {
    return request("GET", "/v2/jobs/" + std::string(job.at("id").as_string()));
  }

  const runtime::SystemClock waits_{runtime::SystemClock::Hooks::ignore};
};

TEST_F(AnswerTime, IsCountedFromTheRequestsArrival) {
  const auto job = add_job("a");
  const Duration fresh = left_of(get(job), 0s);
  EXPECT_GT(fresh, 4s);
  EXPECT_LT(fresh, 5s) << "what clients are promised";
  const Duration queued = left_of(get(job), 4s);
  EXPECT_GT(queued, 0s);
  EXPECT_LT(queued, 1s);
  EXPECT_LT(left_of(get(job), 6s), 0s) << "it is over";
}

TEST_F(AnswerTime, IsWhatAnAcknowledgementMayTake) {
  const auto job = add_job("a");
  auto made = request("DELETE", "/v2/jobs/" + std::string(job.at("id").as_string()));
  clock_.advance(3s);
  EXPECT_EQ(call(made).status, 204);
  EXPECT_GT(store_.ack_wait, 0s);
  EXPECT_LT(store_.ack_wait, 2s);
}

TEST_F(AnswerTime, EndsWithTheRequest) {
  (void)call(get(add_job("a")));
  EXPECT_FALSE(runtime::DeadlineScope::current());
}

}  // namespace
}  // namespace cronally::api
