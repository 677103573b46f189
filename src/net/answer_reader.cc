#include "net/answer_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace cronally::net {
namespace {

// A chunk's size with its extensions, which nobody uses.
constexpr std::size_t chunk_line_max = 4 * 1024;
// Without extensions: digits, a few blanks, CR LF.
constexpr std::size_t chunk_line_plain = 24;
constexpr std::size_t chunk_digits_max = 16;
// A body grows from here: a Content-Length alone takes no memory.
constexpr std::uint64_t body_reserve_max = 64 * 1024;
// No number and no date is longer.
constexpr std::size_t retry_after_length_max = 64;

std::string_view trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Calls `each` with the members of a list such as Connection's (RFC 9110 §5.6.1).
template <class Each>
void for_each_member(std::string_view list, Each each) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (const std::string_view member = trim(list.substr(0, comma)); !member.empty()) each(member);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// The first line, and those that continue it, each beginning with a blank (RFC 9112 §5.2).
std::string_view first_field(std::string_view block) {
  std::size_t end = block.find('\n');
  while (end + 1 < block.size() && (block[end + 1] == ' ' || block[end + 1] == '\t')) {
    end = block.find('\n', end + 1);
  }
  return block.substr(0, end + 1);
}

// A folded value on one line.
std::string unfolded(std::string_view value) {
  std::string out{value};
  std::ranges::replace_if(out, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return out;
}

}  // namespace

void AnswerReader::reset(bool to_head) {
  std::string body = std::move(body_);
  body.clear();
  *this = AnswerReader{limits_};
  body_ = std::move(body);
  to_head_ = to_head;
}

std::size_t AnswerReader::take(std::string_view bytes) {
  std::size_t taken = 0;
  while (state_ == State::header) {  // once more behind each interim answer
    const std::size_t now = take_header(bytes.substr(taken));
    taken += now;
    if (now == 0) break;
  }
  if (state_ == State::body) taken += take_body(bytes.substr(taken));
  return taken;
}

void AnswerReader::end() {
  if (state_ == State::body && part_ == Part::until_end) return finish();
  if (state_ == State::body) return break_off("the connection closed within the answer's body");
  if (state_ != State::header) return;
  break_off(seen_ == 0 && header_bytes_ == 0 ? "the connection closed before an answer came"
                                             : "the connection closed within the answer's header");
}

std::optional<std::string_view> AnswerReader::retry_after() const {
  if (retry_after_.empty()) return std::nullopt;
  return retry_after_;
}

void AnswerReader::break_off(std::string_view fault) {
  state_ = State::broken;
  fault_ = fault;
  keep_alive_ = false;
}

void AnswerReader::finish() { state_ = State::done; }

// ---- The header -------------------------------------------------------------------------------

// Up to and with the blank line; 0: it has not come.
std::size_t AnswerReader::header_length(std::string_view bytes) {
  // The end may have begun in the bytes seen before.
  for (std::size_t at = bytes.find('\n', seen_ < 2 ? 0 : seen_ - 2); at != std::string_view::npos;
       at = bytes.find('\n', at + 1)) {
    if (bytes.substr(at + 1).starts_with('\n')) return at + 2;
    if (bytes.substr(at + 1).starts_with("\r\n")) return at + 3;
  }
  return 0;
}

std::size_t AnswerReader::take_header(std::string_view bytes) {
  constexpr std::string_view begin = "HTTP/";
  if (!begin.starts_with(bytes.substr(0, begin.size()))) {
    break_off("the answer is not HTTP");
    return 0;
  }
  const std::size_t length = header_length(bytes);
  if (header_bytes_ + (length > 0 ? length : bytes.size()) > limits_.header_max) {
    break_off("the answer's header is too long");
    return 0;
  }
  seen_ = bytes.size();
  if (length == 0) return 0;
  seen_ = 0;
  header_bytes_ += length;
  read_header(bytes.substr(0, length));
  return length;
}

void AnswerReader::read_header(std::string_view block) {
  if (block.contains('\0')) return break_off("the answer's header holds a NUL");
  block = read_status_line(block);
  if (state_ == State::broken) return;
  const bool interim = status_ < 200 && status_ != 101;
  while (!interim && !block.empty()) {
    const std::string_view field = first_field(block);
    if (!read_field(field)) return break_off("the answer's lengths contradict each other");
    block.remove_prefix(field.size());
  }
  if (!interim) begin_body();
}

// "HTTP/1.1 200 OK" or "HTTP/1.1 200"; returns what follows its line.
std::string_view AnswerReader::read_status_line(std::string_view block) {
  const std::size_t end = block.find('\n');
  const std::string_view line = trim(block.substr(0, end));
  const bool http1 = line.starts_with("HTTP/1.") && line.size() >= 8 && is_digit(line[7]);
  const std::string_view rest = line.substr(std::min<std::size_t>(8, line.size()));
  const std::string_view digits = trim(rest).substr(0, 3);
  const bool coded = rest.starts_with(' ') && digits.size() == 3 &&
                     std::ranges::all_of(digits, is_digit) &&
                     (trim(rest).size() == 3 || trim(rest)[3] == ' ');
  status_ = 0;
  if (coded) std::from_chars(digits.data(), digits.data() + digits.size(), status_);
  if (!http1 || status_ < 100) {
    break_off("the answer has no status: it is not HTTP");
    return {};
  }
  http11_ = line[7] != '0';
  block.remove_prefix(end + 1);
  // A folded line that continues no field.
  while (block.starts_with(' ') || block.starts_with('\t')) {
    block.remove_prefix(block.find('\n') + 1);
  }
  return block;
}

// False: it leaves in doubt where the answer ends.
bool AnswerReader::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string_view name = trim(line.substr(0, colon));
  const std::string_view value = trim(line.substr(colon + 1));
  if (limits_.keep_headers) headers_.add(std::string{name}, unfolded(value));
  // Lengths tell most names apart.
  switch (name.size()) {
    case 10:
      if (!equal_names(name, "connection")) break;
      for_each_member(value, [&](std::string_view member) {
        asks_close_ |= equal_names(member, "close");
        asks_keep_alive_ |= equal_names(member, "keep-alive");
      });
      break;
    case 11:
      if (retry_after_.empty() && value.size() <= retry_after_length_max &&
          equal_names(name, "retry-after")) {
        retry_after_ = unfolded(value);
      }
      break;
    case 14:
      if (equal_names(name, "content-length")) return read_length(value);
      break;
    case 17:
      if (!equal_names(name, "transfer-encoding")) break;
      for_each_member(value, [&](std::string_view member) {
        if (equal_names(member, "identity")) return;
        chunked_ = equal_names(member, "chunked");
        other_coding_ = !chunked_;  // the last one counts
      });
      break;
    default: break;
  }
  return true;
}

// One number, or several equal ones (RFC 9110 §8.6).
bool AnswerReader::read_length(std::string_view value) {
  bool clear = !value.empty();
  for_each_member(value, [&](std::string_view member) {
    clear = clear && std::ranges::all_of(member, is_digit);
    std::uint64_t length = std::numeric_limits<std::uint64_t>::max();  // what does not fit
    std::from_chars(member.data(), member.data() + member.size(), length);
    clear = clear && (!length_ || *length_ == length);
    length_ = length;
  });
  return clear && length_;
}

// ---- The body ---------------------------------------------------------------------------------

void AnswerReader::begin_body() {
  const bool coded = chunked_ || other_coding_;
  keep_alive_ = status_ != 101 && (http11_ ? !asks_close_ : asks_keep_alive_ && !asks_close_);
  // A length beside a coding, or a coding in HTTP/1.0, is how answers are smuggled: this one is
  // read by its coding, and nothing after it (RFC 9112 §6.1, §6.3).
  if (coded && (length_ || !http11_)) keep_alive_ = false;
  state_ = State::body;
  if (to_head_ || status_ == 101 || status_ == 204 || status_ == 304) return finish();
  if (chunked_) {
    part_ = Part::chunk_size;
  } else if (length_ && !other_coding_) {
    part_ = Part::length;
    expected_ = *length_;
    body_.reserve(std::min({expected_, body_reserve_max, std::uint64_t{limits_.body_kept_max}}));
    if (expected_ == 0) finish();
  } else {
    part_ = Part::until_end;
    keep_alive_ = false;
  }
}

std::size_t AnswerReader::take_body(std::string_view bytes) {
  std::size_t taken = 0;
  while (state_ == State::body) {
    const std::string_view rest = bytes.substr(taken);
    std::size_t now = 0;
    switch (part_) {
      case Part::length:
      case Part::chunk_data: now = take_data(rest); break;
      case Part::chunk_size: now = take_chunk_size(rest); break;
      case Part::chunk_end: now = take_chunk_end(rest); break;
      case Part::trailer: now = take_trailer(rest); break;
      case Part::until_end: keep(rest), now = rest.size(); break;
    }
    taken += now;
    if (now == 0) break;
  }
  return taken;
}

std::size_t AnswerReader::take_data(std::string_view bytes) {
  const std::size_t count = std::min<std::uint64_t>(bytes.size(), expected_);
  keep(bytes.substr(0, count));
  expected_ -= count;
  if (expected_ > 0 || state_ != State::body) return count;
  if (part_ == Part::length) finish();
  part_ = part_ == Part::length ? Part::length : Part::chunk_end;
  return count;
}

std::size_t AnswerReader::take_chunk_size(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end);
  const auto digits =
      static_cast<std::size_t>(std::ranges::find_if_not(line, is_hex) - line.begin());
  const bool starts_well = digits > 0 && digits <= chunk_digits_max;
  if ((!line.empty() && !starts_well) || line.size() > chunk_line_max) {
    break_off("a chunk of the answer does not begin with its size");
    return 0;
  }
  if (end == std::string_view::npos) return 0;
  if (line.empty()) {
    break_off("a chunk of the answer does not begin with its size");
    return 0;
  }
  // So that chunks of one byte cannot bring gigabytes of extensions.
  if (line.size() > chunk_line_plain) header_bytes_ += line.size();
  if (header_bytes_ > limits_.header_max) {
    break_off("the extensions of the answer's chunks are too long");
    return 0;
  }
  std::from_chars(line.data(), line.data() + digits, expected_, 16);
  part_ = expected_ == 0 ? Part::trailer : Part::chunk_data;
  return end + 1;
}

std::size_t AnswerReader::take_chunk_end(std::string_view bytes) {
  const std::size_t length = bytes.starts_with('\r') ? 2 : 1;
  if (bytes.size() < length) return 0;
  if (bytes[length - 1] != '\n') {
    break_off("a chunk of the answer is longer than its size says");
    return 0;
  }
  part_ = Part::chunk_size;
  return length;
}

// Trailers are read over: nothing here asks for one.
std::size_t AnswerReader::take_trailer(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  const bool whole = end != std::string_view::npos;
  const std::size_t length = whole ? end + 1 : bytes.size();
  if (header_bytes_ + length > limits_.header_max) {
    break_off("the answer's trailer is too long");
    return 0;
  }
  if (!whole) return 0;
  header_bytes_ += length;
  if (trim(bytes.substr(0, length)).empty()) finish();
  return length;
}

void AnswerReader::keep(std::string_view bytes) {
  const std::size_t room = limits_.body_kept_max - std::min(body_.size(), limits_.body_kept_max);
  const std::string_view kept = bytes.substr(0, room);
  body_.append(kept);
  body_kept_ += kept.size();
  body_bytes_ += bytes.size();
  if (body_bytes_ <= limits_.body_read_max) return;
  keep_alive_ = false;
  finish();
}

}  // namespace cronally::net
