#include "net/http_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace cronally::net {
namespace {

// A chunk's size with its extensions, which nobody uses.
constexpr std::size_t chunk_line_max = 1024;
// A body grows from here: a Content-Length alone takes no memory.
constexpr std::size_t body_reserve_max = 64 * 1024;
constexpr std::size_t chunk_digits_max = 16;

std::string_view trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

// What is wrong with a field's line (RFC 9112 §5.1); empty for nothing.
std::string_view field_fault(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return "holds no colon";
  const std::string_view name = line.substr(0, colon);
  if (name.empty()) return "holds no name before the colon";
  if (name.ends_with(' ') || name.ends_with('\t')) return "holds a blank before the colon";
  if (!std::ranges::all_of(name, is_token_char)) return "holds a character that no name has";
  if (std::ranges::any_of(line.substr(colon + 1), is_control)) return "holds a control character";
  return {};
}

// Whether a list such as Connection's holds this word (RFC 9110 §5.6.1).
bool lists(const HttpHeaders& headers, std::string_view name, std::string_view word) {
  for (const HttpHeader& field : headers) {
    if (!equal_names(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (equal_names(trim(rest.substr(0, comma)), word)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

}  // namespace

std::size_t RequestReader::take(std::string_view bytes) {
  std::size_t taken = 0;
  if (state_ == State::header) taken = take_header(bytes);
  if (state_ == State::body) taken += take_body(bytes.substr(taken));
  return taken;
}

void RequestReader::refuse(Refusal refusal) {
  refusal_ = std::move(refusal);
  state_ = State::refused;
}

void RequestReader::refuse(std::string detail) {
  refuse({400, "malformed_request", std::move(detail)});
}

// ---- The head ---------------------------------------------------------------------------------

std::size_t RequestReader::take_header(std::string_view bytes) {
  std::size_t skipped = 0;
  // Empty lines before a request are let pass (RFC 9112 §2.2).
  while (judged_ == 0 && bytes.substr(skipped).starts_with("\r\n")) skipped += 2;
  const std::string_view rest = bytes.substr(skipped);
  if (rest.empty() || (judged_ == 0 && rest == "\r")) return skipped;
  const std::size_t blank = rest.find("\r\n\r\n", judged_ < 3 ? 0 : judged_ - 3);
  const bool whole = blank != std::string_view::npos;
  const std::string_view block = whole ? rest.substr(0, blank + 4) : rest;
  // The last byte of the call before is judged again, now that the next one is known.
  if (auto refusal = judge_header_bytes(block, judged_ == 0 ? 0 : judged_ - 1, options_)) {
    refuse(std::move(*refusal));
    return skipped;
  }
  judged_ = rest.size();
  if (!whole) return skipped;
  read_head(block);
  return skipped + block.size();
}

void RequestReader::read_head(std::string_view block) {
  std::size_t number = 0;
  while (block != "\r\n") {
    const std::size_t end = block.find("\r\n");
    const std::string_view line = block.substr(0, end);
    const bool read = ++number == 1 ? read_request_line(line) : read_field(line, number);
    if (!read) return;
    block.remove_prefix(end + 2);
  }
  const HeaderFacts facts{request_.method, request_.target, http11_};
  if (auto refusal = judge_header(facts, request_.headers, options_)) {
    return refuse(std::move(*refusal));
  }
  head_ = request_.method == "HEAD";
  request_.head = head_;
  if (head_) request_.method = "GET";
  request_.target = std::string{origin_form(request_.target)};
  const std::size_t question = std::min(request_.target.find('?'), request_.target.size());
  request_.path = request_.target.substr(0, question);
  request_.query = request_.target.substr(std::min(question + 1, request_.target.size()));
  keep_alive_ = http11_ ? !lists(request_.headers, "connection", "close")
                        : lists(request_.headers, "connection", "keep-alive");
  begin_body();
}

bool RequestReader::read_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', std::min(first + 1, line.size()));
  const std::string_view method = line.substr(0, first);
  if (!std::ranges::all_of(method, is_token_char)) {
    refuse("line 1 must be METHOD TARGET HTTP/1.1, and no method has such a character");
    return false;
  }
  if (first == std::string_view::npos || second == std::string_view::npos) {
    refuse("line 1 names no version; it must be METHOD TARGET HTTP/1.1");
    return false;
  }
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (target.empty() || version.contains(' ')) {
    refuse("line 1 must be METHOD TARGET HTTP/1.1, with one blank between each");
    return false;
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    refuse(fmt::format("line 1 ends in {}; only HTTP/1.1 and HTTP/1.0 are spoken here",
                       quote(version)));
    return false;
  }
  http11_ = version == "HTTP/1.1";
  request_.method = method;
  request_.target = target;
  return true;
}

bool RequestReader::read_field(std::string_view line, std::size_t number) {
  if (const std::string_view fault = field_fault(line); !fault.empty()) {
    refuse(fmt::format("line {} of the header {}; write it as NAME: VALUE", number, fault));
    return false;
  }
  const std::size_t colon = line.find(':');
  request_.headers.add(std::string{line.substr(0, colon)},
                       std::string{trim(line.substr(colon + 1))});
  return true;
}

// ---- The body ---------------------------------------------------------------------------------

void RequestReader::begin_body() {
  body_max_ =
      options_.body_max ? options_.body_max(request_.method, request_.path) : body_max_default;
  wants_continue_ = request_.headers.find("expect").has_value();
  const auto length = request_.headers.find("content-length");
  if (request_.headers.find("transfer-encoding")) {
    part_ = Part::chunk_size;
    state_ = State::body;
    return;
  }
  if (!length) {
    state_ = State::done;
    return;
  }
  part_ = Part::length;
  // judge_header found it to be a number that fits.
  std::from_chars(length->data(), length->data() + length->size(), expected_);
  if (expected_ > body_max_) return refuse(body_too_large(body_max_));
  request_.body.reserve(std::min(expected_, body_reserve_max));
  state_ = expected_ == 0 ? State::done : State::body;
}

std::size_t RequestReader::take_body(std::string_view bytes) {
  std::size_t taken = 0;
  while (state_ == State::body) {
    const std::string_view rest = bytes.substr(taken);
    const Part before = part_;
    std::size_t now = 0;
    switch (part_) {
      case Part::length: now = take_data(rest, Part::length); break;
      case Part::chunk_data: now = take_data(rest, Part::chunk_end); break;
      case Part::chunk_size: now = take_chunk_size(rest); break;
      case Part::chunk_end: now = take_chunk_end(rest); break;
      case Part::trailer: now = take_trailer(rest); break;
    }
    taken += now;
    if (now == 0 && part_ == before) break;
  }
  return taken;
}

std::size_t RequestReader::take_data(std::string_view bytes, Part next) {
  const std::size_t count = std::min(bytes.size(), expected_);
  request_.body.append(bytes.substr(0, count));
  expected_ -= count;
  if (expected_ > 0) return count;
  if (next == Part::length) state_ = State::done;
  part_ = next;
  return count;
}

std::size_t RequestReader::take_chunk_size(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end);
  std::size_t digits = 0;
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  while (digits < line.size() && is_hex(line[digits])) ++digits;
  const std::string_view extension = trim(line.substr(digits));
  const bool starts_well = digits > 0 && digits <= chunk_digits_max &&
                           (extension.empty() || extension == "\r" || extension.front() == ';');
  if ((!line.empty() && !starts_well) || line.size() > chunk_line_max) {
    refuse("a chunk must begin with its size, 1 to 16 hexadecimal digits, and CR LF");
    return 0;
  }
  if (end == std::string_view::npos) return 0;
  if (!line.ends_with('\r') || std::ranges::any_of(line.substr(0, line.size() - 1), is_control)) {
    refuse("the line of a chunk's size must end in CR LF and hold no control character");
    return 0;
  }
  std::uint64_t size = 0;
  std::from_chars(line.data(), line.data() + digits, size, 16);
  if (size > body_max_ - request_.body.size()) {
    refuse(body_too_large(body_max_));
    return 0;
  }
  expected_ = size;
  part_ = size == 0 ? Part::trailer : Part::chunk_data;
  return end + 1;
}

std::size_t RequestReader::take_chunk_end(std::string_view bytes) {
  constexpr std::string_view line_end = "\r\n";
  if (!line_end.starts_with(bytes.substr(0, line_end.size()))) {
    refuse("a chunk is longer than its size says, or does not end in CR LF");
    return 0;
  }
  if (bytes.size() < line_end.size()) return 0;
  part_ = Part::chunk_size;
  return line_end.size();
}

// Trailers are read over: nothing here asks for one, and a header that comes late must not count
// (RFC 9110 §6.5.1).
std::size_t RequestReader::take_trailer(std::string_view bytes) {
  constexpr std::string_view line_end = "\r\n";
  const bool empty = bytes.starts_with(line_end);
  const std::size_t blank = bytes.find("\r\n\r\n");
  const bool whole = empty || blank != std::string_view::npos;
  const std::string_view block = bytes.substr(0, empty   ? line_end.size()
                                                 : whole ? blank + 4
                                                         : bytes.size());
  if (block.size() > options_.header_max) {
    refuse(fmt::format("the trailer is longer than {} bytes; send none", options_.header_max));
    return 0;
  }
  if (auto refusal = judge_lines(block, 0)) {
    refuse(std::move(*refusal));
    return 0;
  }
  if (!whole) return 0;
  for (std::string_view rest = block; rest != line_end;) {
    const std::size_t end = rest.find(line_end);
    if (const std::string_view fault = field_fault(rest.substr(0, end)); !fault.empty()) {
      refuse(fmt::format("a line of the trailer {}; write it as NAME: VALUE", fault));
      return 0;
    }
    rest.remove_prefix(end + line_end.size());
  }
  state_ = State::done;
  return block.size();
}

}  // namespace cronally::net
