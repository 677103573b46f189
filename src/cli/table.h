// Texts for a terminal: aligned tables, blocks of facts, colours, and no escape sequence that
// came from elsewhere. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cronally::cli {

enum class Colour { none, bold, dim, red, green, yellow };

// A text in a colour, if `on`; else the text.
std::string paint(std::string_view text, Colour colour, bool on);

// Whether to use colours on a stream: --no-color, NO_COLOR and CRONALLY_NO_COLOR (not empty)
// turn them off, FORCE_COLOR (not empty) turns them on, else a terminal that is not TERM=dumb has
// them.
using Env = std::function<std::optional<std::string>(const std::string&)>;
bool use_colour(bool no_color_flag, bool terminal, const Env& env);

// A text that came from elsewhere (a name, an answer of a receiver), safe to show: control
// characters and bytes that are not UTF-8 become \xNN, so that nothing moves the cursor or
// recolours the screen.
std::string printable(std::string_view text);

// printable() of the first line, cut with "..." after `columns`.
std::string first_line(std::string_view text, std::size_t columns);

// How many columns a text takes: its characters, without combining marks and escape sequences of
// paint(); wide East Asian characters and emoji count two.
std::size_t width_of(std::string_view text);

struct Cell {
  std::string text;
  Colour colour = Colour::none;
  Cell(std::string t, Colour c = Colour::none) : text(std::move(t)), colour(c) {}
  Cell(const char* t) : text(t) {}
};

struct Column {
  std::string title;
  bool right = false;  // numbers
};

// Columns padded to their widest cell and parted by two blanks; no blanks at a line's end.
// Cells must be printable already. Without rows: empty.
std::string format_table(const std::vector<Column>& columns,
                         const std::vector<std::vector<Cell>>& rows, bool colour);

// "name      report\nschedule  @every 1s\n"
std::string format_facts(const std::vector<std::pair<std::string, Cell>>& facts, bool colour);

}  // namespace cronally::cli
