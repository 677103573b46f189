// next(): the time one call takes, by expression and zone. Budget: 100 ns in UTC, 250 ns in a zone.
//
//   ninja next_bench && ./bench/next_bench
//
// Each call asks from an instant of its own, one of 4,096 from 2000 to 2050 in random order, so
// that neither cache nor branch predictor knows the answer.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "base/check.h"
#include "cron/schedule.h"

namespace {

using namespace cronally;

constexpr std::array<const char*, 6> expressions{"*/5 * * * *",  "0 9 * * 1-5", "0 0 29 2 *",
                                                 "30 1-5 * * *", "0 0 L * *",   "@every 90s"};
constexpr std::array<const char*, 3> zones{"UTC", "Europe/Berlin", "America/New_York"};

std::array<Instant, 4096> instants() {
  using std::chrono::sys_days;
  constexpr sys_days first{std::chrono::year{2000} / 1 / 1};
  constexpr sys_days last{std::chrono::year{2050} / 1 / 1};
  constexpr std::uint64_t span = std::chrono::seconds{last - first}.count();
  std::array<Instant, 4096> all;
  std::mt19937_64 random{42};
  for (auto& at : all) at = Instant{first} + std::chrono::seconds{random() % span};
  return all;
}

cron::Schedule schedule_of(const benchmark::State& state) {
  cctz::time_zone zone;
  const char* name = zones[static_cast<std::size_t>(state.range(1))];
  CHECK(cctz::load_time_zone(name, &zone), "the machine's tzdata lacks a zone");
  auto schedule = cron::parse_schedule(expressions[static_cast<std::size_t>(state.range(0))],
                                       {.zone = zone, .name = "bench"});
  CHECK(schedule.has_value(), "a benchmark's schedule is malformed");
  return *std::move(schedule);
}

template <class Ask>
void ask(benchmark::State& state, Ask one) {
  const auto schedule = schedule_of(state);
  const auto from = instants();
  std::size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(one(schedule, from[i++ % from.size()]));
  state.SetLabel(std::string{expressions[static_cast<std::size_t>(state.range(0))]} + " in " +
                 zones[static_cast<std::size_t>(state.range(1))]);
}

void next_fire(benchmark::State& state) {
  ask(state, [](const auto& schedule, Instant at) { return cron::next(schedule, at); });
}
void prev_fire(benchmark::State& state) {
  ask(state, [](const auto& schedule, Instant at) { return cron::prev(schedule, at); });
}

void parse(benchmark::State& state) {
  const cron::Context context{.zone = cctz::utc_time_zone(), .name = "bench"};
  const char* text = expressions[static_cast<std::size_t>(state.range(0))];
  for (auto _ : state) benchmark::DoNotOptimize(cron::parse_schedule(text, context));
  state.SetLabel(text);
}

BENCHMARK(next_fire)->ArgsProduct({{0, 1, 2, 3, 4, 5}, {0, 1, 2}});
BENCHMARK(prev_fire)->ArgsProduct({{0, 1, 2}, {0, 1}});
BENCHMARK(parse)->DenseRange(0, 5);

}  // namespace

BENCHMARK_MAIN();
