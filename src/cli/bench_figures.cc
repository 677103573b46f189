#include "cli/bench_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/table.h"

namespace cronally::cli {
namespace json = boost::json;

namespace {

using Facts = std::vector<std::pair<std::string, Cell>>;

std::string ms_text(Duration length) {
  return fmt::format("{:.2f} ms", static_cast<double>(length.count()) / 1000);
}
std::string s_text(Duration length) {
  return fmt::format("{:.3f} s", static_cast<double>(length.count()) / 1e6);
}

std::string text_of(const Lateness& lateness) {
  return fmt::format("p50 {}, p99 {}, max {}", ms_text(lateness.p50), ms_text(lateness.p99),
                     ms_text(lateness.max));
}

Cell delivered_cell(std::int64_t delivered, std::int64_t due) {
  return {fmt::format("{} of {}", delivered, due), delivered < due ? Colour::red : Colour::none};
}

// The processor time for each 1,000 runs.
std::string per_thousand(Duration processor, std::int64_t runs) {
  const auto share = static_cast<double>(processor.count()) / 1e6 * 1000;
  return fmt::format("{:.3f} s for 1,000 runs",
                     share / static_cast<double>(std::max<std::int64_t>(runs, 1)));
}

void add(Facts& facts, const HerdFigures& herd) {
  facts.emplace_back("herd", Cell{fmt::format("{} jobs due at one instant", herd.jobs)});
  facts.emplace_back("  created in", Cell{s_text(herd.creation)});
  facts.emplace_back("  delivered", delivered_cell(herd.delivered, herd.jobs));
  facts.emplace_back("  last one after", Cell{s_text(herd.last), Colour::bold});
  facts.emplace_back("  late at the receiver", Cell{text_of(herd.at_receiver)});
  facts.emplace_back("  server's processor", Cell{per_thousand(herd.processor, herd.delivered)});
}

void add(Facts& facts, const SteadyFigures& steady) {
  const double share = static_cast<double>(steady.processor.count()) /
                       static_cast<double>(std::max<std::int64_t>(steady.length.count(), 1));
  facts.emplace_back("steady", Cell{fmt::format("{} jobs @every 1s, for {} s", steady.jobs,
                                                steady.length.count() / 1'000'000)});
  facts.emplace_back("  delivered", delivered_cell(steady.delivered, steady.due));
  facts.emplace_back("  late at the first byte", Cell{text_of(steady.first_byte), Colour::bold});
  facts.emplace_back("  late at the receiver", Cell{text_of(steady.at_receiver)});
  facts.emplace_back("  server's processor", Cell{fmt::format("{:.1f} % of a core", share * 100)});
}

json::object json_of(const Lateness& lateness) {
  return {{"p50_us", lateness.p50.count()},
          {"p99_us", lateness.p99.count()},
          {"max_us", lateness.max.count()}};
}

}  // namespace

Lateness lateness_of(std::vector<Duration> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto at = [&](std::size_t percent) {
    return values[(values.size() * percent + 99) / 100 - 1];
  };
  return {at(50), at(99), values.back()};
}

std::string text_of(const BenchFigures& figures, bool colour) {
  Facts facts{{"directory", Cell{printable(figures.directory)}}};
  if (figures.herd) add(facts, *figures.herd);
  if (figures.steady) add(facts, *figures.steady);
  return format_facts(facts, colour);
}

json::object json_of(const BenchFigures& figures) {
  json::object whole{{"directory", figures.directory}};
  if (const auto& herd = figures.herd) {
    whole["herd"] = json::object{{"jobs", herd->jobs},
                                 {"delivered", herd->delivered},
                                 {"creation_us", herd->creation.count()},
                                 {"last_us", herd->last.count()},
                                 {"processor_us", herd->processor.count()},
                                 {"late_at_receiver", json_of(herd->at_receiver)}};
  }
  if (const auto& steady = figures.steady) {
    whole["steady"] = json::object{{"jobs", steady->jobs},
                                   {"length_us", steady->length.count()},
                                   {"due", steady->due},
                                   {"delivered", steady->delivered},
                                   {"processor_us", steady->processor.count()},
                                   {"late_at_first_byte", json_of(steady->first_byte)},
                                   {"late_at_receiver", json_of(steady->at_receiver)}};
  }
  return whole;
}

}  // namespace cronally::cli
