// The rules of HTTP/1.1 messages that decide where one ends and the next begins, as pure
// functions of bytes: what the server refuses before its parser sees it, and how it writes
// answers. The parser (Beast) is tolerant in places where two servers could disagree; here is
// where we are not (RFC 9112 §2.2, §3.2, §5.1, §6.1, §6.3, §11.2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "net/http_server.h"

namespace cronally::net {

// Why a request was refused; becomes a problem.
struct Refusal {
  int status = 400;
  std::string_view code;
  std::string detail;
};

// Judges the bytes of a header block as far as they have come, `end` being the offset behind its
// blank line if that has come. Refuses early what can only get worse.
std::optional<Refusal> judge_header_bytes(std::string_view bytes, std::optional<std::size_t> end,
                                          const ServerOptions& options);

// Judges what the parser made of a whole header: count, framing, host, target.
struct HeaderFacts {
  std::string_view method, target;
  bool http11 = true;
};
std::optional<Refusal> judge_header(const HeaderFacts& facts, const HttpHeaders& headers,
                                    const ServerOptions& options);

// "http://host/a?b" becomes "/a?b" (RFC 9112 §3.2.2); any other form stays.
std::string_view origin_form(std::string_view target);

// How an answer's end is told.
enum class Framing { length, chunked, until_close };

struct AnswerShape {
  Framing framing = Framing::length;
  bool keep_alive = true;
  bool http11 = true;
};

// Status line and header block. Control characters in the handler's header values are dropped,
// and its framing headers are ours to set.
std::string answer_head(const Response& response, const AnswerShape& shape, Instant date);

// "Tue, 24 Nov 2026 04:30:00 GMT" (RFC 9110 §5.6.7).
std::string http_date(Instant at);

}  // namespace cronally::net
