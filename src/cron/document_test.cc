// The examples of docs/schedules.md are true.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cron/describe.h"
#include "cron/testing.h"

namespace cronally::cron {
namespace {

// The lines of all blocks fenced by ``` and this word.
std::vector<std::string> examples(const std::string& word) {
  std::ifstream in(CRONALLY_SOURCE_DIR "/docs/schedules.md");
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) {
      inside = line == "```" + word;
    } else if (inside) {
      lines.push_back(line);
    }
  }
  return lines;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// "schedule   sentence", parted by two blanks or more.
std::pair<std::string, std::string> halves(const std::string& line) {
  const auto gap = line.find("  ");
  return {line.substr(0, gap), trimmed(line.substr(gap))};
}

TEST(Document, ItsFiresAreOurs) {
  const auto lines = examples("fires");
  EXPECT_GE(lines.size(), 15u);
  for (const auto& line : lines) {
    std::vector<std::string> cells;
    std::stringstream in(line);
    for (std::string cell; std::getline(in, cell, '|');) cells.push_back(trimmed(cell));
    ASSERT_EQ(cells.size(), 4u) << line;
    const auto schedule = testing::schedule_of(cells[0], cells[1]);
    std::optional<Instant> at = testing::at(cells[2]);
    std::stringstream expected(cells[3]);
    for (std::string fire; expected >> fire;) {
      at = next(schedule, *at);
      EXPECT_EQ(at ? format_instant(*at) : "never", fire) << line;
      if (!at) break;
    }
  }
}

TEST(Document, ItsSentencesAreOurs) {
  const auto lines = examples("english");
  EXPECT_GE(lines.size(), 10u);
  for (const auto& line : lines) {
    const auto [text, sentence] = halves(line);
    const auto schedule = parse_schedule(text, {.zone = cctz::utc_time_zone(), .name = "backup"});
    ASSERT_TRUE(schedule) << text;
    EXPECT_EQ(describe(*schedule), sentence) << text;
  }
}

TEST(Document, ItsRefusalsAreOurs) {
  const auto lines = examples("refused");
  EXPECT_GE(lines.size(), 5u);
  for (const auto& line : lines) {
    const auto [text, message] = halves(line);
    EXPECT_EQ(testing::refusal(text), message);
  }
}

}  // namespace
}  // namespace cronally::cron
