// How a batch is parted, so that each part is written by sets.
#include "store/postgres/batch_stages.h"

#include <gtest/gtest.h>

#include <string>

namespace cronally::store::postgres {
namespace {

using core::Item;

Item claim(std::int64_t job) { return core::Claim{.job = {job}, .shard = {1}}; }
Item begin(std::int64_t run) { return core::Begin{.run = {run}, .shard = {1}}; }
Item end(std::int64_t run) { return core::End{.run = {run}, .shard = {1}}; }
Item replan(std::int64_t job) { return core::Replan{.job = {job}, .shard = {1}}; }
Item advance() { return core::Advance{.shard = {1}}; }

// "c2 b1 | r1": each stage's kinds with how many items, then "+a1" for the advances.
std::string parted(const std::vector<Item>& items, std::vector<bool> wanted = {}) {
  wanted.resize(items.size(), true);
  const auto staged = stages_of(items, wanted);
  std::string text;
  const auto add = [&](char kind, std::size_t count) {
    if (count == 0) return;
    if (!text.empty() && text.back() != ' ') text += ' ';
    text += kind + std::to_string(count);
  };
  for (const auto& stage : staged.stages) {
    if (!text.empty()) text += " | ";
    add('c', stage.claims.size());
    add('s', stage.skips.size());
    add('r', stage.replans.size());
    add('b', stage.begins.size());
    add('e', stage.ends.size());
  }
  add('a', staged.advances.size());
  return text;
}

TEST(BatchStages, PartOnlyWhereAnOrderMatters) {
  struct Case {
    std::vector<Item> items;
    std::string expected;
  };
  const std::vector<Case> cases{
      {{}, ""},
      {{claim(1), claim(2), claim(1)}, "c3"},
      // Advances stand apart, wherever they were.
      {{claim(1), advance(), claim(2), advance()}, "c2 a2"},
      // Different runs join, the same run waits.
      {{begin(1), end(2), begin(3)}, "b2 e1"},
      {{begin(1), end(1)}, "b1 | e1"},
      {{end(1), end(1), end(2)}, "e1 | e2"},
      // A replan reads the runs of its job, whichever they are.
      {{end(1), replan(1), replan(2), end(2)}, "e1 | r2 | e1"},
      {{replan(1), replan(1)}, "r1 | r1"},
      {{replan(1), claim(1)}, "r1 | c1"},
  };
  for (const auto& [items, expected] : cases) EXPECT_EQ(parted(items), expected);
}

TEST(BatchStages, LeaveOutWhatDoesNotCountAndKeepPlaces) {
  const std::vector<Item> items{claim(1), begin(1), claim(2)};
  EXPECT_EQ(parted(items, {true, false, true}), "c2");
  const auto staged = stages_of(items, {false, true, true});
  ASSERT_EQ(staged.stages.size(), 1U);
  EXPECT_EQ(staged.stages[0].begins.at(0).place, 1U);
  EXPECT_EQ(staged.stages[0].claims.at(0).place, 2U);
  EXPECT_EQ(staged.stages[0].claims.at(0).item, std::get_if<core::Claim>(&items[2]));
}

}  // namespace
}  // namespace cronally::store::postgres
