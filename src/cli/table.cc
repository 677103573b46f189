#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace cronally::cli {
namespace {

constexpr std::string_view escape_end = "\033[0m";

std::string_view escape_of(Colour colour) {
  switch (colour) {
    case Colour::none: return "";
    case Colour::bold: return "\033[1m";
    case Colour::dim: return "\033[2m";
    case Colour::red: return "\033[31m";
    case Colour::green: return "\033[32m";
    case Colour::yellow: return "\033[33m";
  }
  return "";
}

// One UTF-8 character: its code point and length; length 0 when the bytes are not UTF-8
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;
};

Character character_at(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  std::uint32_t code = first & (0xFFu >> (length + 1));
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(at) & 0x3Fu);
  }
  constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, length};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

template <std::size_t N>
bool in_ranges(std::uint32_t code, const std::array<Range, N>& ranges) {
  return std::ranges::any_of(
      ranges, [code](const Range& range) { return code >= range.first && code <= range.last; });
}

// Combining marks and joiners that terminals lay over the character before.
constexpr std::array<Range, 5> narrow{
    {{0x300, 0x36F}, {0x1AB0, 0x1AFF}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};
// The blocks of Unicode's EastAsianWidth.txt that are W or F as a whole, and emoji.
constexpr std::array<Range, 8> wide{{{0x1100, 0x115F},
                                     {0x2E80, 0x303E},
                                     {0x3041, 0xA4CF},
                                     {0xAC00, 0xD7A3},
                                     {0xF900, 0xFAFF},
                                     {0xFF00, 0xFF60},
                                     {0x1F300, 0x1FAFF},
                                     {0x20000, 0x3FFFD}}};

// Besides C0, C1 and DEL: the bidirectional controls, which reorder what a person reads.
bool is_control(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029;
}

void append_hex(std::string& text, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
}

std::size_t columns_of(std::uint32_t code) {
  if (in_ranges(code, narrow)) return 0;
  return in_ranges(code, wide) ? 2 : 1;
}

void append_line(std::string& text, const std::vector<std::string>& cells) {
  for (const std::string& cell : cells) text += cell;
  const std::size_t end = text.find_last_not_of(' ');
  text.resize(end == std::string::npos ? 0 : end + 1);
  text += '\n';
}

std::string pad(const Cell& cell, std::size_t width, bool right, bool colour) {
  const std::size_t used = width_of(cell.text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  const std::string text = paint(cell.text, cell.colour, colour);
  return right ? blanks + text : text + blanks;
}

}  // namespace

std::string paint(std::string_view text, Colour colour, bool on) {
  if (!on || colour == Colour::none || text.empty()) return std::string(text);
  std::string painted(escape_of(colour));
  painted += text;
  painted += escape_end;
  return painted;
}

bool use_colour(bool no_color_flag, bool terminal, const Env& env) {
  const auto is_set = [&env](const char* name) { return !env(name).value_or("").empty(); };
  if (no_color_flag || is_set("NO_COLOR") || is_set("CRONALLY_NO_COLOR")) return false;
  if (is_set("FORCE_COLOR")) return true;
  return terminal && env("TERM").value_or("") != "dumb";
}

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const Character character = character_at(text);
    const std::size_t length = std::max<std::size_t>(character.length, 1);
    if (character.length == 0 || is_control(character.code))
      append_hex(safe, text.substr(0, length));
    else
      safe += text.substr(0, length);
    text.remove_prefix(length);
  }
  return safe;
}

std::string first_line(std::string_view text, std::size_t columns) {
  const std::size_t end = text.find_first_of("\r\n");
  const std::string line = printable(text.substr(0, end));
  if (width_of(line) <= columns) return line;
  std::string cut;
  std::size_t used = 0;
  for (std::string_view rest = line; !rest.empty();) {
    const Character character = character_at(rest);
    used += columns_of(character.code);
    if (used + 3 > columns) break;
    cut += rest.substr(0, character.length);
    rest.remove_prefix(character.length);
  }
  return cut + "...";
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    if (text.starts_with("\033[")) {
      text.remove_prefix(std::min(text.find('m'), text.size() - 1) + 1);
      continue;
    }
    const Character character = character_at(text);
    width += character.length == 0 ? 1 : columns_of(character.code);
    text.remove_prefix(std::max<std::size_t>(character.length, 1));
  }
  return width;
}

std::string format_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<Cell>>& rows, bool colour) {
  if (rows.empty()) return {};
  std::vector<std::size_t> widths;
  for (std::size_t at = 0; at < columns.size(); ++at) {
    std::size_t width = width_of(columns[at].title);
    for (const auto& row : rows) width = std::max(width, width_of(row[at].text));
    widths.push_back(width);
  }
  const auto line_of = [&](const std::vector<Cell>& row) {
    std::vector<std::string> cells;
    for (std::size_t at = 0; at < row.size(); ++at) {
      if (at > 0) cells.emplace_back("  ");
      cells.push_back(pad(row[at], widths[at], columns[at].right, colour));
    }
    std::string line;
    append_line(line, cells);
    return line;
  };
  std::vector<Cell> titles;
  for (const Column& column : columns) titles.emplace_back(column.title, Colour::bold);
  std::string text = line_of(titles);
  for (const auto& row : rows) text += line_of(row);
  return text;
}

std::string format_facts(const std::vector<std::pair<std::string, Cell>>& facts, bool colour) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, width_of(name));
  std::string text;
  for (const auto& [name, value] : facts) {
    std::string line;
    append_line(line, {pad({name, Colour::bold}, width, false, colour), "  ",
                       paint(value.text, value.colour, colour)});
    text += line;
  }
  return text;
}

}  // namespace cronally::cli
