#include "receiver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/raw_socket_test.h"
#include "receiver_request.h"
#include "runtime/clock.h"

namespace cronally::support {
namespace {

using namespace std::chrono_literals;

TEST(ReceiverRequest, ReadsOneRequestFromTheFront) {
  const std::string first =
      "POST /a HTTP/1.1\r\nhost: h\r\nWEBHOOK-ID: r1\r\nCronally-Run: r1\r\n"
      "Cronally-Attempt:2\r\nContent-Length: 3\r\n\r\nabc";
  const std::string both = first + "GET /next";
  Incoming request;
  ASSERT_EQ(parse_incoming(both, request), Parsed::whole);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/a");
  EXPECT_EQ(request.run, "r1");
  EXPECT_EQ(request.attempt, "2");
  EXPECT_EQ(request.body, "abc");
  EXPECT_EQ(request.size, first.size());
  EXPECT_TRUE(request.keep_alive);
  for (std::size_t length = 0; length < first.size(); ++length) {
    EXPECT_EQ(parse_incoming(first.substr(0, length), request), Parsed::more) << length;
  }
}

TEST(ReceiverRequest, RefusesWhatItCannotFrame) {
  for (const char* text : {"x\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nnocolon\r\n\r\n",
                           "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                           "GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                           "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    Incoming request;
    EXPECT_EQ(parse_incoming(text, request), Parsed::malformed) << text;
  }
}

TEST(ReceiverRequest, ThePathChoosesTheBehaviour) {
  const Behaviour otherwise{.status = 299};
  EXPECT_EQ(behaviour_of_path("/slow/250ms/x", otherwise).delay, 250ms);
  EXPECT_EQ(behaviour_of_path("/status/503?a", otherwise).status, 503);
  EXPECT_EQ(behaviour_of_path("/fail-first/3/any/thing", otherwise).fail_first, 3);
  EXPECT_EQ(behaviour_of_path("/retry-after/5", otherwise).retry_after_s, 5);
  EXPECT_EQ(behaviour_of_path("/read-then-close", otherwise).act, Act::read_then_close);
  EXPECT_EQ(behaviour_of_path("/garbage/x", otherwise).act, Act::garbage);
  EXPECT_EQ(behaviour_of_path("/reset", otherwise).act, Act::reset);
  EXPECT_EQ(behaviour_of_path("/hang?", otherwise).act, Act::hang);
  for (const char* path : {"/", "", "/x", "/slow", "/slow/x", "/status/", "/status/x"}) {
    EXPECT_EQ(behaviour_of_path(path, otherwise).status, 299) << path;
  }
}

TEST(ReceiverRequest, WritesOneJsonLine) {
  Incoming request{.method = "POST", .path = "/a\"b", .run = "r", .job = "j"};
  request.job_name = "n%C3%BC";
  request.scheduled_at = "2026-12-01T09:00:00Z";
  request.attempt = "3";
  request.fence = "481036337161";
  request.body = "12345";
  EXPECT_EQ(log_line(request, instant_from_us(1'000'001), 200, "ok"),
            R"({"t_us":1000001,"run":"r","job":"j","job_name":"nü",)"
            R"("scheduled_at":"2026-12-01T09:00:00Z","attempt":3,"fence":481036337161,)"
            R"("path":"/a\"b","method":"POST","status":200,"sig":"ok","body_bytes":5})"
            "\n");
}

// A receiver in a process of its own, and its log.
class Running {
 public:
  explicit Running(ReceiverOptions options) {
    file_ =
        std::filesystem::temp_directory_path() / fmt::format("cronally-receiver-{}", ::getpid());
    std::filesystem::remove(file_);
    options.log_file = file_;
    auto receiver = Receiver::open(std::move(options));
    EXPECT_TRUE(receiver) << receiver.error().message;
    port_ = (*receiver)->port();
    child_ = ::fork();
    if (child_ == 0) (*receiver)->run();
  }
  ~Running() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    std::filesystem::remove(file_);
  }
  net::RawSocket connect() const { return net::RawSocket::to(port_); }
  std::string log() const {
    std::ifstream in{file_};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

 private:
  std::string file_;
  std::uint16_t port_ = 0;
  pid_t child_ = -1;
};

std::string post(std::string_view path, std::string_view headers = "") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\n{}Content-Length: 2\r\n\r\n{{}}", path,
                     headers);
}

TEST(Receiver, LogsBeforeItAnswers) {
  const Running receiver{{}};
  net::RawSocket socket = receiver.connect();
  for (int i = 1; i <= 3; ++i) {
    socket.send(post(fmt::format("/n/{}", i)));
    EXPECT_EQ(socket.read_answer(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_NE(receiver.log().find(fmt::format("\"path\":\"/n/{}\"", i)), std::string::npos);
  }
}

TEST(Receiver, AnswersPipelinedRequestsInOrder) {
  const Running receiver{{}};
  net::RawSocket socket = receiver.connect();
  socket.send(post("/status/500") + post("/slow/20ms") + post("/status/404") + post("/"));
  for (const char* status : {"500", "200", "404", "200"}) {
    EXPECT_EQ(socket.read_answer().substr(9, 3), status);
  }
}

TEST(Receiver, MisbehavesAsToldAndLogsThatToo) {
  const Running receiver{{}};
  for (const char* path : {"/read-then-close", "/reset"}) {
    net::RawSocket socket = receiver.connect();
    socket.send(post(path));
    bool closed = false;
    EXPECT_EQ(socket.read_all(&closed), "") << path;
    EXPECT_TRUE(closed) << path;
    EXPECT_NE(
        receiver.log().find(fmt::format("\"path\":\"{}\",\"method\":\"POST\",\"status\":0", path)),
        std::string::npos);
  }
  net::RawSocket socket = receiver.connect();
  socket.send(post("/garbage"));
  EXPECT_NE(socket.read_all().find("not HTTP"), std::string::npos);
}

TEST(Receiver, FailsFirstForEachId) {
  const Running receiver{{}};
  net::RawSocket socket = receiver.connect();
  for (const char* id : {"webhook-id: a\r\n", "webhook-id: b\r\n"}) {
    for (const char* status : {"500", "500", "200", "200"}) {
      socket.send(post("/fail-first/2/x", id));
      EXPECT_EQ(socket.read_answer().substr(9, 3), status);
    }
  }
}

TEST(Receiver, ListensOnTheAddressThatItIsGiven) {
  EXPECT_TRUE(Receiver::open({.address = "127.0.0.2"}));
  for (const char* address : {"192.0.2.1", "localhost", ""}) {  // not ours, not an address
    const auto refused = Receiver::open({.address = address});
    ASSERT_FALSE(refused) << address;
    EXPECT_EQ(refused.error().code, "cannot_listen");
  }
}

TEST(Receiver, JudgesSignatures) {
  const auto key = core::parse_signing_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
  const Running receiver{{.behaviour = {.verify = true}, .signing_key = key}};
  net::RawSocket socket = receiver.connect();
  const std::string id = "webhook-id: r1\r\nwebhook-timestamp: 1614265330\r\n";
  const std::string good = core::sign(key, "r1", 1614265330, "{}");
  socket.send(post("/", fmt::format("{}webhook-signature: {}\r\n", id, good)));
  EXPECT_EQ(socket.read_answer().substr(9, 3), "200");
  socket.send(post("/", fmt::format("{}webhook-signature: v1,AAAA\r\n", id)));
  EXPECT_EQ(socket.read_answer().substr(9, 3), "401");
  socket.send(post("/"));
  EXPECT_EQ(socket.read_answer().substr(9, 3), "401");
  const std::string log = receiver.log();
  for (const char* sig : {"ok", "bad", "none"}) {
    EXPECT_NE(log.find(fmt::format("\"sig\":\"{}\"", sig)), std::string::npos) << log;
  }
}

}  // namespace
}  // namespace cronally::support
