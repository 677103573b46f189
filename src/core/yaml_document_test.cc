#include "core/yaml_document.h"

#include <gtest/gtest.h>

#include <string>

namespace cronally::core {
namespace {

namespace json = boost::json;

std::string value_of(const std::string& text) {
  const YamlFile file = read_yaml("v: " + text + "\n");
  if (!file.faults.empty()) return "fault: " + file.faults[0].detail;
  return json::serialize(file.documents.at(0).value.at("v"));
}

// "line:column detail" of every fault, one a line.
std::string faults_of(const std::string& text) {
  std::string said;
  for (const YamlFault& fault : read_yaml(text).faults)
    said += std::to_string(fault.place.line) + ":" + std::to_string(fault.place.column) + " " +
            fault.detail + "\n";
  return said;
}

TEST(YamlDocument, PlainScalarsAreWhatTheyLookLike) {
  const std::pair<const char*, const char*> rows[] = {
      {"true", "true"},  {"False", "false"},
      {"null", "null"},  {"~", "null"},
      {"", "null"},      {"0", "0"},
      {"12", "12"},      {"-7", "-7"},
      {"+3", "3"},       {"9223372036854775807", "9223372036854775807"},
      {"1.5", "1.5E0"},  {"1e3", "1E3"},
      {"1e308", "1E308"}};
  for (const auto& [text, wanted] : rows) EXPECT_EQ(value_of(text), wanted) << text;
}

TEST(YamlDocument, WhatOldYamlWouldTwistIsAText) {
  for (const char* text : {"yes",
                           "no",
                           "on",
                           "off",
                           "y",
                           "12:30",
                           "1:30:00",
                           "2026-01-01",
                           "010",
                           "0o10",
                           "0x1F",
                           "1_000",
                           ".5",
                           "1.",
                           ".inf",
                           ".nan",
                           "1e400",
                           "0 9 * * *",
                           "9223372036854775808",
                           "@every 1s",
                           "-",
                           "5m"})
    if (std::string_view(text).starts_with('@') || std::string_view(text) == "-")
      EXPECT_TRUE(value_of(text).starts_with("fault: not YAML: ")) << text;
    else
      EXPECT_EQ(value_of(text), json::serialize(json::string(text))) << text;
}

TEST(YamlDocument, QuotedScalarsAreTexts) {
  EXPECT_EQ(value_of("\"true\""), "\"true\"");
  EXPECT_EQ(value_of("'12'"), "\"12\"");
  EXPECT_EQ(value_of("'@every 1s'"), "\"@every 1s\"");
  EXPECT_EQ(value_of("\"\\x01\\u00e9\\U0001F600\""), "\"\\u0001\u00e9\U0001F600\"");
  EXPECT_EQ(value_of("|\n  one\n  two\n"), "\"one\\ntwo\\n\"");
  EXPECT_EQ(value_of(">-\n  one\n  two\n"), "\"one two\"");
}

TEST(YamlDocument, DocumentsArePartedAndEmptyOnesLeftOut) {
  const YamlFile file = read_yaml(
      "\xEF\xBB\xBF# a file\n%YAML 1.2\n---\na: 1\n--- # nothing\n---\n...\n%YAML 1.1\n--- {a: 2}\n"
      "--- |\n  text\n...\n# the end\n");
  EXPECT_TRUE(file.faults.empty()) << file.faults[0].detail;
  ASSERT_EQ(file.documents.size(), 3u);
  EXPECT_EQ(json::serialize(file.documents[0].value), "{\"a\":1}");
  EXPECT_EQ(file.documents[1].place_of("/a"), (YamlPlace{9, 6}));
  EXPECT_EQ(json::serialize(file.documents[2].value), "\"text\\n\"");
  EXPECT_TRUE(read_yaml("").documents.empty());
  EXPECT_TRUE(read_yaml("---\n---\r\n...\n").documents.empty());
}

TEST(YamlDocument, EachPointerHasItsPlace) {
  const YamlFile file = read_yaml(
      "kind: job\ntarget:\n  url: http://h/\n  headers: {A/B: x, \"\u00e9~\": y}\nlist:\n- 1\n-   "
      "b: 2\n");
  ASSERT_EQ(file.documents.size(), 1u);
  const YamlDocument& document = file.documents[0];
  const std::pair<const char*, YamlPlace> rows[] = {{"", {1, 1}},
                                                    {"/kind", {1, 1}},
                                                    {"/target", {2, 1}},
                                                    {"/target/url", {3, 3}},
                                                    {"/target/headers/A~1B", {4, 13}},
                                                    {"/target/headers/\u00e9~0", {4, 21}},
                                                    {"/list/1", {7, 5}},
                                                    {"/list/1/b", {7, 5}},
                                                    {"/target/missing", {2, 1}},
                                                    {"/target/url/x", {3, 3}},
                                                    {"/list/7", {5, 1}},
                                                    {"/missing", {1, 1}}};
  for (const auto& [pointer, wanted] : rows) {
    const YamlPlace place = document.place_of(pointer);
    EXPECT_EQ(place, wanted) << pointer << " " << place.line << ":" << place.column;
  }
}

TEST(YamlDocument, FaultsHaveTheirPlaces) {
  const std::pair<std::string, std::string> rows[] = {
      {"a: 1\nb: 2\na: 3\n", "3:1 'a' stands twice; it is on line 1 already\n"},
      {"t:\n  x: 1\n  x: {y: 1, y: 2}\n",
       "3:3 'x' stands twice; it is on line 2 already\n"
       "3:13 'y' stands twice; it is on line 3 already\n"},
      {"a: &x 1\n", "1:4 anchors (&) are not read here; write the value out in each place\n"},
      {"a: *x\n", "1:4 not YAML: the referenced anchor is not defined\n"},
      {"a: !!python/object:os.system x\n",
       "1:4 tags (!) are not read here; leave it out, the field knows its type\n"},
      {"? [a]\n: 1\n", "1:3 the name of a field must be a text\n"},
      {"~: 1\n", "1:1 the name of a field must be a text\n"},
      {"%TAG ! x\n---\na: 1\n", "1:1 directives are not read here; leave the line out\n"},
      {"a: \x01\n",
       "1:4 readers of YAML differ about the character here; write it as \\u0001, in a text in "
       "double quotes\n"},
      {"a: 1\nb: \xFF\n", "2:4 the file is not UTF-8 here; save it as UTF-8\n"}};
  for (const auto& [text, wanted] : rows) EXPECT_EQ(faults_of(text), wanted) << text;
}

TEST(YamlDocument, AFaultHidesNoOtherDocument) {
  const YamlFile file = read_yaml("a: [1\n---\na: 1\n---\nb: }\n---\na: 1\na: 2\n");
  EXPECT_EQ(file.documents.size(), 1u);
  ASSERT_EQ(file.faults.size(), 3u);
  EXPECT_EQ(file.faults[1].place, (YamlPlace{5, 4}));
  EXPECT_EQ(file.faults[2].place, (YamlPlace{8, 1}));
}

TEST(YamlDocument, MoreBehindTheEndIsAFault) {
  EXPECT_NE(faults_of("{a: 1}\n{b: 2}\n"), "");
  EXPECT_NE(faults_of("a: 1\n]\n"), "");
  EXPECT_NE(faults_of("'a' &x b\n"), "");
}

TEST(YamlDocument, LimitsHoldForEachDocument) {
  const auto nested = [](std::size_t depth) {
    return "v: " + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "\n";
  };
  EXPECT_EQ(faults_of(nested(yaml_depth_max)), "");
  EXPECT_EQ(faults_of(nested(yaml_depth_max + 1)),
            "1:35 the document is nested more than 32 deep\n");
  EXPECT_EQ(faults_of(std::string(100'000, '[')),
            "1:33 the document is nested more than 32 deep\n");
  std::string many = "v: [";
  for (std::size_t i = 0; i < yaml_nodes_max; ++i) many += "1,";
  EXPECT_TRUE(faults_of(many + "]\n").ends_with("the document has more than 50000 values\n"));
  const std::string large = "v: " + std::string(yaml_document_bytes_max, 'x') + "\n";
  EXPECT_EQ(faults_of("a: 1\n---\n" + large), "2:1 the document has more than 1048576 bytes\n");
  const std::string half = "v: " + std::string(yaml_document_bytes_max / 2, 'x') + "\n---\n";
  EXPECT_EQ(faults_of(half + half + half), "");
}

TEST(YamlDocument, LimitsHoldForAFile) {
  EXPECT_EQ(faults_of(std::string(yaml_file_bytes_max + 1, '\n')),
            "1:1 the file has more than 67108864 bytes\n");
  EXPECT_EQ(faults_of(std::string(yaml_file_bytes_max, '\n')), "");
}

TEST(YamlDocument, BillionLaughsAreRefusedAtTheFirst) {
  EXPECT_EQ(faults_of("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
            "1:4 anchors (&) are not read here; write the value out in each place\n");
}

// Each fills a document; what they cost is bench/yaml_bench.
TEST(YamlDocument, HostileDocumentsAreRefusedWhereTheyBegin) {
  const auto full = [](std::string_view part, std::string text) {
    while (text.size() + part.size() <= yaml_document_bytes_max) text += part;
    return text;
  };
  const std::pair<std::string, std::string> rows[] = {
      {full("[", ""), "1:33 the document is nested more than 32 deep\n"},
      {full("[\n", "v: "), "32:1 the document is nested more than 32 deep\n"},
      {full("{a: ", ""), "1:129 the document is nested more than 32 deep\n"},
      {full("- ", ""), "1:65 the document is nested more than 32 deep\n"},
      {full("{", ""), "1:2 the name of a field must be a text\n"},
      {full("? ", ""), "1:3 the name of a field must be a text\n"},
      {full("a: ", ""), "1:5 not YAML: mapping values are not allowed in this context\n"},
      {full("*a, ", "v: ["), "1:5 not YAML: the referenced anchor is not defined\n"},
      {full("&a ", "v: "),
       "1:4 anchors (&) are not read here; write the value out in each place\n"},
      {full("!a ", "v: "),
       "1:4 tags (!) are not read here; leave it out, the field knows its type\n"},
      {full("\nx", "a: 1\nv: \""),
       "524285:2 not YAML: found unexpected end of stream while scanning a quoted scalar that "
       "begins on line 2\n"}};
  for (const auto& [text, wanted] : rows) EXPECT_EQ(faults_of(text), wanted) << text.substr(0, 20);
}

TEST(YamlDocument, AForgottenQuoteIsNamed) {
  EXPECT_EQ(faults_of("name: x\nschedule: */5 * * * *\n"),
            "2:11 not YAML: a text that begins with * needs quotes\n");
  EXPECT_EQ(faults_of("name: x\nschedule: @every 5m\n"),
            "2:11 not YAML: a text that begins with this character needs quotes\n");
}

TEST(YamlDocument, CharactersThatReadersDifferAboutAreWrittenAsEscapes) {
  const std::pair<std::string, std::string> rows[] = {
      {"\x7F", "\\u007F"},   {"\u0080", "\\u0080"}, {"\u0085", "\\u0085"}, {"\u009F", "\\u009F"},
      {"\u2028", "\\u2028"}, {"\u2029", "\\u2029"}, {"\uFEFF", "\\uFEFF"}, {"\uFFFF", "\\uFFFF"}};
  for (const auto& [character, escape] : rows) {
    EXPECT_EQ(yaml_escape(character), escape);
    EXPECT_EQ(faults_of("a: 1\nb: 'x" + character + "'\n"),
              "2:6 readers of YAML differ about the character here; write it as " + escape +
                  ", in a text in double quotes\n");
    EXPECT_EQ(value_of("\"" + escape + "\""), json::serialize(json::string(character)));
  }
  for (const char* plain :
       {"a", "\t", "\u00A0", "\u2027", "\u202A", "\uFEFE", "\uFFFD", "\U0001F600"})
    EXPECT_FALSE(yaml_escape(plain)) << plain;
  EXPECT_EQ(value_of("\"\\N\\_\""), json::serialize(json::string("\u0085\u00A0")));
}

}  // namespace
}  // namespace cronally::core
