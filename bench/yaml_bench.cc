// What reading one YAML document of 1 MiB takes at worst: bound 100 ms each, whatever it holds.
//
//   yaml_bench [REPEATS]     5 without it; the median counts; 1 if a bound does not hold
//
// Processor time, so that what else the machine does is not in it. Beside each figure stands what
// yaml-cpp 0.7, which read these files before, took on the machine of docs/performance.md.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "core/yaml_document.h"

namespace cronally {
namespace {

constexpr double bound_ms = 100;

struct Case {
  std::string_view name;
  double yaml_cpp_ms;
  std::string text;
};

std::string repeat(std::string_view text, std::size_t times) {
  std::string whole;
  whole.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) whole += text;
  return whole;
}

// `head`, then `text` until the document is full, then `tail`.
std::string fill(std::string_view text, std::string_view head = "", std::string_view tail = "") {
  const std::size_t room = core::yaml_document_bytes_max - head.size() - tail.size();
  return std::string(head) + repeat(text, room / text.size()) + std::string(tail);
}

std::string members(std::size_t count, std::string_view value) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += "key-" + std::to_string(100'000 + i) + ": " + std::string(value) + "\n";
  return text;
}

std::string json_line() {
  const std::string rest = R"(", "schedule": "*/5 * * * *", "target": {"url": "http://h/)" +
                           std::string(120, 'p') + R"("}, "timeout": "30s"},)";
  std::string text = "[";
  for (std::size_t i = 0; i < 4'500; ++i) text += R"({"name": "job-)" + std::to_string(i) + rest;
  return text + "]";
}

std::string laughs() {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30'000; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + ", " + last + "]\n";
  }
  return text.substr(0, core::yaml_document_bytes_max);
}

std::vector<Case> cases() {
  return {{"25,000 members", 206, members(24'900, repeat("v", 28))},
          {"a list of jobs as one line of JSON", 91, json_line()},
          {"a list of 50,000 short texts", 224, "- " + fill("abcdefghijklmnopqr\n- ")},
          {"a plain text", 140, fill("word ", "v: ")},
          {"a plain text of 500,000 lines", 193, fill("x\n  ", "v: ")},
          {"a quoted text of escapes", 40, fill("\\u00e9", "v: \"", "\"")},
          {"a quoted text of empty lines", 220, fill("\n", "v: \"", "\"")},
          {"a block text of short lines", 111, fill("  x\n", "v: |\n")},
          {"a text in Japanese", 190, fill("\u6642\u8a08", "v: ")},
          {"comments", 55, fill("# c\n", "v: 1\n")},
          {"blanks", 83, fill(" ", "v: 1\n")},
          {"empty lines", 315, fill("\n", "v: 1\n")},
          {"[ without end", 226, fill("[")},
          {"{ without end", 234, fill("{")},
          {"[{ without end", 254, fill("[{")},
          {"[ below a field", 297, fill("[", "v: ")},
          {"[ each on its line", 205, fill("[\n", "v: ")},
          {"{a: without end", 380, fill("{a: ")},
          {"lists 31 deep", 46, fill(repeat("[", 30) + repeat("]", 30) + ",", "v: [", "]")},
          {"- without end", 4, fill("- ")},
          {"? without end", 3, fill("? ")},
          {": without end", 3, fill(": ")},
          {"a: in one line", 5, fill("a: ")},
          {"deeper with each line", 6,
           [] {
             std::string text;
             for (std::size_t i = 0; text.size() < core::yaml_document_bytes_max - 2'000; ++i)
               text += std::string(i, ' ') + "a:\n";
             return text;
           }()},
          {"aliases", 4, fill("*a, ", "v: [", "]")},
          {"anchors", 5, fill("&a ", "v: ")},
          {"each alias twice the last", 3, laughs()},
          {"tags", 5, fill("!!str ", "v: ")},
          {"a long tag", 113, fill("%41", "v: !<", "> x")},
          {"a quote without end", 67, fill("x", "v: \"")},
          {"commas", 16, fill(",", "v: [", "]")},
          {"a name of 1 MiB", 180, fill("k", "", ": v")},
          {"names without values", 446, fill("a, ", "{", "}")},
          {"25,000 members of line separators", 237, members(24'900, repeat("\u2028", 9))},
          {"line separators", 115, fill("\u2028", "v: \"", "\"")}};
}

double median_ms(const std::string& text, int repeats) {
  std::vector<double> taken;
  for (int i = 0; i < repeats; ++i) {
    const std::clock_t start = std::clock();
    const core::YamlFile file = core::read_yaml(text);
    const std::clock_t end = std::clock();
    if (file.documents.empty() && file.faults.empty()) std::abort();
    taken.push_back(1000.0 * static_cast<double>(end - start) / CLOCKS_PER_SEC);
  }
  std::ranges::sort(taken);
  return taken[taken.size() / 2];
}

int run(int repeats) {
  bool holds = true;
  std::printf("%-36s %9s %9s %9s  %s\n", "one document", "bytes", "ms", "yaml-cpp", "what comes");
  for (const Case& each : cases()) {
    const double ms = median_ms(each.text, repeats);
    const core::YamlFile file = core::read_yaml(each.text);
    const std::string said =
        file.faults.empty() ? "read" : file.faults.front().detail.substr(0, 60);
    std::printf("%-36.*s %9zu %9.2f %9.0f  %s\n", static_cast<int>(each.name.size()),
                each.name.data(), each.text.size(), ms, each.yaml_cpp_ms, said.c_str());
    holds = holds && ms <= bound_ms;
  }
  std::printf("bound: %.0f ms for each: %s\n", bound_ms, holds ? "holds" : "DOES NOT HOLD");
  return holds ? 0 : 1;
}

}  // namespace
}  // namespace cronally

int main(int argc, char** argv) {
  return cronally::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 5);
}
