#include "net/http_framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/json_text.h"
#include "net/http_date.h"

namespace cronally::net {
namespace {

// A table, since each name of each request is looked at.
constexpr std::array<bool, 256> token_chars = [] {
  std::array<bool, 256> out{};
  constexpr std::string_view all =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (const char c : all) out[static_cast<unsigned char>(c)] = true;
  return out;
}();

Refusal malformed(std::string detail) { return {400, "malformed_request", std::move(detail)}; }

Refusal url_too_long(const ServerOptions& options) {
  return {414, "url_too_long",
          fmt::format("the request target is longer than {} bytes; shorten its query",
                      options.url_max)};
}

Refusal headers_too_large(const ServerOptions& options) {
  return {431, "headers_too_large",
          fmt::format("at most {} header fields and {} bytes of them are taken; send fewer",
                      options.header_count_max, options.header_max)};
}

std::optional<Refusal> judge_framing(const HeaderFacts& facts, const HttpHeaders& headers) {
  const std::size_t lengths = headers.count("content-length");
  const std::size_t codings = headers.count("transfer-encoding");
  if (lengths > 1) return malformed("there is more than one Content-Length; send one");
  if (lengths == 1) {
    const std::string_view value = *headers.find("content-length");
    std::uint64_t length = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), length);
    if (value.starts_with('-') || read.ec != std::errc{} ||
        read.ptr != value.data() + value.size()) {
      return malformed("Content-Length must be one number of bytes, in digits alone");
    }
  }
  if (codings == 0) return std::nullopt;
  if (lengths > 0) {
    return malformed("there is a Content-Length beside a Transfer-Encoding; send one of them");
  }
  if (codings > 1) return malformed("there is more than one Transfer-Encoding; send one");
  if (!facts.http11) {
    return malformed("HTTP/1.0 has no Transfer-Encoding; use HTTP/1.1 or a Content-Length");
  }
  if (!equal_names(*headers.find("transfer-encoding"), "chunked")) {
    return malformed("Transfer-Encoding must be chunked and nothing else");
  }
  return std::nullopt;
}

std::optional<Refusal> judge_target(std::string_view target) {
  const std::string_view origin = origin_form(target);
  if (!origin.starts_with('/') && origin != "*") {
    return malformed("the request target must be a path that begins with /");
  }
  for (const char c : origin) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '#') {
      return malformed("the request target holds a character that must be percent-encoded");
    }
  }
  return std::nullopt;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
  }
}

bool is_ours(std::string_view name) {
  return equal_names(name, "content-length") || equal_names(name, "transfer-encoding") ||
         equal_names(name, "connection") || equal_names(name, "date");
}

std::string without_controls(std::string_view text) {
  std::string out{text};
  std::erase_if(out, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
  return out;
}

}  // namespace

bool is_token_char(char c) { return token_chars[static_cast<unsigned char>(c)]; }

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_token_char);
}

std::optional<Refusal> judge_lines(std::string_view block, std::size_t from) {
  for (std::size_t i = from; i < block.size(); ++i) {
    const char c = block[i];
    if (c == '\0') return malformed("the header holds a NUL; take it out");
    if (c == '\r' && i + 1 < block.size() && block[i + 1] != '\n') {
      return malformed("the header holds a CR without LF; end each line in CR LF");
    }
    if (c != '\n') continue;
    if (i == 0 || block[i - 1] != '\r') {
      return malformed("the header holds an LF without CR; end each line in CR LF");
    }
    if (i + 1 < block.size() && (block[i + 1] == ' ' || block[i + 1] == '\t')) {
      return malformed("a header line begins with a blank; write each field on one line");
    }
  }
  return std::nullopt;
}

Refusal body_too_large(std::size_t limit) {
  return {413, "body_too_large",
          fmt::format("a body of at most {} bytes is taken here; send less at once", limit)};
}

std::optional<Refusal> judge_header_bytes(std::string_view bytes, std::size_t from,
                                          const ServerOptions& options) {
  if (!bytes.empty() && !is_token_char(bytes.front())) {
    return malformed("this is not HTTP; speak HTTP/1.1, without TLS");
  }
  // Method, version and blanks are 32 bytes at most in any request that we can serve.
  const std::size_t line_max = options.url_max + 32;
  if (bytes.size() > line_max && bytes.substr(0, line_max).find('\n') == std::string_view::npos) {
    return url_too_long(options);
  }
  if (bytes.size() > options.header_max) return headers_too_large(options);
  return judge_lines(bytes, from);
}

std::optional<Refusal> judge_header(const HeaderFacts& facts, const HttpHeaders& headers,
                                    const ServerOptions& options) {
  if (facts.target.size() > options.url_max) return url_too_long(options);
  if (headers.size() > options.header_count_max) return headers_too_large(options);
  if (auto refusal = judge_framing(facts, headers)) return refusal;
  const std::size_t hosts = headers.count("host");
  if (hosts > 1) return malformed("there is more than one Host; send one");
  if (hosts == 0 && facts.http11) return malformed("the header Host is missing; send one");
  if (const auto expect = headers.find("expect"); expect && !equal_names(*expect, "100-continue")) {
    return Refusal{417, "expectation_failed",
                   "Expect must be 100-continue; leave it out or send that"};
  }
  return judge_target(facts.target);
}

std::string_view origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() < scheme.size() || !equal_names(target.substr(0, scheme.size()), scheme)) {
      continue;
    }
    target.remove_prefix(scheme.size());
    const std::size_t path = target.find_first_of("/?");  // a bare "?…" is refused later
    return path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

std::string answer_head(const Response& response, const AnswerShape& shape, Instant date) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                reason_phrase(response.status), http_date(date));
  for (const HttpHeader& field : response.headers) {
    if (is_ours(field.name)) continue;
    out += fmt::format("{}: {}\r\n", field.name, without_controls(field.value));
  }
  const bool bodiless = response.status == 204 || response.status == 304;
  if (shape.framing == Framing::chunked) out += "Transfer-Encoding: chunked\r\n";
  if (shape.framing == Framing::length && !bodiless) {
    out += fmt::format("Content-Length: {}\r\n", response.body.size());
  }
  if (!shape.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!shape.http11) {
    out += "Connection: keep-alive\r\n";
  }
  return out + "\r\n";
}

Response problem(int status, std::string_view code, std::string_view detail) {
  return {.status = status,
          .headers = {{"Content-Type", "application/problem+json"}},
          .body = fmt::format(
              R"({{"type":"about:blank","title":{},"status":{},"code":{},"detail":{}}})",
              json_quote(reason_phrase(status)), status, json_quote(code), json_quote(detail))};
}

}  // namespace cronally::net
