// Counters, gauges and histograms, and their page for Prometheus.
//
// Ask for a metric once and keep the reference: it stays valid as long as the Metrics, and
// changing it is an atomic operation without a lock. Asking takes a lock. Any thread.
//
//   Counter& succeeded = metrics.counter(metric::runs_total, {{"verdict", "succeeded"}});
//   succeeded.add();
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "runtime/metric_names.h"

namespace cronally::runtime {

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double difference) { value_.fetch_add(difference, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Counts observations by fixed upper bounds (inclusive, ascending; the last is +Inf by itself).
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);

  void observe(double value);
  void observe(Duration length) { observe(std::chrono::duration<double>(length).count()); }

  std::uint64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  std::span<const double> bounds() const { return bounds_; }
  std::uint64_t in_bucket(std::size_t i) const;  // not cumulative; i <= bounds().size()

 private:
  std::span<const double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
  std::atomic<double> sum_{0};
};

// Label names and values, in the order in which they are shown. Values are bounded sets (verdicts,
// reasons), never ids or names of users: each combination lives for ever.
using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The metric of that name and those labels, made at the first call. The kind in `name` must be
  // the kind that is asked for (CHECK).
  Counter& counter(const MetricName& name, const Labels& labels = {});
  Gauge& gauge(const MetricName& name, const Labels& labels = {});
  Histogram& histogram(const MetricName& name, const Labels& labels = {});

  // Called before each rendering, to bring gauges up to date. Must not call into this Metrics
  // (keep references to gauges instead).
  void before_render(std::function<void()> collect);

  // Text exposition format 0.0.4; content type metrics_content_type. Names in alphabetical order.
  std::string render_prometheus() const;

 private:
  struct Family;
  Family& family(const MetricName& name, MetricKind kind);

  mutable std::mutex mutex_;
  std::map<std::string_view, std::unique_ptr<Family>> families_;
  std::vector<std::function<void()>> collectors_;
};

inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

// Adds what describes the process: memory and open files (proc(5)), its start time, and
// cronally_build_info{version=…} 1.
void add_process_metrics(Metrics& metrics, std::string_view version, Instant started_at);

}  // namespace cronally::runtime
