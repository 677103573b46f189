#include "core/yaml_document_split.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace cronally::core {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

// "---" or "..." alone, or with a blank behind it.
bool is_marker(std::string_view line, std::string_view marker) {
  return line.starts_with(marker) &&
         (line.size() == marker.size() || std::string_view(" \t\r").contains(line[marker.size()]));
}

std::string_view trimmed(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

class Splitter {
 public:
  Splitter(std::string_view text, std::vector<YamlFault>& faults) : text_(text), faults_(faults) {}

  std::vector<YamlPiece> split() {
    if (text_.starts_with(byte_order_mark)) text_.remove_prefix(byte_order_mark.size());
    std::size_t at = 0;
    begin(at);
    while (at < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      read_line(text_.substr(at, end - at), at, std::min(end + 1, text_.size()));
      at = std::min(end + 1, text_.size());
      ++line_;
    }
    finish(text_.size());
    return std::move(pieces_);
  }

 private:
  void read_line(std::string_view line, std::size_t at, std::size_t next) {
    if (is_marker(line, "---")) {
      finish(at);
      begin(at);
      has_content_ = true;
    } else if (is_marker(line, "...")) {
      finish(at);
      ++line_;
      begin(next);
      --line_;
    } else if (!has_content_ && line.starts_with('%')) {
      read_directive(line, next);
    } else if (const std::string_view rest = trimmed(line); !rest.empty() && rest[0] != '#') {
      has_content_ = true;
    }
  }

  void read_directive(std::string_view line, std::size_t next) {
    const std::string_view directive = trimmed(line.substr(0, line.find(" #")));
    if (directive != "%YAML 1.2" && directive != "%YAML 1.1")
      faults_.push_back({{line_, 1}, "directives are not read here; leave the line out"});
    ++line_;
    begin(next);
    --line_;
  }

  void begin(std::size_t at) {
    begin_ = at;
    line_first_ = line_;
    has_content_ = false;
  }

  void finish(std::size_t end) {
    if (has_content_) pieces_.push_back({text_.substr(begin_, end - begin_), line_first_});
  }

  std::string_view text_;
  std::vector<YamlFault>& faults_;
  std::vector<YamlPiece> pieces_;
  std::size_t begin_ = 0;
  int line_ = 1;
  int line_first_ = 1;
  bool has_content_ = false;
};

}  // namespace

std::optional<std::string> yaml_escape(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first == '\t' || first == '\n' || first == '\r') return std::nullopt;
  int point = 0;
  if (first < ' ' || first == 0x7F)
    point = first;
  else if (first == 0xC2 && byte(1) < 0xA0)
    point = byte(1);
  else if (first == 0xE2 && byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9))
    point = 0x2000 | (byte(2) & 0x3F);
  else if (first == 0xEF && byte(1) == 0xBB && byte(2) == 0xBF)
    point = 0xFEFF;
  else if (first == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE)
    point = 0xFFC0 | (byte(2) & 0x3F);
  else
    return std::nullopt;
  return fmt::format("\\u{:04X}", point);
}

std::optional<YamlFault> byte_fault(std::string_view text) {
  const auto is_printable_ascii = [](char c) { return c >= ' ' && c < 0x7F; };
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  YamlPlace place;
  while (!text.empty()) {
    const auto run = std::ranges::find_if_not(text, is_printable_ascii) - text.begin();
    place.column += static_cast<int>(run);  // most of most files: four times as fast
    text.remove_prefix(static_cast<std::size_t>(run));
    if (text.empty()) break;
    const std::size_t length = utf8_length(text);
    if (length == 0) return YamlFault{place, "the file is not UTF-8 here; save it as UTF-8"};
    if (const auto escape = yaml_escape(text))
      return YamlFault{place, "readers of YAML differ about the character here; write it as " +
                                  *escape + ", in a text in double quotes"};
    place = text.front() == '\n' ? YamlPlace{place.line + 1, 1}
                                 : YamlPlace{place.line, place.column + 1};
    text.remove_prefix(length);
  }
  return std::nullopt;
}

std::vector<YamlPiece> split_documents(std::string_view text, std::vector<YamlFault>& faults) {
  return Splitter(text, faults).split();
}

}  // namespace cronally::core
