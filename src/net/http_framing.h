// The rules of HTTP/1.1 messages that decide where one ends and the next begins, as pure
// functions of bytes: what the server refuses, and how it writes answers (RFC 9112 §2.2, §3.2,
// §5.1, §6.1, §6.3, §11.2). net/http_reader.h reads requests by them.
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

// Judges the bytes of a header block as far as they have come; those before `from` were judged
// before. Refuses early what can only get worse.
std::optional<Refusal> judge_header_bytes(std::string_view bytes, std::size_t from,
                                          const ServerOptions& options);

// Every line of a block ends in CR LF, none is folded, and there is no NUL.
std::optional<Refusal> judge_lines(std::string_view block, std::size_t from);

// What a name or method is made of (RFC 9110 §5.6.2).
bool is_token_char(char c);
bool is_token(std::string_view text);  // at least one of them, and nothing else

Refusal body_too_large(std::size_t limit);

// Judges a whole header: count, framing, host, target.
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

}  // namespace cronally::net
