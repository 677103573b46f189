// The step machine under its first driver.
//
//   sim_test                     200 seeds, and every canary must be caught
//   sim_test --seed N [--trace 1]   replays one world, line by line if wanted
//   sim_test --seeds N [--from M]   N worlds from seed M on
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
std::uint64_t seeds = 200;
bool traced = false;

TEST(Simulation, KeepsThePromisesInEveryWorld) {
  World::Counts sum;
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    World world(seed, nullptr);
    if (traced) world.trace();
    for (const auto& objection : world.live()) {
      ADD_FAILURE() << objection << "\n  replay: sim_test --seed " << seed;
    }
    const auto counts = world.counts();
    sum.occurrences += counts.occurrences;
    sum.first_bytes += counts.first_bytes;
    sum.crashes += counts.crashes;
    sum.drains += counts.drains;
    sum.edits += counts.edits;
    sum.doubts += counts.doubts;
    sum.skips += counts.skips;
  }
  std::printf(
      "%llu worlds: %d runs, %d skipped spans, %d requests, %d crashes, %d drains, %d edits, %d "
      "doubtful commits\n",
      static_cast<unsigned long long>(seeds), sum.occurrences, sum.skips, sum.first_bytes,
      sum.crashes, sum.drains, sum.edits, sum.doubts);
}

// A world in which nothing happens would keep every promise.
TEST(Simulation, MeetsWhatItIsAbout) {
  World::Counts sum;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    World world(seed, nullptr);
    (void)world.live();
    const auto counts = world.counts();
    sum.occurrences += counts.occurrences;
    sum.crashes += counts.crashes;
    sum.drains += counts.drains;
    sum.edits += counts.edits;
    sum.doubts += counts.doubts;
    sum.skips += counts.skips;
  }
  EXPECT_GT(sum.occurrences, 1000);
  EXPECT_GT(sum.crashes, 5);
  EXPECT_GT(sum.drains, 5);
  EXPECT_GT(sum.edits, 200);
  EXPECT_GT(sum.doubts, 20);
  EXPECT_GT(sum.skips, 20);
}

TEST(Simulation, RepeatsItselfBySeed) {
  World one(3, nullptr);
  World two(3, nullptr);
  (void)one.live();
  (void)two.live();
  EXPECT_EQ(one.counts().first_bytes, two.counts().first_bytes);
  EXPECT_EQ(one.counts().doubts, two.counts().doubts);
}

TEST(Simulation, CatchesEveryCanary) {
  constexpr std::uint64_t tries = 200;
  for (const auto& kind : canaries()) {
    std::string caught;
    for (std::uint64_t seed = 1; seed <= tries && caught.empty(); ++seed) {
      const auto canary = kind.make();
      World world(seed, canary.get());
      for (const auto& objection : world.live()) {
        if (objection.find(kind.caught_by + ":") != std::string::npos) caught = objection;
      }
    }
    EXPECT_FALSE(caught.empty()) << kind.name << " was not seen in " << tries << " worlds";
    std::printf("canary \"%s\": %s\n", kind.name.c_str(), caught.c_str());
  }
}

}  // namespace
}  // namespace cronally::sim

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
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
    } else {
      std::fprintf(stderr, "unknown flag %s; use --seed N, or --seeds N --from M\n", argv[i]);
      return 2;
    }
  }
  if (argc > 1) {
    testing::GTEST_FLAG(filter) = "Simulation.KeepsThePromisesInEveryWorld";
  }
  return RUN_ALL_TESTS();
}
