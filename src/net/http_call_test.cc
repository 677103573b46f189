#include "net/http_call.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/http_server.h"
#include "net/raw_socket_test.h"
#include "runtime/clock.h"
#include "runtime/log.h"

namespace cronally::net {
namespace {

using namespace std::chrono_literals;

// Client and server of this folder against each other.
class HttpCall : public testing::Test {
 protected:
  HttpCall() : port_(server_.listen("127.0.0.1", 0).value()) {
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("cronally-http-call-{}-{}", ::getpid(), port_);
    std::filesystem::create_directory(directory_);
  }
  ~HttpCall() override { std::filesystem::remove_all(directory_); }

  static Reply answer(const Request& request) {
    if (request.path == "/backup") {
      return Response{.stream = [n = 0](std::string& chunk) mutable {
        chunk.assign(100'000, static_cast<char>('a' + n));
        return ++n < 20;
      }};
    }
    if (request.path == "/broken") {
      return Response{.body = "begin", .stream = [](std::string&) -> bool {
                        throw std::runtime_error{"disk full"};
                      }};
    }
    if (request.path == "/no") return problem(403, "not_allowed", "needs an admin token");
    return Response{.status = 201,
                    .headers = {{"ETag", "\"7\""}, {"X-Method", request.method}},
                    .body = std::string{request.headers.find("authorization").value_or("-")} + "|" +
                            request.body};
  }
  std::string url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
  }
  std::string file(std::string_view name) const { return directory_ / name; }
  static std::string content(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
  }

  runtime::SystemClock clock_;
  HttpServer server_{{}, &HttpCall::answer, clock_};
  std::uint16_t port_;
  std::filesystem::path directory_;
};

TEST_F(HttpCall, BringsStatusHeadersAndBody) {
  for (const char* method : {"GET", "POST", "PATCH", "DELETE", "PUT"}) {
    const auto answer = call({.method = method,
                              .url = url("/x"),
                              .headers = {{"Authorization", "Bearer t"}},
                              .body = "{}"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->headers.find("etag"), "\"7\"");
    EXPECT_EQ(answer->headers.find("x-method"), method);
    EXPECT_EQ(answer->body, "Bearer t|{}");
  }
}

TEST_F(HttpCall, AnyStatusIsAnAnswer) {
  const auto answer = call({.url = url("/no")});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403);
  EXPECT_NE(answer->body.find("not_allowed"), std::string::npos);
}

TEST_F(HttpCall, SaysThatNobodyAnswers) {
  std::uint16_t closed = 0;
  {
    RawListener gone{[](RawSocket, int) {}};
    closed = gone.port();
  }
  RawListener rude{[](RawSocket socket, int) { socket.read_answer(); }};
  RawListener silent{[](RawSocket socket, int) { socket.read_all(); }};
  for (const Call& request : {Call{.url = fmt::format("http://127.0.0.1:{}/", closed)},
                              Call{.url = rude.url()}, Call{.url = silent.url(), .timeout = 30ms},
                              Call{.url = "gopher://127.0.0.1/"}, Call{.url = ""}}) {
    const auto answer = call(request);
    ASSERT_FALSE(answer) << request.url;
    EXPECT_EQ(answer.error().code, "server_unreachable");
    EXPECT_NE(answer.error().message.find(request.url), std::string::npos);
  }
}

TEST_F(HttpCall, RefusesALineBreakInAHeader) {
  const auto answer = call({.url = url("/x"), .headers = {{"Authorization", "a\r\nX: b"}}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "invalid_header");
}

TEST_F(HttpCall, ProxyVariablesCountExceptForLoopback) {
  RawListener proxy{[](RawSocket socket, int) {
    socket.read_answer();
    socket.send("HTTP/1.1 418 Proxy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }};
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  const auto direct = call({.url = url("/x")});
  const auto proxied = call({.url = "http://cronally.invalid/"});
  ::unsetenv("http_proxy");
  ASSERT_TRUE(direct && proxied);
  EXPECT_EQ(direct->status, 201);
  EXPECT_EQ(proxied->status, 418);
}

TEST_F(HttpCall, AProxyIsAskedForATunnelToHttps) {
  std::string asked;
  RawListener proxy{[&](RawSocket socket, int) {
    asked = socket.read_answer();
    socket.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
  }};
  ::setenv("https_proxy", fmt::format("http://u:p@127.0.0.1:{}", proxy.port()).c_str(), 1);
  const auto answer = call({.url = "https://cronally.invalid/secret"});
  ::unsetenv("https_proxy");
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("the proxy answered 403"), std::string::npos);
  EXPECT_EQ(asked,
            "CONNECT cronally.invalid:443 HTTP/1.1\r\nHost: cronally.invalid:443\r\n"
            "Proxy-Authorization: Basic dTpw\r\n\r\n");
}

TEST_F(HttpCall, AnAnswerBeforeTheWholeRequestCounts) {
  RawListener strict{[](RawSocket socket, int) {
    socket.read_until("\r\n\r\n");
    socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    socket.read_all();
  }};
  const auto answer =
      call({.method = "POST", .url = strict.url(), .body = std::string(16u << 20, 'x')});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
}

TEST_F(HttpCall, DownloadsToAPrivateFile) {
  const auto answer = download({.method = "POST", .url = url("/backup")}, file("b.db"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "");
  const std::string bytes = content(file("b.db"));
  EXPECT_EQ(bytes.size(), 2'000'000u);
  EXPECT_EQ(bytes.substr(99'999, 2), "ab");
  struct stat about{};
  ASSERT_EQ(::stat(file("b.db").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
}

TEST_F(HttpCall, ADownloadThatFailsLeavesNoFile) {
  runtime::log::Capture quiet{[](std::string_view) {}};
  const auto broken = download({.url = url("/broken")}, file("broken"));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, "server_unreachable");
  const auto refused = download({.url = url("/no")}, file("refused"));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_NE(refused->body.find("admin token"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(HttpCall, ADownloadOverwritesNothing) {
  std::ofstream{file("there")} << "precious";
  const auto answer = download({.url = url("/backup")}, file("there"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "cannot_write");
  EXPECT_EQ(content(file("there")), "precious");
  EXPECT_EQ(download({.url = url("/backup")}, file("no/such/x")).error().code, "cannot_write");
}

}  // namespace
}  // namespace cronally::net
