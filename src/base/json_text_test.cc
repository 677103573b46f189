#include "base/json_text.h"

#include <gtest/gtest.h>

namespace cronally {
namespace {

TEST(JsonText, EscapesWhatAStringMayNotHold) {
  struct Row {
    std::string_view plain, escaped;
  };
  for (const Row& row : {
           Row{"", ""},
           Row{"plain", "plain"},
           Row{"say \"hi\"", "say \\\"hi\\\""},
           Row{"a\\b", "a\\\\b"},
           Row{"1\n2\r3\t4", "1\\n2\\r3\\t4"},
           Row{"\x01\x1f\x7f", "\\u0001\\u001f\\u007f"},
           Row{"ü€😀", "ü€😀"},
           // Not UTF-8: a lone byte, overlong, surrogate, above U+10FFFF, cut off.
           Row{"a\xff", "a\\ufffd"},
           Row{"\xc0\xaf", "\\ufffd\\ufffd"},
           Row{"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
           Row{"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
           Row{"\xe2\x82", "\\ufffd\\ufffd"},
       }) {
    EXPECT_EQ(json_escape(row.plain), row.escaped);
  }
  EXPECT_EQ(json_quote("a\"b"), "\"a\\\"b\"");
}

}  // namespace
}  // namespace cronally
