#include "cli/table.h"

#include <gtest/gtest.h>

#include <map>

namespace cronally::cli {
namespace {

Env env_of(std::map<std::string, std::string> variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtTheEnd) {
  EXPECT_EQ(format_table({{"NAME"}, {"N", true}, {"NOTE"}},
                         {{"a", "1", ""}, {"longer", "1000", "x"}}, false),
            "NAME       N  NOTE\n"
            "a          1\n"
            "longer  1000  x\n");
}

TEST(Table, WithoutRowsIsEmpty) { EXPECT_EQ(format_table({{"NAME"}}, {}, false), ""); }

TEST(Table, AlignsByWhatATerminalShowsAndNotByBytes) {
  EXPECT_EQ(format_table({{"A"}, {"B"}}, {{"čaka", "1"}, {"日本", "2"}, {"abcde", "3"}}, false),
            "A      B\n"
            "čaka   1\n"
            "日本   2\n"
            "abcde  3\n");
}

TEST(Table, AlignsTheSameWithColours) {
  EXPECT_EQ(format_table({{"A"}, {"B"}}, {{{"ok", Colour::green}, "1"}, {"long", "2"}}, true),
            "\033[1mA\033[0m     \033[1mB\033[0m\n"
            "\033[32mok\033[0m    1\n"
            "long  2\n");
}

TEST(Table, FactsStandInTwoColumns) {
  EXPECT_EQ(format_facts({{"name", "x"}, {"schedule", "@never"}, {"note", ""}}, false),
            "name      x\n"
            "schedule  @never\n"
            "note\n");
}

TEST(Printable, LetsNothingFromElsewhereSteerTheTerminal) {
  EXPECT_EQ(printable("plain, žluťoučký 日本"), "plain, žluťoučký 日本");
  EXPECT_EQ(printable("\033[31mred"), "\\x1b[31mred");
  EXPECT_EQ(printable("a\r\nb\t\a"), "a\\x0d\\x0ab\\x09\\x07");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // C1: an escape in one character
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // turns the reading direction
  EXPECT_EQ(printable("\xff\xc0\x80"), "\\xff\\xc0\\x80");  // not UTF-8
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");           // cut off
}

TEST(Printable, FirstLineIsCutBetweenCharacters) {
  EXPECT_EQ(first_line("ok\nmore", 10), "ok");
  EXPECT_EQ(first_line("ok\r\n", 10), "ok");
  EXPECT_EQ(first_line("0123456789", 10), "0123456789");
  EXPECT_EQ(first_line("0123456789a", 10), "0123456...");
  EXPECT_EQ(first_line("日本日本日本", 10), "日本日...");
}

TEST(Colour, IsForTerminalsUnlessSaidOtherwise) {
  struct Row {
    bool flag, terminal;
    std::map<std::string, std::string> env;
    bool colour;
  };
  const std::vector<Row> rows{
      {false, true, {}, true},
      {false, false, {}, false},
      {false, true, {{"TERM", "dumb"}}, false},
      {false, true, {{"NO_COLOR", "1"}}, false},
      {false, true, {{"NO_COLOR", ""}}, true},
      {false, true, {{"CRONALLY_NO_COLOR", "yes"}}, false},
      {true, true, {}, false},
      {false, false, {{"FORCE_COLOR", "1"}}, true},
      {true, false, {{"FORCE_COLOR", "1"}}, false},
      {false, true, {{"FORCE_COLOR", "1"}, {"NO_COLOR", "1"}}, false},
  };
  for (const Row& row : rows)
    EXPECT_EQ(use_colour(row.flag, row.terminal, env_of(row.env)), row.colour)
        << &row - rows.data();
}

}  // namespace
}  // namespace cronally::cli
