// The step machine under its first driver.
//
//   sim_test                        a short set of worlds, and every canary must be caught
//   sim_test --seed N [--trace 1]   replays one world, line by line if wanted
//   sim_test --seeds N [--from M]   N worlds from seed M on
//   sim_test --forgets 1 ...        in each of these the store forgets, not in every fifth alone
//   sim_test --canary K [--tries N]   the K-th canary alone, in up to N worlds
//   sim_test --canaries 1             how many there are
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/sim/canaries.h"
#include "tests/sim/world.h"

namespace cronally::sim {
namespace {

std::uint64_t first_seed = 1;
std::uint64_t seeds = 60;
std::uint64_t tries = 500;
int only_canary = 0;     // 0: all
bool forgetful = false;  // every world
bool traced = false;

Counts live_through(std::uint64_t seed, Kind* kind = nullptr) {
  World world(seed, nullptr, forgetful);
  if (traced) world.trace();
  if (kind) *kind = world.scenario.kind;
  for (const auto& objection : world.live()) {
    ADD_FAILURE() << objection << "\n  replay: sim_test --seed " << seed
                  << (forgetful ? " --forgets 1" : "") << " --trace 1";
  }
  return world.counts();
}

TEST(Simulation, KeepsThePromisesInEveryWorld) {
  Counts sum;
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    sum += live_through(seed);
  }
  std::printf(
      "%llu worlds: %d runs, %d skipped spans, %d requests, %d crashes, %d freezes, %d cuts, %d "
      "drains, %d shards granted, %d edits, %d doubtful commits, %d times forgotten, %d runs put "
      "back\n",
      static_cast<unsigned long long>(seeds), sum.runs, sum.skips, sum.first_bytes, sum.crashes,
      sum.freezes, sum.cuts, sum.drains, sum.handovers, sum.edits, sum.doubts, sum.forgotten,
      sum.put_back);
}

// A world in which nothing happens would keep every promise.
TEST(Simulation, MeetsWhatItIsAbout) {
  Counts sum;
  int lone = 0;
  int cluster = 0;
  int deaths = 0;
  int forgetting = 0;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    Kind kind = Kind::lone;
    sum += live_through(seed, &kind);
    lone += kind == Kind::lone ? 1 : 0;
    cluster += kind == Kind::cluster ? 1 : 0;
    deaths += kind == Kind::deaths ? 1 : 0;
    forgetting += kind == Kind::forgetful ? 1 : 0;
  }
  EXPECT_GT(lone, 0);
  EXPECT_GT(cluster, 0);
  EXPECT_GT(deaths, 0);
  EXPECT_GT(forgetting, 0);
  EXPECT_GT(sum.runs, 10'000);
  EXPECT_GT(sum.crashes, 50);
  EXPECT_GT(sum.freezes, 50);
  EXPECT_GT(sum.cuts, 30);
  EXPECT_GT(sum.drains, 50);
  EXPECT_GT(sum.handovers, 5'000);
  EXPECT_GT(sum.edits, 500);
  EXPECT_GT(sum.doubts, 200);
  EXPECT_GT(sum.skips, 50);
  EXPECT_GT(sum.forgotten, 20);
  EXPECT_GT(sum.put_back, 100);
}

TEST(Simulation, RepeatsItselfBySeed) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World one(seed, nullptr);
    World two(seed, nullptr);
    (void)one.live();
    (void)two.live();
    EXPECT_EQ(one.counts(), two.counts());
  }
}

// The seed of the first world in which a mistake is seen, and what the checks said; 0: none.
std::pair<std::uint64_t, std::string> catch_canary(const CanaryKind& kind) {
  for (std::uint64_t seed = only_canary == 0 ? kind.first : 1; seed <= tries; ++seed) {
    if (kind.forgetful && !forgets(seed)) continue;
    const auto canary = kind.make();
    World world(seed, canary.get());
    for (const auto& objection : world.live()) {
      if (objection.find(": " + kind.caught_by + ":") != std::string::npos)
        return {seed, objection};
    }
  }
  return {0, ""};
}

TEST(Simulation, CatchesEveryCanary) {
  int number = 0;
  for (const auto& kind : canaries()) {
    if (++number != only_canary && only_canary != 0) continue;
    const auto [seed, objection] = catch_canary(kind);
    EXPECT_NE(seed, 0U) << kind.name << " was not seen in " << tries << " worlds";
    std::printf("canary \"%s\" %s: %s\n", kind.name.c_str(), kind.caught_by.c_str(),
                seed == 0 ? "not caught" : objection.c_str());
  }
}

}  // namespace
}  // namespace cronally::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool all = argc <= 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--seeds") {
      cronally::sim::seeds = value;
    } else if (flag == "--from" || flag == "--seed") {
      cronally::sim::first_seed = value;
      if (flag == "--seed") cronally::sim::seeds = 1;
    } else if (flag == "--trace") {
      cronally::sim::traced = value != 0;
    } else if (flag == "--forgets") {
      cronally::sim::forgetful = value != 0;
    } else if (flag == "--canary") {
      cronally::sim::only_canary = static_cast<int>(value);
    } else if (flag == "--canaries") {
      std::printf("%zu canaries\n", cronally::sim::canaries().size());
      return 0;
    } else if (flag == "--tries") {
      cronally::sim::tries = value;
    } else {
      std::fprintf(stderr, "unknown flag %s; see the head of tests/sim/sim_test.cc\n", argv[i]);
      return 2;
    }
  }
  if (!all) {
    testing::GTEST_FLAG(filter) = cronally::sim::only_canary != 0
                                      ? "Simulation.CatchesEveryCanary"
                                      : "Simulation.KeepsThePromisesInEveryWorld";
  }
  return RUN_ALL_TESTS();
}
