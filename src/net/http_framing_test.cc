#include "net/http_framing.h"

#include <gtest/gtest.h>

namespace cronally::net {
namespace {

TEST(HttpFraming, TakesAbsoluteTargetsApart) {
  struct Row {
    std::string_view target, origin;
  };
  for (const Row& row : {
           Row{"/a?b", "/a?b"}, Row{"*", "*"}, Row{"http://h/a?b", "/a?b"},
           Row{"HTTPS://h:1/", "/"}, Row{"http://h", "/"}, Row{"//h/a", "//h/a"},
           Row{"http://h?/x", "?/x"},  // refused: it does not begin with /
       }) {
    EXPECT_EQ(origin_form(row.target), row.origin);
  }
}

TEST(HttpFraming, NoHandlerCanSplitAnAnswer) {
  const Response response{.headers = {{"Location", "/a\r\nSet-Cookie: x"}, {"Content-Length", "9"}},
                          .body = "ab"};
  const std::string head = answer_head(response, {}, Instant{});
  EXPECT_NE(head.find("Location: /aSet-Cookie: x\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("Content-Length: 2\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Content-Length: 9"), std::string::npos);
}

TEST(HttpFraming, AProblemIsJsonWhateverItsDetail) {
  const Response response = problem(404, "not_found", "no job \"a\\b\"\n");
  EXPECT_EQ(response.body,
            R"({"type":"about:blank","title":"Not Found","status":404,"code":"not_found",)"
            R"("detail":"no job \"a\\b\"\n"})");
  EXPECT_EQ(response.headers.find("content-type"), "application/problem+json");
}

}  // namespace
}  // namespace cronally::net
