// Which connection a request takes, and when one is used again.
#include <fmt/format.h>

#include <atomic>

#include "net/http_client_fixture_test.h"

namespace cronally::net {
namespace {

// RFC 9112 §9.3.1 lets a client repeat on its own what it believes idempotent; this one never does.
TEST(HttpClient, AReusedConnectionThatReadsAndClosesGetsTheAttemptOnce) {
  std::atomic<int> requests = 0;
  RawListener listener{[&](RawSocket socket, int) {
    for (int i = 0; !read_request(socket).empty(); ++i) {
      ++requests;
      if (i == 1) return;  // the second request of a connection: read, then close
      socket.send(ok);
    }
  }};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url(), .body = "1"}).fate, Fate::answered);
  const HttpResult result = sending.exchange({.url = listener.url(), .body = "2"});
  EXPECT_EQ(result.fate, Fate::unknown);
  EXPECT_EQ(result.error, "the connection closed before an answer came");
  EXPECT_TRUE(result.first_byte_at);
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(sending.exchange({.url = listener.url(), .body = "3"}).fate, Fate::answered);
}

TEST(HttpClient, AFreshConnectionIsNeverAReusedOne) {
  RawListener listener{answering(std::string{ok})};
  Sending sending;
  for (int i = 0; i < 3; ++i) {
    const HttpResult result = sending.exchange({.url = listener.url(), .fresh_connection = true});
    EXPECT_EQ(result.fate, Fate::answered);
  }
  EXPECT_EQ(listener.accepted(), 3);
}

TEST(HttpClient, AnIdleConnectionThatClosedIsNoticedBeforeItIsUsed) {
  RawListener listener{[&](RawSocket socket, int) {
    read_request(socket);
    socket.send(ok);
  }};
  Sending sending;
  for (int i = 0; i < 5; ++i) {
    HttpResult result = sending.exchange({.url = listener.url()});
    // The close may be on its way while the next request leaves: then its fate is unknown.
    if (result.fate != Fate::answered) EXPECT_EQ(result.fate, Fate::unknown);
    EXPECT_LE(listener.accepted(), i + 1);
  }
}

TEST(HttpClient, AConnectionWhoseMessagesDoNotEndCleanlyIsNotUsedAgain) {
  struct Row {
    std::string_view hazard;
    std::string answer;
    int accepted;  // by two requests
  };
  for (const Row& row : {
           Row{"kept alive", std::string{ok}, 1},
           Row{"the receiver closes it",
               "HTTP/1.1 200 OK\r\nConnection: close\r\n"
               "Content-Length: 0\r\n\r\n",
               2},
           Row{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 2},
           Row{"bytes behind the answer", std::string{ok} + "HTTP/1.1 500 No\r\n\r\n", 2},
           Row{"a length beside a coding",
               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
               "0\r\n\r\n",
               2},
       }) {
    RawListener listener{answering(row.answer)};
    Sending sending;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(sending.exchange({.url = listener.url()}).status, 200) << row.hazard;
    }
    EXPECT_EQ(listener.accepted(), row.accepted) << row.hazard;
  }
}

TEST(HttpClient, WhatComesOnAnIdleConnectionIsNoAnswer) {
  std::atomic<int> unasked = 0;
  RawListener listener{[&](RawSocket socket, int number) {
    read_request(socket);
    socket.send(ok);
    if (number > 0) return;
    socket.send("HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n");
    bool closed = false;
    socket.read_all(&closed);
    unasked += closed ? 1 : 0;
  }};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url()}).status, 200);
  while (unasked == 0) std::this_thread::yield();  // closed by the client
  EXPECT_EQ(sending.exchange({.url = listener.url()}).status, 200);
}

TEST(HttpClient, RequestsBeyondTheBoundWaitForAConnection) {
  RawListener listener{answering(std::string{ok})};
  RawListener other{answering(std::string{ok})};
  Sending sending{{.connections_max = 2}};
  for (int i = 0; i < 100; ++i) sending.submit({.url = listener.url()});
  for (std::uint64_t tag = 0; tag < 100; ++tag) {
    EXPECT_EQ(sending.wait(tag).fate, Fate::answered);
  }
  EXPECT_EQ(listener.accepted(), 2);
  EXPECT_EQ(sending.exchange({.url = other.url()}).fate, Fate::answered)
      << "an idle connection makes room";
  EXPECT_EQ(sending.client.stats().connections, 3u);
}

TEST(HttpClient, WaitingForAConnectionEndsWithTheTime) {
  RawListener silent{[](RawSocket socket, int) { socket.read_all(); }};
  Sending sending{{.connections_max = 1}};
  sending.submit({.url = silent.url(), .timeout = 300ms});
  const HttpResult waited = sending.exchange({.url = silent.url(), .timeout = 30ms});
  EXPECT_EQ(waited.fate, Fate::not_sent);
  EXPECT_EQ(waited.error, "timed out after 30 ms, before anything was sent");
  EXPECT_EQ(sending.wait(0).fate, Fate::unknown);
}

TEST(HttpClient, AnIdleConnectionBeyondTheBoundIsClosed) {
  RawListener listener{[](RawSocket socket, int) {
    while (!read_request(socket).empty()) socket.send(ok);
  }};
  RawListener other{answering(std::string{ok})};
  Sending sending{{.idle_connections_max = 1}};
  for (const RawListener* each : {&listener, &other, &listener, &other}) {
    EXPECT_EQ(sending.exchange({.url = each->url()}).fate, Fate::answered);
  }
  EXPECT_EQ(sending.client.stats().connections, 4u);
}

TEST(HttpClient, TriesTheNextAddressOfALocalhostThatListensOnOne) {
  RawListener listener{answering(std::string{ok})};  // on 127.0.0.1, not on ::1
  Sending sending;
  const HttpResult result =
      sending.exchange({.url = fmt::format("http://localhost:{}/", listener.port())});
  EXPECT_EQ(result.fate, Fate::answered) << result.error;
}

}  // namespace
}  // namespace cronally::net
