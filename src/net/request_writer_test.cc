#include "net/request_writer.h"

#include <gtest/gtest.h>

namespace cronally::net {
namespace {

std::string written(const HttpRequest& request, std::string_view user_agent = "") {
  const auto wire = write_request(request, "h:1", "/p?q", user_agent);
  return wire ? *wire : wire.error().code;
}

TEST(RequestWriter, WritesWhatItIsGivenAndFramesIt) {
  EXPECT_EQ(written({.headers = {{"X-A", "b"}, {"X-Empty", ""}}, .body = "hi"}, "u"),
            "POST /p?q HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\nX-A: b\r\nX-Empty:\r\n"
            "User-Agent: u\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(written({.method = "GET"}), "GET /p?q HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\n\r\n");
}

TEST(RequestWriter, TheRequestsOwnFieldsReplaceOurs) {
  EXPECT_EQ(written({.method = "GET",
                     .headers = {{"accept", "a/b"}, {"HOST", "other"}, {"user-Agent", "mine"}}},
                    "u"),
            "GET /p?q HTTP/1.1\r\nHost: other\r\naccept: a/b\r\nuser-Agent: mine\r\n\r\n");
}

TEST(RequestWriter, WhatFramesTheMessageIsOursAlone) {
  EXPECT_EQ(written({.headers = {{"Content-Length", "9"},
                                 {"transfer-encoding", "chunked"},
                                 {"Connection", "close"},
                                 {"Expect", "100-continue"}},
                     .body = "hi"}),
            "POST /p?q HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\nContent-Length: 2\r\n\r\nhi");
}

TEST(RequestWriter, NothingCanSplitARequest) {
  for (const HttpRequest& request : {
           HttpRequest{.method = ""},
           HttpRequest{.method = "GET /\r\n"},
           HttpRequest{.headers = {{"", "b"}}},
           HttpRequest{.headers = {{"A:", "b"}}},
           HttpRequest{.headers = {{"A b", "c"}}},
           HttpRequest{.headers = {{"A", "b\r\nC: d"}}},
           HttpRequest{.headers = {{"A", "b\n"}}},
           HttpRequest{.headers = {{"A", std::string{"b\0c", 3}}}},
           HttpRequest{.headers = {{"Host", "h\r\n"}}},
           HttpRequest{.headers = {{"Content-Length", "1\r\nC: d"}}},
       }) {
    EXPECT_EQ(written(request), "malformed");
  }
}

}  // namespace
}  // namespace cronally::net
