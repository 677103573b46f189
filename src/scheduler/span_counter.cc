#include "scheduler/span_counter.h"

#include <limits>

#include "runtime/supervise.h"

namespace cronally::scheduler {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t spans_per_round = 100;

}  // namespace

void SpanCounter::run(const std::stop_token& stop) {
  Duration pause = 1s;
  while (runtime::wait_or_stop(stop, pause)) {
    pause = leads_() && round() ? Duration{100ms} : Duration{10s};
  }
}

bool SpanCounter::round() {
  auto spans = spine_.uncounted_spans(spans_per_round);
  std::vector<std::pair<std::int64_t, std::int64_t>> counts;
  for (const auto& span : spans) {
    auto schedule = compiler_.schedule(span.job);
    if (!schedule) continue;  // this host lacks the zone; the span stays uncounted
    counts.emplace_back(span.no, cron::count(*schedule, span.from, span.to,
                                             std::numeric_limits<std::int64_t>::max()));
  }
  if (!counts.empty()) spine_.set_span_counts(counts);
  return spans.size() == spans_per_round && !counts.empty();
}

}  // namespace cronally::scheduler
