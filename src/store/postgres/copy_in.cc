#include "store/postgres/copy_in.h"

#include <charconv>

#include "base/error.h"
#include "store/postgres/sql.h"

namespace cronally::store::postgres {

namespace {

constexpr std::size_t piece = std::size_t{256} << 10;
constexpr std::string_view signature{"PGCOPY\n\xff\r\n\0", 11};

std::string tag_number(std::string_view tag) {
  const auto blank = tag.rfind(' ');
  return std::string(tag.substr(blank == std::string_view::npos ? 0 : blank + 1));
}

}  // namespace

CopyIn::CopyIn(Connection& db, std::string_view statement) : db_(db) {
  db_.begin_copy(statement_named(statement).sql);
  buffer_ = signature;
  write(0, 4);  // flags
  write(0, 4);  // extension
}

void CopyIn::write(std::uint64_t value, int width) {
  for (int shift = width * 8 - 8; shift >= 0; shift -= 8) {
    buffer_ += static_cast<char>(value >> shift & 0xffU);
  }
}

CopyIn& CopyIn::row(std::size_t fields) {
  if (buffer_.size() >= piece) send();
  write(fields, 2);
  return *this;
}

CopyIn& CopyIn::integer(std::int64_t value, int width) {
  const int shift = 64 - width * 8;
  const auto bits = static_cast<std::uint64_t>(value);
  if (static_cast<std::int64_t>(bits << shift) >> shift != value) {
    throw Unavailable("the number " + std::to_string(value) + " does not fit its column of " +
                      std::to_string(width) + " bytes: the store that is read is damaged");
  }
  write(static_cast<std::uint64_t>(width), 4);
  write(bits, width);
  return *this;
}

CopyIn& CopyIn::bytes(std::string_view value) {
  write(value.size(), 4);
  buffer_ += value;
  return *this;
}

CopyIn& CopyIn::json(std::string_view text) {
  write(text.size() + 1, 4);
  write(1, 1);  // the version of jsonb's format
  buffer_ += text;
  return *this;
}

CopyIn& CopyIn::null() {
  write(~std::uint64_t{0}, 4);
  return *this;
}

void CopyIn::send() {
  db_.send_copy(buffer_);
  buffer_.clear();
}

std::int64_t CopyIn::finish() {
  write(~std::uint64_t{0}, 2);  // no further row
  send();
  const auto number = tag_number(db_.end_copy().tag());
  std::int64_t rows = 0;
  std::from_chars(number.data(), number.data() + number.size(), rows);
  return rows;
}

}  // namespace cronally::store::postgres
