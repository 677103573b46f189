#include "runtime/metrics.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace cronally::runtime {

// All metrics of one name, by their labels as they are written: `verdict="failed"`.
struct Metrics::Family {
  MetricName name;
  std::map<std::string, std::unique_ptr<Counter>> counters{};
  std::map<std::string, std::unique_ptr<Gauge>> gauges{};
  std::map<std::string, std::unique_ptr<Histogram>> histograms{};
};

namespace {

std::string_view kind_name(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: return "histogram";
  }
  return "untyped";
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string label_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text += name + "=\"";
    for (const char c : value) {
      if (c == '\n') {
        text += "\\n";
      } else {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
    }
    text += '"';
  }
  return text;
}

std::string in_braces(std::string_view labels) {
  return labels.empty() ? std::string{} : fmt::format("{{{}}}", labels);
}

std::string histogram_lines(std::string_view name, const std::string& labels,
                            const Histogram& histogram) {
  std::string text;
  const std::string comma = labels.empty() ? "" : ",";
  std::uint64_t below = 0;
  const auto bounds = histogram.bounds();
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    below += histogram.in_bucket(i);
    const std::string bound = i < bounds.size() ? number(bounds[i]) : "+Inf";
    text += fmt::format("{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma, bound, below);
  }
  text += fmt::format("{}_sum{} {}\n", name, in_braces(labels), number(histogram.sum()));
  // The last bucket's figure, not a second reading: the two must agree while others observe.
  return text + fmt::format("{}_count{} {}\n", name, in_braces(labels), below);
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds), buckets_(new std::atomic<std::uint64_t>[bounds.size() + 1] {}) {
  CHECK(std::ranges::is_sorted(bounds), "bounds ascend");
}

void Histogram::observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) total += in_bucket(i);
  return total;
}

std::uint64_t Histogram::in_bucket(std::size_t i) const {
  CHECK(i <= bounds_.size(), "the bucket exists");
  return buckets_[i].load(std::memory_order_relaxed);
}

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Metrics::Family& Metrics::family(const MetricName& name, MetricKind kind) {
  CHECK(name.kind == kind, "a metric is used as what metric_names.h says it is");
  auto& slot = families_[name.name];
  if (!slot) slot = std::make_unique<Family>(Family{name});
  return *slot;
}

Counter& Metrics::counter(const MetricName& name, const Labels& labels) {
  std::lock_guard lock{mutex_};
  auto& slot = family(name, MetricKind::counter).counters[label_text(labels)];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Gauge& Metrics::gauge(const MetricName& name, const Labels& labels) {
  std::lock_guard lock{mutex_};
  auto& slot = family(name, MetricKind::gauge).gauges[label_text(labels)];
  if (!slot) slot = std::make_unique<Gauge>();
  return *slot;
}

Histogram& Metrics::histogram(const MetricName& name, const Labels& labels) {
  std::lock_guard lock{mutex_};
  auto& slot = family(name, MetricKind::histogram).histograms[label_text(labels)];
  if (!slot) slot = std::make_unique<Histogram>(name.bounds);
  return *slot;
}

void Metrics::before_render(std::function<void()> collect) {
  std::lock_guard lock{mutex_};
  collectors_.push_back(std::move(collect));
}

std::string Metrics::render_prometheus() const {
  std::vector<std::function<void()>> collectors;
  {
    std::lock_guard lock{mutex_};
    collectors = collectors_;
  }
  for (const auto& collect : collectors) collect();

  std::lock_guard lock{mutex_};
  std::string page;
  for (const auto& [name, family] : families_) {
    page += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, family->name.help, name,
                        kind_name(family->name.kind));
    for (const auto& [labels, counter] : family->counters) {
      page += fmt::format("{}{} {}\n", name, in_braces(labels), counter->value());
    }
    for (const auto& [labels, gauge] : family->gauges) {
      page += fmt::format("{}{} {}\n", name, in_braces(labels), number(gauge->value()));
    }
    for (const auto& [labels, histogram] : family->histograms) {
      page += histogram_lines(name, labels, *histogram);
    }
  }
  return page;
}

namespace {

double resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  double total = 0, resident = 0;  // pages, proc(5)
  statm >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_files() {
  std::error_code error;
  double count = 0;
  std::filesystem::directory_iterator it{"/proc/self/fd", error};
  for (; !error && it != std::filesystem::directory_iterator{}; it.increment(error)) ++count;
  return count > 0 ? count - 1 : 0;  // without the one that read the directory
}

}  // namespace

void add_process_metrics(Metrics& metrics, std::string_view version, Instant started_at) {
  metrics.gauge(metric::build_info, {{"version", std::string{version}}}).set(1);
  metrics.gauge(metric::process_start_time)
      .set(std::chrono::duration<double>(started_at.time_since_epoch()).count());
  Gauge& memory = metrics.gauge(metric::process_memory);
  Gauge& files = metrics.gauge(metric::process_open_fds);
  metrics.before_render([&memory, &files] {
    memory.set(resident_bytes());
    files.set(open_files());
  });
}

}  // namespace cronally::runtime
