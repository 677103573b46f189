#include "net/answer_reader.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace cronally::net {
namespace {

using State = AnswerReader::State;

// Feeds as a connection does, in pieces of the lengths that `next` gives. Returns what belongs to
// the next answer.
template <class Next>
std::string feed(AnswerReader& reader, std::string_view bytes, Next next) {
  std::string kept;
  while (!bytes.empty() && (reader.state() == State::header || reader.state() == State::body)) {
    const std::size_t piece = std::min<std::size_t>(next(), bytes.size());
    kept += bytes.substr(0, piece);
    bytes.remove_prefix(piece);
    kept.erase(0, reader.take(kept));
  }
  return kept + std::string{bytes};
}

// All that can be said about an answer: "200 keep ok", "broken: why"; "…" while it is not whole.
std::string meaning(const AnswerReader& reader, std::string body) {
  if (reader.state() == State::broken) return fmt::format("broken: {}", reader.fault());
  if (reader.state() != State::done) return "…";
  return fmt::format("{} {}{} {}", reader.status(), reader.keep_alive() ? "keep" : "close",
                     reader.truncated() ? " truncated" : "", body);
}

std::string read(std::string_view answer, bool to_head = false) {
  AnswerReader reader;
  reader.reset(to_head);
  const std::string rest = feed(reader, answer, [&] { return answer.size(); });
  if (!rest.empty() && reader.state() == State::done) return "too early: " + rest;
  reader.end();
  return meaning(reader, reader.body());
}

struct Row {
  std::string_view answer, meaning;
};

const std::vector<Row> rows{
    // where it ends
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 keep "},
    {"HTTP/1.1 200 OK\r\n\r\nto the end", "200 close to the end"},
    {"HTTP/1.1 204 No Content\r\n\r\n", "204 keep "},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304 keep "},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n002;a=\"b\"\r\nok\r\n1 \r\n!\r\n"
     "0\r\nLate: 1\r\nLater: 2\r\n\r\n",
     "200 keep ok!"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nall", "200 close all"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
     "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: "
     "chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
     "200 close a"},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1\r\na\r\n0\r\n\r\n",
     "200 close a"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2, 02\r\n\r\nok", "200 keep ok"},
    // interim answers
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
     "200 keep ok"},
    {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "101 close "},
    // whether it goes on
    {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "200 close "},
    {"HTTP/1.1 200 OK\r\nConnection: x , CLOSE\r\nContent-Length: 0\r\n\r\n", "200 close "},
    {"HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 0\r\n\r\n", "200 keep "},
    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200 close "},
    {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", "200 keep "},
    {"HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n", "200 keep "},
    // what old servers send
    {"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1  200  Fine\r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\nContent-Length: 2\r\n\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nContent-Length : \t2 \r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\nX: a\r\n\tb\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\n folded: x\r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nno colon\r\n: no name\r\nContent-Length: 2\r\n\r\nok", "200 keep ok"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n", "200 keep ok"},
    // in doubt
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
     "broken: the answer's lengths contradict each other"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
     "broken: the answer's lengths contradict each other"},
    {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
     "broken: the answer's lengths contradict each other"},
    {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
     "broken: the answer's lengths contradict each other"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     "broken: a chunk of the answer does not begin with its size"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
     "broken: a chunk of the answer does not begin with its size"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\na\r\n0\r\n\r\n",
     "broken: a chunk of the answer does not begin with its size"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
     "broken: a chunk of the answer is longer than its size says"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\rb",
     "broken: a chunk of the answer is longer than its size says"},
    // not HTTP/1.x
    {"", "broken: the connection closed before an answer came"},
    {"<html>hello</html>", "broken: the answer is not HTTP"},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", "broken: the answer is not HTTP"},
    {"HTTP/200 OK\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {"HTTP/2 200 OK\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {"HTTP/1.1 099 OK\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {"HTTP/1.1 20\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {"HTTP/1.1\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {"HTTP/1.1200 OK\r\n\r\n", "broken: the answer has no status: it is not HTTP"},
    {std::string_view{"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 26},
     "broken: the answer's header holds a NUL"},
    // cut
    {"HTTP/1.", "broken: the connection closed within the answer's header"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
     "broken: the connection closed within the answer's header"},
    {"HTTP/1.1 100 Continue\r\n\r\n", "broken: the connection closed within the answer's header"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
     "broken: the connection closed within the answer's body"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
     "broken: the connection closed within the answer's body"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nLate: 1\r\n",
     "broken: the connection closed within the answer's body"},
};

TEST(AnswerReader, TakesWhatServersSendAndRefusesWhatLeavesItsEndInDoubt) {
  for (const Row& row : rows) EXPECT_EQ(read(row.answer), row.meaning) << row.answer;
}

TEST(AnswerReader, MeansTheSameInWhateverPiecesItComes) {
  std::minstd_rand random{7};
  for (const Row& row : rows) {
    for (int i = 0; i < 40; ++i) {
      AnswerReader reader;
      const std::size_t most = i == 0 ? 1 : 1 + random() % (row.answer.size() + 1);
      feed(reader, row.answer, [&] { return 1 + random() % most; });
      reader.end();
      EXPECT_EQ(meaning(reader, reader.body()), row.meaning) << row.answer << " by " << most;
    }
  }
}

TEST(AnswerReader, TakesNothingOfTheNextAnswer) {
  for (const std::string first :
       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n"}) {
    AnswerReader reader;
    EXPECT_EQ(feed(reader, first + "HTTP/1.1 5", [] { return 7; }), "HTTP/1.1 5");
    EXPECT_EQ(reader.take("HTTP/1.1 500 No\r\n\r\n"), 0u);
    EXPECT_EQ(meaning(reader, reader.body()), "200 keep ok");
    reader.reset(false);
    reader.take("HTTP/1.1 500 No\r\nRetry-After: 1\r\nContent-Length: 1\r\n\r\n!");
    EXPECT_EQ(meaning(reader, reader.body()), "500 keep !");
  }
}

TEST(AnswerReader, AnAnswerToHeadHasNoBody) {
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true), "200 keep ");
  EXPECT_EQ(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true), "200 keep ");
}

TEST(AnswerReader, BringsRetryAfterOfTheAnswerOnly) {
  AnswerReader reader;
  reader.take(
      "HTTP/1.1 103 Early\r\nRetry-After: 5\r\n\r\nHTTP/1.1 503 Busy\r\n"
      "Retry-After:  7 \r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(reader.retry_after(), "7");
  reader.reset(false);
  reader.take("HTTP/1.1 103 Early\r\nRetry-After: 5\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(reader.retry_after(), std::nullopt);
}

TEST(AnswerReader, KeepsHeadersWhenAsked) {
  AnswerReader reader{{.keep_headers = true}};
  reader.take(
      "HTTP/1.1 100 Continue\r\nX: 0\r\n\r\n"
      "HTTP/1.1 200 OK\r\nX: 1\r\nFolded: a\r\n  b\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(reader.headers().size(), 3u);
  EXPECT_EQ(reader.headers().find("x"), "1");
  EXPECT_EQ(reader.headers().find("folded"), "a    b");
}

TEST(AnswerReader, ABodyIsKeptToItsLimitAndCutOffAtTheOther) {
  const AnswerLimits limits{.body_kept_max = 3, .body_read_max = 6};
  struct Case {
    std::string_view answer, meaning;
  };
  for (const Case& row : {
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 keep abc"},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", "200 keep truncated abc"},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcdefg", "200 close truncated abc"},
           Case{"HTTP/1.1 200 OK\r\n\r\nabcdefgh", "200 close truncated abc"},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n",
                "200 close truncated abc"},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabcdefgh",
                "200 close truncated abc"},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\nabcdefgh",
                "200 close truncated abc"},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabcdefgh",
                "200 close truncated abc"},
       }) {
    for (const std::size_t piece : {std::size_t{1}, row.answer.size()}) {
      AnswerReader reader{limits};
      feed(reader, row.answer, [&] { return piece; });
      EXPECT_EQ(meaning(reader, reader.body()), row.meaning) << row.answer;
    }
  }
}

TEST(AnswerReader, ABodyMayBeTakenAwayAsItComes) {
  AnswerReader reader{{.body_kept_max = 3}};
  reader.take("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
  std::string all;
  for (const char* piece : {"abc", "def"}) {
    reader.take(piece);
    all += std::exchange(reader.body(), {});
  }
  EXPECT_EQ(meaning(reader, all), "200 keep abcdef");
}

TEST(AnswerReader, AHeaderHasABound) {
  const AnswerLimits limits{.header_max = 100};
  struct Case {
    std::string_view hazard;
    std::string answer;
  };
  const std::string interim = "HTTP/1.1 103 Early\r\nA: b\r\n\r\n";
  for (const Case& row : {
           Case{"one line", "HTTP/1.1 200 " + std::string(200, 'x')},
           Case{"a field", "HTTP/1.1 200 OK\r\nX: " + std::string(100, 'x') + "\r\n\r\n"},
           Case{"interim answers", interim + interim + interim + interim},
           Case{"a trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " +
                                 std::string(100, 'x')},
           Case{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" +
                                std::string(80, 'x') + "\r\n" + std::string(80, 'x') + "\r\n"},
           Case{"extensions of chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
                                            std::string(60, 'x') + "\r\na\r\n1;" +
                                            std::string(60, 'x') + "\r\na\r\n"},
           Case{"a chunk's extension",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(5000, 'x')},
       }) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, row.answer.size()}) {
      AnswerReader reader{limits};
      feed(reader, row.answer, [&] { return piece; });
      EXPECT_EQ(reader.state(), State::broken) << row.hazard << " by " << piece;
    }
  }
}

}  // namespace
}  // namespace cronally::net
