// Cursors of lists: a few integers as an opaque text.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/hmac.h"
#include "base/result.h"

namespace cronally::store {

template <std::size_t n>
std::string write_cursor(const std::array<std::int64_t, n>& numbers) {
  std::string text;
  for (auto number : numbers) text += (text.empty() ? "" : ".") + std::to_string(number);
  return base64url(text);
}

// Code "invalid_cursor" for anything that write_cursor<n> does not write.
template <std::size_t n>
Result<std::array<std::int64_t, n>> read_cursor(std::string_view cursor) {
  auto wrong = fail("invalid_cursor", "this cursor is not one that a list gave; start without one");
  auto text = base64url_decode(cursor);
  if (!text) return wrong;
  std::array<std::int64_t, n> numbers{};
  const char* at = text->data();
  const char* end = at + text->size();
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return wrong;
    auto [next, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc{}) return wrong;
    at = next;
  }
  // "01", and whatever else means a number and is not how it is written.
  if (at != end || write_cursor<n>(numbers) != cursor) return wrong;
  return numbers;
}

}  // namespace cronally::store
