#include "delivery/aws_credentials.h"

#include <gtest/gtest.h>

#include <future>

#include "runtime/clock.h"
#include "runtime/clock_manual.h"

namespace cronally::delivery {
namespace {

using namespace std::chrono_literals;
using Issue = AwsCredentialsStore::Issue;

const Instant start{std::chrono::seconds{1'800'000'000}};

FetchedCredentials fetched(const std::string& id,
                           std::optional<Instant> expires_at = std::nullopt) {
  return {{{id, SecretText("secret of " + id), SecretText("token")}, expires_at}, "container"};
}

// What one wait() gave.
class Wait {
 public:
  Wait(AwsCredentialsStore& store, SteadyInstant until) {
    store.wait(until, [this](Result<Issue> answer) { given_.set_value(std::move(answer)); });
  }
  Result<Issue> get() {
    auto future = given_.get_future();
    if (future.wait_for(20s) != std::future_status::ready) return fail("never", "no answer came");
    return future.get();
  }

 private:
  std::promise<Result<Issue>> given_;
};

// Fetches that a test answers one by one.
class Fetches {
 public:
  AwsCredentialsStore::Fetch function() {
    return [this] {
      std::unique_lock lock(mutex_);
      ++begun_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return !answers_.empty(); });
      auto answer = std::move(answers_.front());
      answers_.erase(answers_.begin());
      return answer;
    };
  }
  void answer(Result<FetchedCredentials> with) {
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(with));
    changed_.notify_all();
  }
  bool await_begun(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return begun_ >= count; });
  }
  int begun() {
    std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Result<FetchedCredentials>> answers_;
  int begun_ = 0;
};

TEST(AwsRenewal, BeginsFiveMinutesAheadOrAQuarter) {
  EXPECT_EQ(renewal_margin(1h), 5min);
  EXPECT_EQ(renewal_margin(12h), 5min);
  EXPECT_EQ(renewal_margin(8min), 2min);
  EXPECT_EQ(renewal_margin(4s), 1s);
}

TEST(AwsRenewal, PausesLongerAfterEachFailure) {
  EXPECT_EQ(renewal_pause(1, 0), 1s);
  EXPECT_EQ(renewal_pause(2, 0), 2s);
  EXPECT_EQ(renewal_pause(5, 0), 16s);
  EXPECT_EQ(renewal_pause(7, 0), 1min);
  EXPECT_EQ(renewal_pause(1'000'000, 0), 1min);
  EXPECT_GT(renewal_pause(7, 0.999), 30s);
}

TEST(AwsCredentialsAtHand, AreFetchedOnceForAllWhoWait) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  EXPECT_EQ(store.find(), nullptr);
  EXPECT_EQ(fetches.begun(), 0) << "nobody needs them yet";
  Wait first(store, clock.steady() + 1h);
  Wait second(store, clock.steady() + 1h);
  ASSERT_TRUE(fetches.await_begun(1));
  Wait third(store, clock.steady() + 1h);
  fetches.answer(fetched("A", start + 1h));
  const auto a = first.get(), b = second.get(), c = third.get();
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ((*a)->credentials.access_key_id, "A");
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(*a, *c);
  EXPECT_EQ(store.find(), *a);
  store.stop();
  EXPECT_EQ(fetches.begun(), 1);
}

TEST(AwsCredentialsAtHand, AreGoneWhenTheyHaveEnded) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait first(store, clock.steady() + 1h);
  fetches.answer(fetched("A", start + 1h));
  ASSERT_TRUE(first.get());
  clock.advance(59min);
  EXPECT_NE(store.find(), nullptr);
  clock.advance(1min);
  EXPECT_EQ(store.find(), nullptr);
  Wait second(store, clock.steady() + 1h);
  fetches.answer(fetched("B", start + 2h));
  const auto b = second.get();
  ASSERT_TRUE(b);
  EXPECT_EQ((*b)->credentials.access_key_id, "B");
  EXPECT_EQ((*b)->number, 2u);
}

TEST(AwsCredentialsAtHand, DoNotComeWhenTheFetchFails) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait first(store, clock.steady() + 1h);
  fetches.answer(fail("no_credentials", "none anywhere"));
  EXPECT_EQ(first.get().error().message, "none anywhere");
  // For a while the answer is known, and nobody is asked.
  Wait second(store, clock.steady() + 1h);
  EXPECT_EQ(second.get().error().message, "none anywhere");
  EXPECT_EQ(fetches.begun(), 1);
  clock.advance(2s);
  Wait third(store, clock.steady() + 1h);
  fetches.answer(fetched("A"));
  EXPECT_TRUE(third.get());
}

TEST(AwsCredentialsAtHand, ThatHaveEndedAlreadyAreNone) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait wait(store, clock.steady() + 1h);
  fetches.answer(fetched("A", start - 1s));
  const auto answer = wait.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "no_credentials");
}

TEST(AwsCredentialsAtHand, ThatAreRefusedGiveWayToOthers) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait first(store, clock.steady() + 1h);
  fetches.answer(fetched("A", start + 1h));
  const auto a = first.get();
  ASSERT_TRUE(a);
  EXPECT_TRUE(store.refused((*a)->number));
  EXPECT_TRUE(store.refused((*a)->number)) << "many requests hear it";
  EXPECT_EQ(store.find(), nullptr);
  Wait second(store, clock.steady() + 1h);
  fetches.answer(fetched("B", start + 1h));
  const auto b = second.get();
  ASSERT_TRUE(b);
  EXPECT_EQ(fetches.begun(), 2);
  EXPECT_TRUE(store.refused((*a)->number)) << "one that was late: there are others by now";
  EXPECT_EQ(store.find(), *b);
  EXPECT_FALSE(store.refused((*b)->number)) << "again within a minute: not at once";
  fetches.answer(fail("no_credentials", "the end"));
}

TEST(AwsCredentialsAtHand, ThatAreRefusedAndComeAgainAreNotTriedAtOnce) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait first(store, clock.steady() + 1h);
  fetches.answer(fetched("A"));
  const auto a = first.get();
  ASSERT_TRUE(a);
  EXPECT_TRUE(store.refused((*a)->number));
  Wait second(store, clock.steady() + 1h);
  fetches.answer(fetched("A"));
  ASSERT_TRUE(second.get());
  EXPECT_FALSE(store.refused((*a)->number));
}

TEST(AwsCredentialsAtHand, AreNotWaitedForLongerThanSaid) {
  const runtime::SystemClock clock(runtime::SystemClock::Hooks::ignore);
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait wait(store, clock.steady() + 10ms);
  const auto answer = wait.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "timed_out");
  fetches.answer(fetched("A"));
}

TEST(AwsCredentialsAtHand, AreRenewedAheadWhileTheOldOnesServe) {
  const runtime::SystemClock clock(runtime::SystemClock::Hooks::ignore);
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait wait(store, clock.steady() + 20s);
  fetches.answer(fetched("A", clock.wall() + 2s));
  const auto a = wait.get();
  ASSERT_TRUE(a);
  ASSERT_TRUE(fetches.await_begun(2)) << "nobody asked, and yet";
  EXPECT_EQ(store.find(), *a);
  fetches.answer(fail("no_credentials", "not now"));
  ASSERT_TRUE(fetches.await_begun(3)) << "a failure is repeated";
  fetches.answer(fetched("B", clock.wall() + 1h));
}

TEST(AwsCredentialsAtHand, EndAllWaitsWhenTheyStop) {
  runtime::ManualClock clock{start};
  Fetches fetches;
  AwsCredentialsStore store(fetches.function(), clock);
  Wait wait(store, clock.steady() + 1h);
  ASSERT_TRUE(fetches.await_begun(1));
  fetches.answer(fail("no_credentials", "late"));
  store.stop();
  EXPECT_FALSE(wait.get());
  Wait late(store, clock.steady() + 1h);
  EXPECT_EQ(late.get().error().code, "stopping");
}

}  // namespace
}  // namespace cronally::delivery
