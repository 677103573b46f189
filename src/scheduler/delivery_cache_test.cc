// What deliveries find at hand, over a real store.
#include "scheduler/delivery_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "base/uuid.h"
#include "core/secret_context.h"
#include "runtime/clock_manual.h"
#include "runtime/test_directory.h"
#include "store/sqlite/open.h"

namespace cronally::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
constexpr AccountNo account{1};

class Deliveries : public testing::Test {
 protected:
  Deliveries() {
    auto opened = store::open_sqlite({.file = directory / "cronally.db", .clock = clock});
    if (!opened) throw std::runtime_error(opened.error().message);
    database = std::move(*opened);
    store::Account first{.id = AccountId{uuid_v4(1, 1)}, .name = "default"};
    first.sealed_signing_secret = sealed_secret(first.id, 'a');
    database->accounts().bootstrap(first, {.id = TokenId{uuid_v4(1, 2)}, .name = "admin"},
                                   "digest");
    database->spine().acquire(NodeId{});
    cache.emplace(*database, vault, *clock);
  }

  std::string sealed_secret(const AccountId& id, char byte) const {
    return vault.seal(core::account_context(id),
                      SecretText(core::format_signing_secret(std::string(32, byte))));
  }

  DeliveryCache::Key create(std::string body = {}) {
    store::JobDraft draft{.id = JobId{uuid_v4(++ids, 3)}};
    draft.definition.name = "job-" + std::to_string(ids);
    draft.definition.schedule = "@every 1h";
    core::HttpTarget target{.url = "https://example.com/"};
    if (!body.empty()) target.body = std::move(body);
    draft.definition.target = std::move(target);
    auto made = database->jobs().create_jobs(account, {draft}, store::Existing::fail, {});
    const auto job = std::get<std::vector<core::Job>>(made.value()).at(0);
    return {job.no, job.revision};
  }

  std::string signature(const DeliveryCache::Found& found) const {
    return core::sign(*found.signing_key, "id", 1, "body");
  }

  runtime::TestDirectory directory;
  std::shared_ptr<runtime::ManualClock> clock = std::make_shared<runtime::ManualClock>(start);
  runtime::Vault vault =
      runtime::Vault::open_or_create(directory / "master.key", runtime::MissingKey::create).value();
  std::unique_ptr<store::Database> database;
  std::optional<DeliveryCache> cache;
  std::uint64_t ids = 0;
};

std::optional<std::string> body_of(const DeliveryCache::Found& found) {
  return std::get<core::HttpTarget>(found.job->definition->target).body;
}

TEST_F(Deliveries, WhatWasPreparedIsAtHand) {
  const auto key = create("hello");
  EXPECT_FALSE(cache->find(key));
  cache->prepare({key});
  const auto found = cache->find(key);
  ASSERT_TRUE(found);
  EXPECT_EQ(body_of(*found), "hello");
  EXPECT_EQ(found->job->definition->name, "job-1");
}

TEST_F(Deliveries, EachOfThoseLoadedIsInItsPlace) {
  const auto known = create("a");
  const DeliveryCache::Key gone{JobNo{77}, 1};
  const auto unknown = create("b");
  cache->prepare({known});
  const auto found = cache->load({known, gone, unknown});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(body_of(*found[0]), "a");
  EXPECT_FALSE(found[1]);
  EXPECT_EQ(body_of(*found[2]), "b");
}

TEST_F(Deliveries, ANewSigningSecretSignsWhatStartsMoreThanFiveSecondsLater) {
  const auto key = create();
  const std::string before = signature(*cache->load({key})[0]);
  auto changed = database->accounts().account(account);
  changed.sealed_signing_secret = sealed_secret(changed.id, 'b');
  database->accounts().change_account(changed, {});
  clock->advance(SigningKeys::age_max);
  EXPECT_EQ(signature(*cache->find(key)), before);
  clock->advance(1us);
  EXPECT_FALSE(cache->find(key)) << "the old key is too old";
  EXPECT_NE(signature(*cache->load({key})[0]), before);
}

TEST_F(Deliveries, ANewSigningSecretSignsAJobThatIsNewerAtOnce) {
  const auto before = create();
  const std::string old = signature(*cache->load({before})[0]);
  auto changed = database->accounts().account(account);
  changed.sealed_signing_secret = sealed_secret(changed.id, 'b');
  database->accounts().change_account(changed, {});
  clock->advance(1ms);
  EXPECT_EQ(signature(*cache->find(before)), old);
  EXPECT_NE(signature(*cache->load({create()})[0]), old);
}

TEST_F(Deliveries, ASigningSecretThatDoesNotOpenSendsNothing) {
  const auto key = create();
  auto changed = database->accounts().account(account);
  changed.sealed_signing_secret = "of another installation";
  database->accounts().change_account(changed, {});
  EXPECT_FALSE(cache->load({key})[0]);
  EXPECT_FALSE(cache->find(key));
}

TEST_F(Deliveries, WhatIsOldIsDroppedWithTheNextThatIsRead) {
  const auto key = create();
  cache->prepare({key});
  clock->advance(DeliveryCache::age_max + 1us);
  cache->load({create()});
  EXPECT_FALSE(cache->find(key));
}

TEST_F(Deliveries, AFullCacheReadsNothingAheadAndDropsTheOldestForWhatIsSentNow) {
  cache.emplace(*database, vault, *clock, 100'000);
  const std::string body(18'900, 'x');  // five fit
  std::vector<DeliveryCache::Key> keys;
  for (int i = 0; i < 6; ++i) keys.push_back(create(body));
  cache->prepare({keys.begin(), keys.begin() + 4});
  cache->prepare({keys[4]});
  EXPECT_FALSE(cache->find(keys[4])) << "read ahead into the last quarter";
  EXPECT_TRUE(cache->load({keys[4]})[0]);
  EXPECT_TRUE(cache->find(keys[0]));
  EXPECT_TRUE(cache->load({keys[5]})[0]);
  EXPECT_FALSE(cache->find(keys[0])) << "more than its bytes";
  EXPECT_TRUE(cache->find(keys[1]));
}

}  // namespace
}  // namespace cronally::scheduler
