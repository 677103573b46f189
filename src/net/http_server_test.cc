#include "net/http_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "net/raw_socket_test.h"
#include "runtime/clock.h"
#include "runtime/log.h"

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

// Answers with what it saw: "METHOD path|query|body".
Reply echo(const Request& request) {
  return Response{.body = fmt::format("{} {}|{}|{}", request.method, request.path, request.query,
                                      request.body)};
}

struct Served {
  explicit Served(Handler handler = echo, ServerOptions options = {})
      : server(std::move(options), std::move(handler), clock) {
    port = server.listen("127.0.0.1", 0).value();
  }
  RawSocket connect() const { return RawSocket::to(port); }
  // Sends all of it, and returns all that comes until the server closes.
  std::string exchange(std::string_view bytes) const {
    RawSocket socket = connect();
    socket.send(bytes);
    bool closed = false;
    std::string answer = socket.read_all(&closed);
    EXPECT_TRUE(closed) << "still open after: " << bytes.substr(0, 100);
    return answer;
  }

  runtime::SystemClock clock;
  HttpServer server;
  std::uint16_t port = 0;
};

std::string body_of(const std::string& answer) {
  const std::size_t at = answer.find("\r\n\r\n");
  return at == std::string::npos ? "" : answer.substr(at + 4);
}

// A latch that a handler waits at, on its pool thread, until the test opens it.
class Door {
 public:
  void open() {
    std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock{mutex_};
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void until_waiting(int count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

TEST(HttpServer, AnswersOnOneConnectionAgainAndAgain) {
  Served served;
  RawSocket socket = served.connect();
  for (int i = 0; i < 3; ++i) {
    socket.send(fmt::format("GET /n/{}?a=b%2Fc HTTP/1.1\r\nHost: h\r\n\r\n", i));
    const std::string answer = socket.read_answer();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
    EXPECT_EQ(body_of(answer), fmt::format("GET /n/{}|a=b%2Fc|", i));
  }
  EXPECT_EQ(served.server.stats().accepted, 1u);
  EXPECT_EQ(served.server.stats().requests, 3u);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  Served served;
  RawSocket socket = served.connect();
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += fmt::format("POST /{0} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n{0:03}", i);
  }
  socket.send(all);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(body_of(socket.read_answer()), fmt::format("POST /{0}||{0:03}", i));
  }
}

TEST(HttpServer, ReadsARequestThatComesByteByByte) {
  Served served;
  RawSocket socket = served.connect();
  for (const char c : std::string_view{"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                                       "chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n"}) {
    socket.send({&c, 1});
  }
  EXPECT_EQ(body_of(socket.read_answer()), "POST /a||abc");
}

TEST(HttpServer, TrailersAreNoHeaders) {
  Served served{[](const Request& request) -> Reply {
    return Response{.body = request.body + (request.headers.find("admin") ? "|admin" : "|")};
  }};
  RawSocket socket = served.connect();
  socket.send(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nab\r\n0\r\nAdmin: yes\r\n\r\n");
  EXPECT_EQ(body_of(socket.read_answer()), "ab|");
}

TEST(HttpServer, FindsThePathInEveryFormOfTarget) {
  struct Row {
    std::string_view line, seen;
  };
  Served served;
  RawSocket socket = served.connect();
  for (const Row& row : {
           Row{"GET /v2/jobs/a%2Fb HTTP/1.1", "GET /v2/jobs/a%2Fb||"},
           Row{"GET //x/../y HTTP/1.1", "GET //x/../y||"},  // never normalised
           Row{"GET http://h/p?q HTTP/1.1", "GET /p|q|"},
           Row{"OPTIONS * HTTP/1.1", "OPTIONS *||"},
           Row{"DELETE /x? HTTP/1.1", "DELETE /x||"},
       }) {
    socket.send(fmt::format("{}\r\nHost: h\r\n\r\n", row.line));
    EXPECT_EQ(body_of(socket.read_answer()), row.seen);
  }
}

TEST(HttpServer, HeadIsGetWithoutTheBody) {
  Served served;
  RawSocket socket = served.connect();
  socket.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = socket.read_until("\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: 8\r\n"), std::string::npos) << head;
  socket.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(socket.read_answer()), "GET /b||");
}

TEST(HttpServer, KeepAliveFollowsVersionAndConnection) {
  Served served;
  EXPECT_EQ(body_of(served.exchange("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")),
            "GET /a||");
  EXPECT_EQ(body_of(served.exchange("GET /a HTTP/1.0\r\n\r\n")), "GET /a||");
  RawSocket old = served.connect();
  for (int i = 0; i < 2; ++i) {
    old.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(body_of(old.read_answer()), "GET /a||");
  }
}

TEST(HttpServer, AsksForABodyThatWaitsForContinue) {
  Served served;
  RawSocket socket = served.connect();
  socket.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.send("hi");
  EXPECT_EQ(body_of(socket.read_answer()), "PUT /a||hi");
}

// ---- Refusals ---------------------------------------------------------------------------------

void expect_malformed(const Served& served, const std::string& request) {
  const std::string answer = served.exchange(request);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << request.substr(0, 200) << "\n"
                                                                  << answer;
  EXPECT_NE(answer.find("Content-Type: application/problem+json\r\n"), std::string::npos);
  EXPECT_NE(answer.find("\"code\":\"malformed_request\""), std::string::npos) << answer;
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(served.server.stats().requests, 0u);
}

TEST(HttpServer, RefusesWhatTwoServersCouldReadDifferently) {
  Served served;
  const std::string rest = "Host: h\r\n\r\n";
  for (const std::string& request : std::vector<std::string>{
           // Framing (RFC 9112 §6.3)
           "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: +3\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: -1\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" + rest,
           "POST / HTTP/1.1\r\nContent-Length:\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + rest,
           "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n" + rest,
           "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" + rest,
           // Lines (RFC 9112 §2.2, §5.1, §5.2)
           "GET / HTTP/1.1\nHost: h\n\n",
           "GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n",
           "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nA b: c\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\n: c\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(1, '\0') + "\r\n\r\n",
           // Request line and host (§3.2)
           "GET  / HTTP/1.1\r\n" + rest,
           "GET / HTTP/1.1 \r\n" + rest,
           "GET / HTTP/2.0\r\n" + rest,
           "GET / HTTP/1.2\r\n" + rest,
           "GET /\r\n" + rest,
           "GET x HTTP/1.1\r\n" + rest,
           "GET /a\x7f HTTP/1.1\r\n" + rest,
           "GET /\xc3\xbc HTTP/1.1\r\n" + rest,
           "GET /a#b HTTP/1.1\r\n" + rest,
           "GET http://h?q HTTP/1.1\r\n" + rest,
           "CONNECT h:1 HTTP/1.1\r\n" + rest,
           "GET / HTTP/1.1\r\nA: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           // Not HTTP at all
           "\x16\x03\x01\x02\x01",
           "{\"a\": 1}\r\n",
       }) {
    expect_malformed(served, request);
  }
}

TEST(HttpServer, RefusesBrokenChunks) {
  Served served;
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& chunks : std::vector<std::string>{
           "zz\r\n",
           "2\r\nabcd\r\n",
           "-1\r\n\r\n",
           "fffffffffffffffff\r\nab\r\n",
           "1;" + std::string(300'000, 'x'),
           "0\r\nA: " + std::string(300'000, 'x'),
       }) {
    expect_malformed(served, start + chunks);
  }
}

TEST(HttpServer, TakesNothingBehindARefusedRequest) {
  Served served;
  const std::string answer = served.exchange(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer.find("smuggled"), std::string::npos);
  EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "a second answer: " << answer;
}

TEST(HttpServer, RefusesWhatIsTooLarge) {
  struct Row {
    std::string request;
    std::string_view status, code;
  };
  ServerOptions options;
  options.body_max = [](std::string_view, std::string_view path) -> std::size_t {
    return path == "/bulk" ? 1000 : 10;
  };
  Served served{echo, options};
  std::string many_fields = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 100; ++i) many_fields += fmt::format("a{}: b\r\n", i);
  for (const Row& row : {
           Row{"GET /" + std::string(8 * 1024, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", "414",
               "url_too_long"},
           Row{"GET /" + std::string(20 * 1024, 'a'), "414", "url_too_long"},
           Row{"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(16 * 1024, 'a') + "\r\n\r\n", "431",
               "headers_too_large"},
           Row{"GET / HTTP/1.1\r\nA: " + std::string(30 * 1024, 'a'), "431", "headers_too_large"},
           Row{many_fields + "\r\n", "431", "headers_too_large"},
           Row{"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", "413", "body_too_large"},
           Row{"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n",
               "413", "body_too_large"},
           Row{"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               "8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n",
               "413", "body_too_large"},
           Row{"PUT /bulk HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" +
                   std::string(1001, 'x'),
               "413", "body_too_large"},
           Row{"PUT /a HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", "417", "expectation_failed"},
       }) {
    const std::string answer = served.exchange(row.request);
    EXPECT_EQ(answer.substr(9, 3), row.status) << row.request.substr(0, 80) << "\n" << answer;
    EXPECT_NE(answer.find(row.code), std::string::npos) << answer;
  }
  EXPECT_EQ(served.server.stats().requests, 0u);
}

TEST(HttpServer, TakesWhatIsExactlyAtTheLimit) {
  Served served;
  RawSocket socket = served.connect();
  socket.send(fmt::format("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", std::string(8 * 1024 - 1, 'a')));
  EXPECT_TRUE(socket.read_answer().starts_with("HTTP/1.1 200"));
  std::string fields = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 1; i < 100; ++i) fields += fmt::format("a{}: b\r\n", i);
  socket.send(fields + "\r\n");
  EXPECT_TRUE(socket.read_answer().starts_with("HTTP/1.1 200"));
  socket.send(fmt::format("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}",
                          body_max_default, std::string(body_max_default, 'b')));
  EXPECT_EQ(body_of(socket.read_answer()).size(),
            body_max_default + std::string_view{"PUT /||"}.size());
}

// ---- Slow and many ----------------------------------------------------------------------------

TEST(HttpServer, ClosesConnectionsThatAreTooSlow) {
  struct Row {
    std::string_view hazard, bytes, says;
  };
  ServerOptions options;
  options.idle_timeout = options.header_timeout = options.body_timeout = 30ms;
  Served served{echo, options};
  for (const Row& row : {
           Row{"idle", "", ""},
           Row{"half a header", "GET / HTTP/1.1\r\nHo", "the header was not complete within 30ms"},
           Row{"blank lines only", "\r\n\r\n", "the header was not complete within 30ms"},
           Row{"half a body", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
               "the body was not complete within 30ms"},
           Row{"half a chunk", "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n9",
               "the body was not complete within 30ms"},
       }) {
    const std::string answer = served.exchange(row.bytes);
    if (row.says.empty()) {
      EXPECT_EQ(answer, "") << row.hazard;
      continue;
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << row.hazard << answer;
    EXPECT_TRUE(answer.contains("\"code\":\"request_timeout\"")) << answer;
    EXPECT_TRUE(answer.contains(row.says)) << answer;
    EXPECT_TRUE(answer.contains("Connection: close\r\n")) << answer;
  }
  RawSocket used = served.connect();
  used.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(used.read_answer().starts_with("HTTP/1.1 200"));
  bool closed = false;
  EXPECT_EQ(used.read_all(&closed), "");
  EXPECT_TRUE(closed) << "idle after a request";
}

TEST(HttpServer, ASlowHandlerHasNoTimeout) {
  ServerOptions options;
  options.idle_timeout = options.header_timeout = options.body_timeout = 20ms;
  int calls = 0;
  Served served{[&](const Request& request) -> Reply {
                  if (++calls < 5) return Later{20ms};
                  return echo(request);
                },
                options};
  RawSocket socket = served.connect();
  socket.send("GET /poll HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(body_of(socket.read_answer()), "GET /poll||");
  EXPECT_EQ(calls, 5);
}

TEST(HttpServer, AboveTheLimitTheOldestWithoutARequestGoes) {
  ServerOptions options;
  options.connections_max = 3;
  Door door;
  Served served{[&](const Request& request) -> Reply {
                  if (request.path == "/busy") door.wait();
                  return echo(request);
                },
                options};
  RawSocket busy = served.connect();
  busy.send("GET /busy HTTP/1.1\r\nHost: h\r\n\r\n");
  door.until_waiting(1);
  RawSocket oldest = served.connect();
  oldest.send("GET / HTTP/1.1\r\nHo");  // half a request does not protect it
  RawSocket middle = served.connect();
  RawSocket newest = served.connect();
  bool closed = false;
  EXPECT_EQ(oldest.read_all(&closed), "");
  EXPECT_TRUE(closed);
  for (RawSocket* socket : {&middle, &newest}) {
    socket->send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(body_of(socket->read_answer()), "GET /a||");
  }
  door.open();
  EXPECT_EQ(body_of(busy.read_answer()), "GET /busy||");
  EXPECT_EQ(served.server.stats().refused, 1u);
}

TEST(HttpServer, WhenAllAreBusyTheNewOneGoes) {
  ServerOptions options;
  options.connections_max = 2;
  Door door;
  Served served{[&](const Request& request) -> Reply {
                  door.wait();
                  return echo(request);
                },
                options};
  RawSocket first = served.connect();
  RawSocket second = served.connect();
  for (RawSocket* socket : {&first, &second}) socket->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  door.until_waiting(2);
  EXPECT_EQ(served.exchange(""), "");
  door.open();
  EXPECT_EQ(body_of(first.read_answer()), "GET /||");
  EXPECT_EQ(body_of(second.read_answer()), "GET /||");
}

TEST(HttpServer, AHeaderIsLateHoweverManyPiecesItComesIn) {
  ServerOptions options;
  options.header_timeout = 60ms;
  Served served{echo, options};
  RawSocket socket = served.connect();
  std::string answer;
  // Every byte arrives before the time that a byte alone would have.
  for (int i = 0; i < 200 && answer.empty(); ++i) {
    socket.send("G");
    answer = socket.read_for(5ms);
  }
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
}

TEST(HttpServer, WhoDoesNotReadAnAnswerIsClosed) {
  ServerOptions options;
  options.write_timeout = 50ms;
  Served served{
      [](const Request&) -> Reply { return Response{.body = std::string(64 * 1024 * 1024, 'x')}; },
      options};
  RawSocket socket = served.connect();
  socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (served.server.stats().requests == 0) std::this_thread::yield();
  while (served.server.stats().connections > 0) std::this_thread::yield();
  bool closed = false;
  EXPECT_LT(socket.read_all(&closed).size(), 64u * 1024 * 1024);
}

TEST(HttpServer, AboveTheLimitAnAnswerThatNobodyReadsMakesRoom) {
  ServerOptions options;
  options.connections_max = 1;
  options.stall_min = 10ms;
  Served served{[](const Request& request) -> Reply {
                  if (request.path == "/small") return echo(request);
                  return Response{.body = std::string(64 * 1024 * 1024, 'x')};
                },
                options};
  RawSocket deaf = served.connect();
  deaf.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(deaf.read_until("HTTP/1.1 200"), "HTTP/1.1 200");
  // Refused until the answer has stood still for long enough.
  std::string answer;
  while (answer.empty()) {
    RawSocket fresh = served.connect();
    fresh.send("GET /small HTTP/1.1\r\nHost: h\r\n\r\n");
    answer = fresh.read_answer();
  }
  EXPECT_EQ(body_of(answer), "GET /small||");
}

// ---- Handlers ---------------------------------------------------------------------------------

TEST(HttpServer, AFailingHandlerIsAProblemNotACrash) {
  Served served{[](const Request& request) -> Reply {
    if (request.path == "/outage") throw Unavailable{"the database is down; retried in 1 s"};
    throw std::runtime_error{"secret detail"};
  }};
  std::string logged;
  runtime::log::Capture capture{[&](std::string_view line) { logged += line; }};
  RawSocket socket = served.connect();
  socket.send("GET /outage HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string outage = socket.read_answer();
  EXPECT_TRUE(outage.starts_with("HTTP/1.1 503 ")) << outage;
  EXPECT_NE(outage.find("the database is down"), std::string::npos);
  socket.send("GET /bug HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string bug = socket.read_answer();
  EXPECT_TRUE(bug.starts_with("HTTP/1.1 500 ")) << bug;
  EXPECT_EQ(bug.find("secret detail"), std::string::npos);
  EXPECT_NE(logged.find("secret detail"), std::string::npos);
}

TEST(HttpServer, LongPollsHoldNoThread) {
  ServerOptions options;
  options.workers = 1;
  std::atomic<bool> ready = false;
  std::atomic<int> polls = 0;
  Served served{[&](const Request& request) -> Reply {
                  if (request.path == "/wait" && !ready) {
                    ++polls;
                    return Later{1ms};
                  }
                  return echo(request);
                },
                options};
  std::vector<RawSocket> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(served.connect());
    waiting.back().send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  RawSocket other = served.connect();
  while (polls < 20) {
    other.send("GET /other HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(body_of(other.read_answer()), "GET /other||");
  }
  ready = true;
  for (RawSocket& socket : waiting) EXPECT_EQ(body_of(socket.read_answer()), "GET /wait||");
}

Handler counting_stream(int chunks, bool breaks) {
  return [=](const Request&) -> Reply {
    return Response{.body = "begin;", .stream = [=, n = 0](std::string& chunk) mutable {
                      if (breaks && n == 2) throw std::runtime_error{"disk full"};
                      chunk = fmt::format("{};", n);
                      return ++n < chunks;
                    }};
  };
}

TEST(HttpServer, StreamsInChunks) {
  Served served{counting_stream(3, false)};
  RawSocket socket = served.connect();
  for (int i = 0; i < 2; ++i) {
    socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_NE(socket.read_until("\r\n\r\n").find("Transfer-Encoding: chunked\r\n"),
              std::string::npos);
    EXPECT_EQ(socket.read_until("0\r\n\r\n"),
              "6\r\nbegin;\r\n2\r\n0;\r\n2\r\n1;\r\n2\r\n2;\r\n0\r\n\r\n");
  }
  EXPECT_EQ(body_of(served.exchange("GET / HTTP/1.0\r\n\r\n")), "begin;0;1;2;");
}

TEST(HttpServer, ABrokenStreamDoesNotLookWhole) {
  runtime::log::Capture quiet{[](std::string_view) {}};
  Served served{counting_stream(9, true)};
  const std::string answer = served.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("2\r\n1;\r\n")) << answer;
}

// ---- Stopping ---------------------------------------------------------------------------------

TEST(HttpServer, StopLetsARequestUnderWayFinish) {
  Door door;
  Served served{[&](const Request& request) -> Reply {
    door.wait();
    return echo(request);
  }};
  RawSocket idle = served.connect();
  RawSocket busy = served.connect();
  busy.send("GET /last HTTP/1.1\r\nHost: h\r\n\r\n");
  door.until_waiting(1);
  auto stopped = std::async(std::launch::async, [&] { served.server.stop(5s); });
  bool closed = false;
  EXPECT_EQ(idle.read_all(&closed), "");
  EXPECT_TRUE(closed);
  door.open();
  const std::string answer = busy.read_all(&closed);
  EXPECT_EQ(body_of(answer), "GET /last||");
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  busy.close();
  stopped.get();
  RawSocket late = served.connect();
  EXPECT_EQ(late.read_all(), "");
}

TEST(HttpServer, StopCutsALongPollAtTheEndOfItsGrace) {
  std::atomic<int> polls = 0;
  Served served{[&](const Request&) -> Reply {
    ++polls;
    return Later{1h};
  }};
  RawSocket socket = served.connect();
  socket.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (polls == 0) std::this_thread::yield();
  served.server.stop(1ms);
  EXPECT_EQ(socket.read_all(), "");
}

TEST(HttpServer, SaysWhyItCannotListen) {
  Served served;
  HttpServer second{{}, echo, served.clock};
  const auto port = second.listen("127.0.0.1", served.port);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().code, "cannot_listen");
  EXPECT_NE(port.error().message.find(std::to_string(served.port)), std::string::npos);
  EXPECT_EQ(HttpServer({}, echo, served.clock).listen("nowhere", 0).error().code, "cannot_listen");
}

}  // namespace
}  // namespace cronally::net
