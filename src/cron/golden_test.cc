// Other implementations' answers (tests/golden, with their generators), compared with ours. Where
// we differ on purpose, differences.tsv says so with the reason, and what we answer.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cron/testing.h"

namespace cronally::cron {
namespace {

using Row = std::vector<std::string>;

std::vector<Row> rows_of(const std::string& file) {
  std::ifstream in(CRONALLY_SOURCE_DIR "/tests/golden/" + file);
  EXPECT_TRUE(in.is_open()) << file;
  std::vector<Row> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    Row row;
    std::stringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    rows.push_back(row);
  }
  return rows;
}

std::size_t words_in(const std::string& text) {
  std::stringstream in(text);
  std::size_t count = 0;
  for (std::string word; in >> word;) ++count;
  return count;
}

// Our answer in the form of the files: as many fires as the peer gave, or "refused".
std::string ours(const Row& row) {
  const auto zone = testing::fixed_zone(row[1]);
  const auto schedule = parse_schedule(row[0], {.zone = zone, .name = "job"});
  if (!schedule) return "refused";
  const std::size_t limit = row[3] == "refused" ? 1 : words_in(row[3]);
  std::string text;
  auto at = testing::at(row[2]);
  for (std::size_t i = 0; i < limit; ++i) {
    const auto next_at = next(*schedule, at);
    if (!text.empty()) text += ' ';
    text += next_at ? std::to_string(us_of(*next_at) / 1'000'000) : "end";
    if (!next_at) break;
    at = *next_at;
  }
  return text;
}

// Key: tool, expression, zone, from. Value: reason, our answer.
std::map<Row, Row> differences() {
  std::map<Row, Row> found;
  for (const auto& row : rows_of("differences.tsv")) {
    found[{row[0], row[1], row[2], row[3]}] = {row[4], row[5]};
  }
  return found;
}

void compare(const std::string& tool) {
  const auto listed = differences();
  std::size_t compared = 0;
  for (const auto& row : rows_of(tool + ".tsv")) {
    if (row[3] == "refused") continue;  // the peer lacks that syntax: nothing to compare
    ++compared;
    const auto answer = ours(row);
    const auto known = listed.find({tool, row[0], row[1], row[2]});
    if (known == listed.end()) {
      EXPECT_EQ(answer, row[3]) << tool << "\t" << row[0] << "\t" << row[1] << "\t" << row[2];
      continue;
    }
    EXPECT_NE(answer, row[3]) << "no longer different: " << row[0] << " " << row[1];
    EXPECT_EQ(answer, known->second[1]) << row[0] << " " << row[1] << " " << row[2];
  }
  EXPECT_GT(compared, 500u);
}

TEST(Golden, AgreesWithCroniter) { compare("croniter"); }
TEST(Golden, AgreesWithCronsim) { compare("cronsim"); }
TEST(Golden, AgreesWithCroner) { compare("croner"); }

TEST(Golden, EveryDifferenceHasAReason) {
  for (const auto& [key, value] : differences()) EXPECT_FALSE(value[0].empty()) << key[1];
}

}  // namespace
}  // namespace cronally::cron
