#include "net/resolver.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

std::string texts(const Addresses& addresses) {
  std::string out;
  if (!addresses) return "none";
  for (const Address& address : *addresses) out += (out.empty() ? "" : " ") + address.text();
  return out;
}

// Waits for what the resolver's threads say.
class Bell {
 public:
  void ring() {
    std::lock_guard lock{mutex_};
    rung_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock{mutex_};
    const bool rung = changed_.wait_for(lock, 10s, [this] { return rung_; });
    rung_ = false;
    return rung;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

TEST(Resolver, AddressesAndLocalhostNeedNoLookup) {
  Resolver resolver{[] {}};
  struct Row {
    std::string host, addresses;
  };
  for (const Row& row : {
           Row{"127.0.0.1", "127.0.0.1"},
           Row{"0x7f000001", "127.0.0.1"},
           Row{"2852039166", "169.254.169.254"},
           Row{"0251.0376.0251.0376", "169.254.169.254"},
           Row{"127.1", "127.0.0.1"},
           Row{"::1", "::1"},
           Row{"::ffff:a9fe:a9fe", "::ffff:169.254.169.254"},
           Row{"localhost", "::1 127.0.0.1"},
           Row{"LOCALHOST.", "::1 127.0.0.1"},
           Row{"app.localhost", "::1 127.0.0.1"},
           Row{"applocalhost", "none"},
           Row{"example.com", "none"},
           Row{"127.0.0.1.example.com", "none"},
           Row{"", "none"},
       }) {
    EXPECT_EQ(texts(resolver.find(row.host, SteadyInstant{})), row.addresses) << row.host;
  }
}

TEST(Resolver, AFailureIsToldOnceAndNotKept) {
  Bell bell;
  Resolver resolver{[&] { bell.ring(); }};
  const SteadyInstant now{};
  for (int i = 0; i < 2; ++i) {
    resolver.ask("cronally.invalid");
    resolver.ask("cronally.invalid");
    std::vector<Resolver::Answer> answers;
    while (answers.empty() && bell.wait()) answers = resolver.take(now);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].host, "cronally.invalid");
    ASSERT_FALSE(answers[0].addresses);
    EXPECT_TRUE(answers[0].addresses.error().message.starts_with("cannot resolve cronally.invalid"))
        << answers[0].addresses.error().message;
    EXPECT_EQ(resolver.find("cronally.invalid", now), nullptr);
    EXPECT_TRUE(resolver.take(now).empty());
  }
}

TEST(Resolver, AnAnswerIsKeptForItsTime) {
  Bell bell;
  Resolver resolver{[&] { bell.ring(); }, {.kept = 60s}};
  const SteadyInstant now{};
  resolver.ask("127.0.0.1");  // getaddrinfo(3) knows it too
  std::vector<Resolver::Answer> answers;
  while (answers.empty() && bell.wait()) answers = resolver.take(now);
  ASSERT_EQ(answers.size(), 1u);
  ASSERT_TRUE(answers[0].addresses);
  EXPECT_EQ(texts(*answers[0].addresses), "127.0.0.1");
  EXPECT_EQ(resolver.find("127.0.0.1", now + 59s), *answers[0].addresses);
  EXPECT_NE(resolver.find("127.0.0.1", now + 60s), *answers[0].addresses);
}

TEST(Resolver, MoreNamesThanLookupsAreAllAnswered) {
  Bell bell;
  Resolver resolver{[&] { bell.ring(); }, {.lookups_max = 2}};
  std::size_t answered = 0;
  for (int i = 0; i < 20; ++i) resolver.ask("n" + std::to_string(i) + ".invalid");
  while (answered < 20 && bell.wait()) answered += resolver.take(SteadyInstant{}).size();
  EXPECT_EQ(answered, 20u);
}

}  // namespace
}  // namespace cronally::net
