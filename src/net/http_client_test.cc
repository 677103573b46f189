#include "net/http_client.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <future>
#include <latch>

#include "net/http_client_fixture_test.h"

namespace cronally::net {
namespace {

TEST(HttpClient, SendsWhatItWasGivenAndNothingElse) {
  struct Row {
    HttpRequest request;
    std::string_view sent;
  };
  std::mutex mutex;
  std::string seen;
  RawListener listener{[&](RawSocket socket, int) {
    for (;;) {
      std::string request = read_request(socket);
      if (request.empty()) return;
      {
        std::lock_guard lock{mutex};
        seen = std::move(request);
      }
      socket.send("HTTP/1.1 204 No Content\r\n\r\n");
    }
  }};
  const std::string host = fmt::format("Host: 127.0.0.1:{}\r\n", listener.port());
  Sending sending;
  for (const Row& row : std::vector<Row>{
           {{.headers = {{"X-A", "b"}}, .body = "hi"},
            "POST /p HTTP/1.1\r\n{}Accept: */*\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi"},
           {{.method = "GET"}, "GET /p HTTP/1.1\r\n{}Accept: */*\r\n\r\n"},
           {{.method = "GET", .body = "q"},
            "GET /p HTTP/1.1\r\n{}Accept: */*\r\nContent-Length: 1\r\n\r\nq"},
           {{.method = "PUT"}, "PUT /p HTTP/1.1\r\n{}Accept: */*\r\nContent-Length: 0\r\n\r\n"},
           {{.method = "DELETE"}, "DELETE /p HTTP/1.1\r\n{}Accept: */*\r\n\r\n"},
           {{.headers = {{"X-Empty", ""}, {"Content-Type", "a/b"}, {"User-Agent", "u"}},
             .body = std::string(2000, 'x')},
            "POST /p HTTP/1.1\r\n{}Accept: */*\r\nX-Empty:\r\nContent-Type: a/b\r\n"
            "User-Agent: u\r\nContent-Length: 2000\r\n\r\n"},
           {{.method = "HEAD"}, "HEAD /p HTTP/1.1\r\n{}Accept: */*\r\n\r\n"},
           {{}, "POST /p HTTP/1.1\r\n{}Accept: */*\r\nContent-Length: 0\r\n\r\n"},
       }) {
    HttpRequest request = row.request;
    request.url = listener.url("/p");
    const HttpResult result = sending.exchange(request);
    EXPECT_EQ(result.fate, Fate::answered) << result.error;
    EXPECT_EQ(result.status, 204);
    std::lock_guard lock{mutex};
    std::string expected = fmt::format(fmt::runtime(row.sent), host);
    if (request.body.size() > 100) expected += request.body;
    EXPECT_EQ(seen, expected);
  }
  EXPECT_EQ(listener.accepted(), 1) << "kept alive";
}

TEST(HttpClient, LeavesUrlsAsTheyAreWritten) {
  std::string seen;
  RawListener listener{[&](RawSocket socket, int) {
    seen = read_request(socket);
    socket.send(ok);
    read_request(socket);
  }};
  Sending sending;
  sending.exchange({.method = "GET", .url = listener.url("/a/../b//c%2B%2f?x=%2B+y&z=..")});
  EXPECT_TRUE(seen.starts_with("GET /a/../b//c%2B%2f?x=%2B+y&z=.. HTTP/1.1\r\n")) << seen;
}

TEST(HttpClient, TellsWhenTheFirstByteLeftAndWhenItEnded) {
  RawListener listener{answering(std::string{ok})};
  Sending sending;
  const Instant before = sending.clock.wall();
  const HttpResult result = sending.exchange({.url = listener.url()});
  const Instant after = sending.clock.wall();
  ASSERT_TRUE(result.first_byte_at);
  EXPECT_LE(before, *result.first_byte_at);
  EXPECT_LE(*result.first_byte_at, result.ended_at);
  EXPECT_LE(result.ended_at, after);
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, "ok");
  EXPECT_EQ(result.error, "");
}

TEST(HttpClient, DoesNotFollowRedirects) {
  RawListener listener{
      answering("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url()}).status, 302);
  EXPECT_EQ(listener.accepted(), 1);
}

TEST(HttpClient, IgnoresProxyVariables) {
  RawListener listener{answering(std::string{ok})};
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url()}).status, 200);
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
}

TEST(HttpClient, AnAnswerWithoutAStatusIsNone) {
  RawListener listener{answering("HTTP/200 OK\r\n\r\nuntil the end")};
  Sending sending;
  const HttpResult result = sending.exchange({.url = listener.url()});
  EXPECT_EQ(result.fate, Fate::unknown);
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.error, "the answer has no status: it is not HTTP");
}

TEST(HttpClient, AnAnswerThatBeginsWithAFoldedLineHarmsNobody) {
  RawListener listener{[](RawSocket socket, int number) {
    read_request(socket);
    // The second one writes into the first one's header; AddressSanitizer sees it.
    socket.send(number == 0 ? "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
                            : "HTTP/1.0 400\r\n the: x\r\n\r\n");
  }};
  Sending sending;
  for (int i = 0; i < 3; ++i) {
    const HttpResult result = sending.exchange({.url = listener.url(), .fresh_connection = true});
    EXPECT_TRUE(i > 0 || result.fate == Fate::answered);
  }
}

TEST(HttpClient, ReadsRetryAfterAsADate) {
  RawListener listener{
      answering("HTTP/1.1 503 Busy\r\nRetry-After: Sun, 06 Nov 2095 08:49:37 "
                "GMT\r\nContent-Length: 0\r\n\r\n")};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url()}).retry_after, Duration{24h * 365})
      << "capped at a year";
}

TEST(HttpClient, ReadsRetryAfterOfThisAnswerOnly) {
  RawListener listener{[](RawSocket socket, int) {
    for (const char* field :
         {"Retry-After: 7\r\n", "", "Retry-After: soon\r\n", "Retry-After: 9\r\n"}) {
      if (read_request(socket).empty()) return;
      socket.send(fmt::format("HTTP/1.1 503 Busy\r\n{}Content-Length: 0\r\n\r\n", field));
    }
  }};
  Sending sending;
  for (const std::optional<Duration> expected :
       std::vector<std::optional<Duration>>{7s, std::nullopt, std::nullopt, 9s}) {
    EXPECT_EQ(sending.exchange({.url = listener.url()}).retry_after, expected);
  }
}

// ---- Fate: each way in which an exchange can end ------------------------------------------------

TEST(HttpClient, ToldFateIsHonest) {
  struct Row {
    std::string_view hazard;
    std::string answer;  // then the connection closes
    Fate fate;
    int status;
  };
  Sending sending;
  for (const Row& row : {
           Row{"whole", std::string{ok}, Fate::answered, 200},
           Row{"until close", "HTTP/1.1 500 No\r\n\r\nall of it", Fate::answered, 500},
           Row{"interim answers", "HTTP/1.1 103 Early\r\n\r\n" + std::string{ok}, Fate::answered,
               200},
           Row{"closed", "", Fate::unknown, 0},
           Row{"half a status line", "HTTP/1.", Fate::unknown, 0},
           Row{"half a header", "HTTP/1.1 200 OK\r\nContent-Le", Fate::unknown, 0},
           Row{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Fate::unknown, 0},
           Row{"half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
               Fate::unknown, 0},
           Row{"broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
               Fate::unknown, 0},
           Row{"garbage", "\x01\x02 not HTTP \xff\r\n\r\n", Fate::unknown, 0},
           Row{"HTTP/0.9", "<html>hello</html>", Fate::unknown, 0},
           Row{"only an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", Fate::unknown, 0},
           Row{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: x\r\n\r\nok",
               Fate::unknown, 0},
       }) {
    RawListener listener{[&](RawSocket socket, int) {
      read_request(socket);
      socket.send(row.answer);
    }};
    const HttpResult result = sending.exchange({.url = listener.url(), .body = "x"});
    EXPECT_EQ(result.fate, row.fate) << row.hazard << ": " << result.error;
    EXPECT_EQ(result.status, row.status) << row.hazard;
    EXPECT_EQ(result.error.empty(), row.fate == Fate::answered) << row.hazard;
    EXPECT_TRUE(result.first_byte_at) << row.hazard;
    EXPECT_EQ(listener.accepted(), 1) << row.hazard;
  }
}

TEST(HttpClient, AResetIsUnknown) {
  RawListener listener{[](RawSocket socket, int) {
    read_request(socket);
    socket.reset();
  }};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url()}).fate, Fate::unknown);
}

TEST(HttpClient, WhatNeverLeftIsNotSent) {
  struct Row {
    std::string_view hazard;
    HttpRequest request;
  };
  std::uint16_t closed_port = 0;
  {
    RawListener gone{[](RawSocket, int) {}};
    closed_port = gone.port();
  }
  RawListener not_tls{[](RawSocket socket, int) { socket.send("hello\r\n"); }};
  Sending sending;
  for (const Row& row : {
           Row{"nobody listens", {.url = fmt::format("http://127.0.0.1:{}/", closed_port)}},
           Row{"no such host", {.url = "http://cronally.invalid/"}},
           Row{"no TLS", {.url = fmt::format("https://127.0.0.1:{}/", not_tls.port())}},
           Row{"other scheme", {.url = "ftp://127.0.0.1/"}},
           Row{"file", {.url = "file:///etc/passwd"}},
           Row{"user in the URL", {.url = "http://a:b@127.0.0.1/"}},
           Row{"not a URL", {.url = "http://[::1/"}},
           Row{"empty", {.url = ""}},
           Row{"line break in the URL", {.url = "http://127.0.0.1/\r\nX: y"}},
           Row{"line break in a header", {.url = not_tls.url(), .headers = {{"A", "b\r\nC: d"}}}},
           Row{"blank in a header's name", {.url = not_tls.url(), .headers = {{"A b", "c"}}}},
           Row{"blank in the method", {.method = "A B", .url = not_tls.url()}},
       }) {
    const HttpResult result = sending.exchange(row.request);
    EXPECT_EQ(result.fate, Fate::not_sent) << row.hazard;
    EXPECT_NE(result.error, "") << row.hazard;
    EXPECT_EQ(result.error.find('\n'), std::string::npos) << row.hazard;
    EXPECT_FALSE(result.first_byte_at) << row.hazard;
    EXPECT_EQ(result.status, 0) << row.hazard;
  }
}

TEST(HttpClient, MetadataAddressesAreRefusedHoweverWritten) {
  Sending sending;
  for (const char* url :
       {"http://169.254.169.254/latest/", "http://0xa9fea9fe/", "http://2852039166/",
        "http://0251.0376.0251.0376/", "http://169.254.170.2/", "http://[::ffff:a9fe:a9fe]/",
        "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://[64:ff9b::a9fe:a9fe]/",
        "http://168.63.129.16/", "http://100.100.100.200/"}) {
    const HttpResult result = sending.exchange({.url = url});
    EXPECT_EQ(result.fate, Fate::not_sent) << url;
    EXPECT_NE(result.error.find("metadata"), std::string::npos) << url << ": " << result.error;
  }
  EXPECT_EQ(sending.client.stats().connections, 0u);
}

TEST(HttpClient, TimesOutWithoutAnAnswer) {
  RawListener listener{[](RawSocket socket, int) {
    read_request(socket);
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow");
    socket.read_all();
  }};
  Sending sending;
  const HttpResult result = sending.exchange({.url = listener.url(), .timeout = 30ms});
  EXPECT_EQ(result.fate, Fate::unknown);
  EXPECT_NE(result.error.find("timed out after 30 ms"), std::string::npos) << result.error;
}

TEST(HttpClient, TakesBackWhatItGivesUp) {
  std::promise<int> ended;
  std::latch given_up{1};
  RawListener listener{[&](RawSocket socket, int) {
    read_request(socket);
    given_up.wait();
    char byte{};
    ended.set_value(::recv(socket.descriptor(), &byte, 1, 0) < 0 ? errno : 0);
  }};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url(), .timeout = 30ms}).fate, Fate::unknown);
  given_up.count_down();
  EXPECT_EQ(ended.get_future().get(), ECONNRESET);
}

// ---- Large answers ------------------------------------------------------------------------------

TEST(HttpClient, KeepsTheFirst64KiBOfAnAnswer) {
  struct Row {
    std::size_t length, kept;
    bool truncated;
  };
  for (const Row& row : {
           Row{response_kept_max, response_kept_max, false},
           Row{response_kept_max + 1, response_kept_max, true},
           Row{response_read_max, response_kept_max, true},
       }) {
    RawListener listener{answering(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
                                               row.length, std::string(row.length, 'x')))};
    Sending sending;  // gone before the listener, which waits for its peers
    for (int i = 0; i < 2; ++i) {
      const HttpResult result = sending.exchange({.url = listener.url()});
      EXPECT_EQ(result.fate, Fate::answered);
      EXPECT_EQ(result.body.size(), row.kept);
      EXPECT_EQ(result.truncated, row.truncated);
    }
    EXPECT_EQ(listener.accepted(), 1) << "the connection stays good";
  }
}

TEST(HttpClient, CutsEndlessAnswers) {
  Sending sending;
  RawListener body{[](RawSocket socket, int) {
    read_request(socket);
    socket.send("HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 4000; ++i) socket.send(std::string(16 * 1024, 'x'));
  }};
  const HttpResult large = sending.exchange({.url = body.url()});
  EXPECT_EQ(large.fate, Fate::answered) << large.error;
  EXPECT_EQ(large.status, 200);
  EXPECT_TRUE(large.truncated);
  EXPECT_EQ(large.body.size(), response_kept_max);
  RawListener interim{[](RawSocket socket, int) {
    read_request(socket);
    for (int i = 0; i < 200'000; ++i) socket.send("HTTP/1.1 103 Early\r\nA: b\r\n\r\n");
  }};
  EXPECT_EQ(sending.exchange({.url = interim.url()}).fate, Fate::unknown);
}

// ---- The gate -------------------------------------------------------------------------------

TEST(HttpClient, AWithdrawnRequestNeverLeaves) {
  std::atomic<int> requests = 0;
  RawListener listener{[&](RawSocket socket, int) {
    while (!read_request(socket).empty()) {
      ++requests;
      socket.send(ok);
    }
  }};
  Sending sending;
  auto gate = std::make_shared<SendGate>();
  EXPECT_TRUE(gate->withdraw());
  const HttpResult result = sending.exchange({.url = listener.url()}, gate);
  EXPECT_EQ(result.fate, Fate::withdrawn);
  EXPECT_FALSE(result.first_byte_at);
  const HttpResult refused =
      sending.exchange({.url = listener.url(), .may_send = [] { return false; }});
  EXPECT_EQ(refused.fate, Fate::withdrawn);
  EXPECT_EQ(requests, 0);
}

TEST(HttpClient, AWithdrawnRequestEndsBeforeItsConnectionStands) {
  std::promise<void> over;
  RawListener listener{[end = over.get_future().share()](RawSocket, int) { end.wait(); }};
  Sending sending{{.connect_timeout = 60s, .connections_max = 1}};
  const std::string url = "https" + listener.url().substr(4);
  std::vector<std::shared_ptr<SendGate>> gates;  // one shakes hands, the other has no connection
  for (int i = 0; i < 2; ++i) {
    gates.push_back(std::make_shared<SendGate>());
    sending.submit({.url = url}, gates.back());
  }
  while (listener.accepted() == 0) std::this_thread::yield();
  for (const auto& gate : gates) EXPECT_TRUE(gate->withdraw());
  sending.client.end_withdrawn();
  for (const std::uint64_t tag : {0, 1}) {
    const HttpResult result = sending.wait(tag);
    EXPECT_EQ(result.fate, Fate::withdrawn);
    EXPECT_FALSE(result.first_byte_at);
  }
  over.set_value();
}

TEST(HttpClient, AfterTheFirstByteNothingIsWithdrawn) {
  auto gate = std::make_shared<SendGate>();
  bool withdrawn = true;
  RawListener listener{[&](RawSocket socket, int) {
    read_request(socket);
    withdrawn = gate->withdraw();
    socket.send(ok);
  }};
  Sending sending;
  EXPECT_EQ(sending.exchange({.url = listener.url()}, gate).fate, Fate::answered);
  EXPECT_FALSE(withdrawn);
  EXPECT_EQ(gate->state(), SendGate::State::started);
}

// Of the first one the kernel has what its receiver has not taken, of the second the client too.
TEST(HttpClient, WhatIsCutOffBeforeItsReceiverHasItArrivesNoMore) {
  for (const std::size_t size : {std::size_t{64} << 10, std::size_t{16} << 20}) {
    std::promise<std::size_t> arrived;
    RawListener listener{[&](RawSocket socket, int) {
                           EXPECT_TRUE(socket.await_reset());
                           arrived.set_value(socket.read_all().size());
                         },
                         4096};
    Sending sending;
    auto gate = std::make_shared<SendGate>();
    sending.submit({.url = listener.url(), .body = std::string(size, 'x')}, gate);
    while (gate->state() == SendGate::State::pending) std::this_thread::yield();
    gate->cut_off();
    sending.client.end_withdrawn();
    const HttpResult result = sending.wait(0);
    EXPECT_EQ(result.fate, Fate::unknown);
    EXPECT_TRUE(result.first_byte_at);
    EXPECT_TRUE(result.error.starts_with("cut off")) << result.error;
    EXPECT_LT(arrived.get_future().get(), size);
  }
}

TEST(HttpClient, WhatIsCutOffWhenItsReceiverHasItIsAnswered) {
  std::promise<void> taken;
  std::promise<void> looked;
  RawListener listener{[&](RawSocket socket, int) {
    read_request(socket);
    socket.acknowledge();
    taken.set_value();
    looked.get_future().wait();
    socket.send(ok);
  }};
  RawListener quick{answering(std::string{ok})};
  Sending sending;
  auto gate = std::make_shared<SendGate>();
  sending.submit({.url = listener.url(), .body = std::string(1u << 20, 'x')}, gate);
  taken.get_future().wait();
  gate->cut_off();
  sending.client.end_withdrawn();
  EXPECT_EQ(sending.exchange({.url = quick.url()}).fate, Fate::answered);
  looked.set_value();
  const HttpResult result = sending.wait(0);
  EXPECT_EQ(result.fate, Fate::answered) << result.error;
}

TEST(HttpClient, WhatIsCutOffBeforeItLeavesIsWithdrawn) {
  auto gate = std::make_shared<SendGate>();
  gate->cut_off();
  RawListener listener{answering(std::string{ok})};
  Sending sending;
  const HttpResult result = sending.exchange({.url = listener.url()}, gate);
  EXPECT_EQ(result.fate, Fate::withdrawn);
  EXPECT_FALSE(result.first_byte_at);
}

// ---- Large requests -----------------------------------------------------------------------------

TEST(HttpClient, ALargeBodyLeavesInPieces) {
  constexpr std::size_t size = 8u << 20;
  RawListener listener{[](RawSocket socket, int) {
    const std::string request = read_request(socket);
    socket.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{:07}",
                            std::ranges::count(request, 'x')));
    read_request(socket);
  }};
  Sending sending;
  const HttpResult result =
      sending.exchange({.url = listener.url(), .body = std::string(size, 'x')});
  EXPECT_EQ(result.fate, Fate::answered) << result.error;
  EXPECT_EQ(result.body, fmt::format("{}", size));
}

TEST(HttpClient, AnAnswerBeforeTheWholeRequestCounts) {
  RawListener listener{[](RawSocket socket, int) {
    socket.read_until("\r\n\r\n");
    socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    socket.read_all();
  }};
  Sending sending;
  for (int i = 0; i < 2; ++i) {
    const HttpResult result =
        sending.exchange({.url = listener.url(), .body = std::string(32u << 20, 'x')});
    EXPECT_EQ(result.fate, Fate::answered) << result.error;
    EXPECT_EQ(result.status, 413);
  }
  EXPECT_EQ(listener.accepted(), 2) << "the rest of the request would be read as the next one";
}

// ---- Many and the end -----------------------------------------------------------------------

TEST(HttpClient, ASilentReceiverDelaysNobody) {
  RawListener silent{[](RawSocket socket, int) { socket.read_all(); }};
  RawListener quick{answering(std::string{ok})};
  Sending sending;
  for (int i = 0; i < 50; ++i) sending.submit({.url = silent.url(), .timeout = 300ms});
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(sending.exchange({.url = quick.url()}).fate, Fate::answered);
  }
  for (std::uint64_t tag = 0; tag < 50; ++tag) EXPECT_EQ(sending.wait(tag).fate, Fate::unknown);
}

TEST(HttpClient, ItsEndTellsOfEveryRequestUnderWay) {
  RawListener silent{[](RawSocket socket, int) { socket.read_all(); }};
  std::vector<Finished> told;
  auto sink = std::make_shared<const HttpSink>([&](std::vector<Finished>&& batch) {
    for (Finished& finished : batch) told.push_back(std::move(finished));
  });
  auto gate = std::make_shared<SendGate>();
  {
    const runtime::SystemClock clock;
    HttpClient client{{}, clock};
    std::vector<Submission> batch;
    batch.push_back({.tag = 1, .request = client.written({.url = silent.url()}), .gate = gate});
    client.submit(std::move(batch), sink);
    while (gate->state() == SendGate::State::pending) std::this_thread::yield();
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].tag, 1u);
  EXPECT_EQ(told[0].result.fate, Fate::unknown);
}

}  // namespace
}  // namespace cronally::net
