#include "runtime/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/text.h"

namespace cronally::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr double bounds[] = {0.01, 1, 5};
constexpr MetricName seconds{"test_seconds", MetricKind::histogram, "Help.", bounds};
constexpr MetricName things_total{"test_things_total", MetricKind::counter, "Things."};
constexpr MetricName level{"test_level", MetricKind::gauge, "Level."};

TEST(Metrics, RendersThePageOfPrometheus) {
  Metrics metrics;
  metrics.counter(things_total, {{"verdict", "failed"}}).add(2);
  metrics.counter(things_total, {{"verdict", "a\"b\\c\nd"}}).add();
  metrics.gauge(level).set(0.5);
  Histogram& histogram = metrics.histogram(seconds);
  histogram.observe(0.01);  // a bound belongs to its bucket
  histogram.observe(2s);
  histogram.observe(100.0);
  EXPECT_EQ(metrics.render_prometheus(), R"(# HELP test_level Level.
# TYPE test_level gauge
test_level 0.5
# HELP test_seconds Help.
# TYPE test_seconds histogram
test_seconds_bucket{le="0.01"} 1
test_seconds_bucket{le="1"} 1
test_seconds_bucket{le="5"} 2
test_seconds_bucket{le="+Inf"} 3
test_seconds_sum 102.01
test_seconds_count 3
# HELP test_things_total Things.
# TYPE test_things_total counter
test_things_total{verdict="a\"b\\c\nd"} 1
test_things_total{verdict="failed"} 2
)");
}

TEST(Metrics, LabelsOfAHistogramStandBeforeTheBound) {
  Metrics metrics;
  metrics.histogram(seconds, {{"kind", "x"}}).observe(0.5);
  const std::string page = metrics.render_prometheus();
  EXPECT_THAT(page, HasSubstr("test_seconds_bucket{kind=\"x\",le=\"1\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("test_seconds_sum{kind=\"x\"} 0.5\n"));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  Metrics metrics;
  Counter& first = metrics.counter(things_total, {{"a", "1"}});
  for (int i = 0; i < 100; ++i) metrics.counter(things_total, {{"a", std::to_string(i)}});
  EXPECT_EQ(&first, &metrics.counter(things_total, {{"a", "1"}}));
  EXPECT_NE(&first, &metrics.counter(things_total));
}

TEST(Metrics, CollectorsRunBeforeThePage) {
  Metrics metrics;
  Gauge& gauge = metrics.gauge(level);
  metrics.before_render([&gauge] { gauge.add(1); });
  EXPECT_THAT(metrics.render_prometheus(), HasSubstr("test_level 1\n"));
  EXPECT_THAT(metrics.render_prometheus(), HasSubstr("test_level 2\n"));
}

TEST(Metrics, CountsFromManyThreads) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        Counter& counter = metrics.counter(things_total);
        Histogram& histogram = metrics.histogram(seconds);
        for (int n = 0; n < 1000; ++n) {
          counter.add();
          histogram.observe(1.0);
        }
      });
    }
  }
  EXPECT_EQ(metrics.counter(things_total).value(), 4000U);
  EXPECT_EQ(metrics.histogram(seconds).count(), 4000U);
  EXPECT_EQ(metrics.histogram(seconds).sum(), 4000.0);
}

TEST(Metrics, DescribesTheProcess) {
  Metrics metrics;
  add_process_metrics(metrics, "1.2.3", *parse_instant("2026-12-01T09:00:00Z"));
  const std::string page = metrics.render_prometheus();
  EXPECT_THAT(page, HasSubstr("cronally_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("process_start_time_seconds 1796115600\n"));
  EXPECT_GT(metrics.gauge(metric::process_memory).value(), 1e6);
  EXPECT_GE(metrics.gauge(metric::process_open_fds).value(), 3);
}

TEST(MetricsDeathTest, AMetricIsUsedAsItsKindOnly) {
  Metrics metrics;
  EXPECT_DEATH(metrics.gauge(things_total), "metric_names.h");
}

}  // namespace
}  // namespace cronally::runtime
