#include "base/percent.h"

#include <gtest/gtest.h>

namespace cronally {
namespace {

TEST(Percent, EncodesAllButUnreservedCharacters) {
  struct Row {
    std::string_view plain, encoded;
  };
  for (const Row& row : {
           Row{"", ""},
           Row{"AZaz09-._~", "AZaz09-._~"},
           Row{"a b/ü", "a%20b%2F%C3%BC"},
           Row{"100%", "100%25"},
           Row{"a+b&c=d?e#f", "a%2Bb%26c%3Dd%3Fe%23f"},
           Row{"\r\n", "%0D%0A"},
       }) {
    EXPECT_EQ(percent_encode(row.plain), row.encoded);
    EXPECT_EQ(percent_decode(row.encoded), row.plain);
  }
}

TEST(Percent, DecodesLowerCaseAndKeepsPlus) { EXPECT_EQ(percent_decode("%c3%bc+x"), "ü+x"); }

TEST(Percent, RefusesABrokenEscape) {
  for (std::string_view text : {"%", "a%", "%4", "%4g", "%zz", "%%41", "% 1"}) {
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
  }
}

TEST(FormEncode, WritesPairsInTheirOrder) {
  const std::pair<std::string, std::string> fields[] = {{"b c", "x&y=1"}, {"a", ""}, {"a", "+"}};
  EXPECT_EQ(form_encode(fields), "b%20c=x%26y%3D1&a=&a=%2B");
  EXPECT_EQ(form_encode({}), "");
}

}  // namespace
}  // namespace cronally
