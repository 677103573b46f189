#include "net/http_reader.h"

#include <gtest/gtest.h>

namespace cronally::net {
namespace {

using State = RequestReader::State;

// Feeds as a connection does, `piece` bytes at a time. Returns what belongs to the next request.
std::string feed(RequestReader& reader, std::string_view bytes, std::size_t piece) {
  std::string kept;
  while (!bytes.empty() && (reader.state() == State::header || reader.state() == State::body)) {
    kept += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    kept.erase(0, reader.take(kept));
  }
  return kept + std::string{bytes};
}

TEST(RequestReader, MeansTheSameInWhateverPiecesItComes) {
  const std::string chunked =
      "\r\n\r\nPOST /a%2Fb?c HTTP/1.1\r\nHost:h\r\nX: \t y \r\nTransfer-Encoding: chunked\r\n\r\n"
      "2;name=\"value\"\r\nab\r\n00001\r\nc\r\n0\r\nLate: 1\r\n\r\nGET";
  for (std::size_t piece = 1; piece <= chunked.size(); ++piece) {
    const ServerOptions options;
    RequestReader reader{options};
    EXPECT_EQ(feed(reader, chunked, piece), "GET") << piece;
    ASSERT_EQ(reader.state(), State::done) << piece << reader.refusal().detail;
    const Request& request = reader.request();
    EXPECT_EQ(request.method + " " + request.path + "|" + request.query + "|" + request.body,
              "POST /a%2Fb|c|abc");
    EXPECT_EQ(request.headers.find("x"), "y");
    EXPECT_EQ(request.headers.find("late"), std::nullopt);
    EXPECT_TRUE(reader.keep_alive());
  }
}

TEST(RequestReader, TakesNothingOfTheNextRequest) {
  const ServerOptions options;
  RequestReader reader{options};
  const std::string two = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET / HTTP/1.1";
  EXPECT_EQ(two.substr(reader.take(two)), "GET / HTTP/1.1");
  EXPECT_EQ(reader.request().body, "hi");
  EXPECT_EQ(reader.take("GET / HTTP/1.1\r\n\r\n"), 0u);
}

TEST(RequestReader, SaysWhetherTheConnectionGoesOn) {
  struct Row {
    std::string_view line, fields;
    bool goes_on;
  };
  for (const Row& row : {
           Row{"GET / HTTP/1.1", "", true},
           Row{"GET / HTTP/1.1", "Connection: close\r\n", false},
           Row{"GET / HTTP/1.1", "Connection: x , CLOSE\r\n", false},
           Row{"GET / HTTP/1.1", "Connection: closed\r\n", true},
           Row{"GET / HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false},
           Row{"GET / HTTP/1.0", "", false},
           Row{"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", true},
       }) {
    const ServerOptions options;
    RequestReader reader{options};
    feed(reader, std::string{row.line} + "\r\nHost: h\r\n" + std::string{row.fields} + "\r\n", 7);
    ASSERT_EQ(reader.state(), State::done) << row.fields << reader.refusal().detail;
    EXPECT_EQ(reader.keep_alive(), row.goes_on) << row.line << row.fields;
  }
}

// Each names the place and what to do, so that the text is the test.
TEST(RequestReader, NamesThePlaceOfWhatItRefuses) {
  struct Row {
    std::string bytes;
    std::string_view detail;
  };
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string_view size =
      "a chunk must begin with its size, 1 to 16 hexadecimal digits, and CR LF";
  for (const Row& row : {
           Row{"GET /\r\n\r\n", "line 1 names no version; it must be METHOD TARGET HTTP/1.1"},
           Row{"G@T / HTTP/1.1\r\n\r\n",
               "line 1 must be METHOD TARGET HTTP/1.1, and no method has such a character"},
           Row{"GET  / HTTP/1.1\r\n\r\n",
               "line 1 must be METHOD TARGET HTTP/1.1, with one blank between each"},
           Row{"GET / HTTP/3\r\n\r\n",
               "line 1 ends in 'HTTP/3'; only HTTP/1.1 and HTTP/1.0 are spoken here"},
           Row{"GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n",
               "line 3 of the header holds a blank before the colon; write it as NAME: VALUE"},
           Row{"GET / HTTP/1.1\r\nA\r\n\r\n",
               "line 2 of the header holds no colon; write it as NAME: VALUE"},
           Row{"GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
               "line 2 of the header holds a control character; write it as NAME: VALUE"},
           Row{post + "0x1\r\na\r\n", size},
           Row{post + " 1\r\na\r\n", size},
           Row{post + "\r\n", size},
           Row{post + "1 a\r\n", size},
           Row{post + "00000000000000001\r\na", size},
           Row{post + "1\na\r\n",
               "the line of a chunk's size must end in CR LF and hold no control character"},
           Row{post + "1;a\rb\r\n",
               "the line of a chunk's size must end in CR LF and hold no control character"},
           Row{post + "1\r\nab", "a chunk is longer than its size says, or does not end in CR LF"},
           Row{post + "1\r\na\r0",
               "a chunk is longer than its size says, or does not end in CR LF"},
           Row{post + "0\r\nA: b\n\r\n\r\n",
               "the header holds an LF without CR; end each line in CR LF"},
           Row{post + "0\r\n \r\r\n\r\n",
               "the header holds a CR without LF; end each line in CR LF"},
           Row{post + "0\r\nab\r\n\r\n",
               "a line of the trailer holds no colon; write it as NAME: VALUE"},
           Row{post + "0\r\nA: " + std::string(20'000, 'x'),
               "the trailer is longer than 16384 bytes; send none"},
       }) {
    for (const std::size_t piece : {std::size_t{1}, row.bytes.size()}) {
      const ServerOptions options;
      RequestReader reader{options};
      feed(reader, row.bytes, piece);
      ASSERT_EQ(reader.state(), State::refused) << row.bytes.substr(0, 100);
      EXPECT_EQ(reader.refusal().status, 400);
      EXPECT_EQ(reader.refusal().detail, row.detail);
    }
  }
}

TEST(RequestReader, RefusesABodyAsSoonAsItsSizeIsKnown) {
  struct Row {
    std::string_view fields, body;
    bool taken;
  };
  ServerOptions options;
  options.body_max = [](std::string_view, std::string_view) -> std::size_t { return 4; };
  for (const Row& row : {
           Row{"Content-Length: 4", "abcd", true},
           Row{"Content-Length: 5", "", false},
           Row{"Content-Length: 18446744073709551615", "", false},
           Row{"Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\n\r\n", true},
           Row{"Transfer-Encoding: chunked", "5\r\n", false},
           Row{"Transfer-Encoding: chunked", "2\r\nab\r\n3\r\n", false},
           Row{"Transfer-Encoding: chunked", "2\r\nab\r\nffffffffffffffff\r\n", false},
       }) {
    RequestReader reader{options};
    feed(reader,
         "PUT / HTTP/1.1\r\nHost: h\r\n" + std::string{row.fields} + "\r\n\r\n" +
             std::string{row.body},
         3);
    EXPECT_EQ(reader.state(), row.taken ? State::done : State::refused) << row.fields << row.body;
    if (!row.taken) EXPECT_EQ(reader.refusal().code, "body_too_large");
  }
}

TEST(RequestReader, ALongHeaderMayComeByteByByte) {
  const ServerOptions options;
  RequestReader reader{options};
  std::string header = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  while (header.size() < 16'000) {
    header += 'x';
    ASSERT_EQ(reader.take(header), 0u);
  }
  header += "\r\n\r\n";
  EXPECT_EQ(reader.take(header), header.size());
  EXPECT_EQ(reader.state(), State::done);
}

}  // namespace
}  // namespace cronally::net
