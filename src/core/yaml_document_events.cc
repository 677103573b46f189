#include "core/yaml_document_events.h"

#include <new>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace cronally::core {
namespace {

constexpr char32_t supplementary_first = 0x10000;
constexpr char32_t supplementary_last = 0x10FFFF;

// Of a well-formed character of that many bytes.
char32_t code_point(std::string_view text) {
  constexpr unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t point = static_cast<unsigned char>(text[0]) & lead_bits[text.size()];
  for (const char c : text.substr(1)) point = (point << 6) | (static_cast<unsigned char>(c) & 0x3F);
  return point;
}

std::string utf8_of_supplementary(char32_t point) {
  return {static_cast<char>(0xF0 | (point >> 18)), static_cast<char>(0x80 | ((point >> 12) & 0x3F)),
          static_cast<char>(0x80 | ((point >> 6) & 0x3F)),
          static_cast<char>(0x80 | (point & 0x3F))};
}

// The bytes of the character here if the library reads it otherwise than YAML 1.2 does, else 0.
std::size_t misread_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  switch (byte(0)) {
    case 0xC2:  // U+0080 to U+009F
      return byte(1) < 0xA0 ? 2 : 0;
    case 0xE2:  // U+2028, U+2029
      return byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9) ? 3 : 0;
    case 0xEF:  // U+FEFF, U+FFFE, U+FFFF
      if (byte(1) == 0xBB) return byte(2) == 0xBF ? 3 : 0;
      return byte(1) == 0xBF && byte(2) >= 0xBE ? 3 : 0;
    default: return 0;
  }
}

// Which supplementary characters a text holds, or could by its escapes \U0001F600. A text of
// 1 MiB has room for a quarter of them, so that there are always some that it does not hold.
class Supplementary {
 public:
  explicit Supplementary(std::string_view text) : held_(supplementary_last + 1) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (static_cast<unsigned char>(text[at]) >= 0xF0) {
        held_[code_point(text.substr(at, 4))] = true;
      } else if (text[at] == '\\' && text.substr(at + 1, 1) == "U") {
        hold_escape(text.substr(at + 2, 8));
      }
    }
  }

  char32_t next_free() {
    while (held_[free_]) --free_;
    CHECK(free_ >= supplementary_first, "a text of 1 MiB holds every character");
    return free_--;
  }

 private:
  void hold_escape(std::string_view digits) {
    char32_t point = 0;
    for (const char c : digits) {
      const int value = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (value < 0) return;
      point = (point << 4) | static_cast<char32_t>(value);
    }
    if (point <= supplementary_last) held_[point] = true;
  }

  std::vector<bool> held_;
  char32_t free_ = supplementary_last;
};

// An escape \N or \_ between double quotes.
bool has_short_escape(std::string_view quoted) {
  for (std::size_t at = 0; at + 1 < quoted.size(); ++at) {
    if (quoted[at] != '\\') continue;
    ++at;
    if (quoted[at] == 'N' || quoted[at] == '_') return true;
  }
  return false;
}

}  // namespace

YamlStandIns::YamlStandIns(std::string_view text) : given_(text) {
  for (std::size_t at = 0; at < text.size() && changed_.empty(); ++at)
    if (static_cast<signed char>(text[at]) < 0 && misread_length(text.substr(at)) > 0) replace();
}

void YamlStandIns::replace() {
  Supplementary supplementary(given_);
  std::unordered_map<char32_t, std::string> stand_ins;
  changed_.reserve(2 * given_.size());
  for (std::size_t at = 0; at < given_.size();) {
    const std::size_t length = misread_length(given_.substr(at));
    if (length == 0) {
      changed_ += given_[at++];
      continue;
    }
    const std::string_view original = given_.substr(at, length);
    std::string& stand_in = stand_ins[code_point(original)];
    if (stand_in.empty()) {
      const char32_t point = supplementary.next_free();
      stand_in = utf8_of_supplementary(point);
      originals_.emplace(point, original);
    }
    changed_ += stand_in;
    at += length;
  }
}

std::string YamlStandIns::restored(std::string_view part) const {
  if (originals_.empty()) return std::string(part);
  std::string text;
  text.reserve(part.size());
  for (std::size_t at = 0; at < part.size();) {
    const std::size_t length = static_cast<unsigned char>(part[at]) >= 0xF0 ? 4 : 1;
    const std::string_view character = part.substr(at, length);
    const auto original = length == 4 ? originals_.find(code_point(character)) : originals_.end();
    text += original == originals_.end() ? character : std::string_view(original->second);
    at += length;
  }
  return text;
}

YamlEvents::YamlEvents(const YamlPiece& piece)
    : line_first_(piece.line), stand_ins_(piece.text), parser_() {
  if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
  const std::string_view text = stand_ins_.text();
  yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
}

YamlEvents::~YamlEvents() { yaml_parser_delete(&parser_); }

YamlEvent YamlEvents::next() {
  if (parser_.error != YAML_NO_ERROR) return fault();
  yaml_event_t event;
  do {
    if (yaml_parser_parse(&parser_, &event) == 0) return fault();
  } while (event.type == YAML_STREAM_START_EVENT);
  YamlEvent made = event_of(event);
  yaml_event_delete(&event);
  return made;
}

YamlPlace YamlEvents::place_of(const yaml_mark_t& mark) const {
  return {static_cast<int>(mark.line) + line_first_, static_cast<int>(mark.column) + 1};
}

YamlEvent YamlEvents::event_of(const yaml_event_t& event) {
  using Kind = YamlEvent::Kind;
  YamlEvent made;
  made.place = place_of(event.start_mark);
  const auto node = [&](Kind kind, const yaml_char_t* anchor, const yaml_char_t* tag) {
    made.kind = kind;
    made.anchored = anchor != nullptr;
    made.tagged = tag != nullptr;
  };
  switch (event.type) {
    case YAML_DOCUMENT_START_EVENT: made.kind = Kind::document; break;
    case YAML_DOCUMENT_END_EVENT: made.kind = Kind::document_end; break;
    case YAML_SEQUENCE_START_EVENT:
      node(Kind::list, event.data.sequence_start.anchor, event.data.sequence_start.tag);
      break;
    case YAML_SEQUENCE_END_EVENT: made.kind = Kind::list_end; break;
    case YAML_MAPPING_START_EVENT:
      node(Kind::map, event.data.mapping_start.anchor, event.data.mapping_start.tag);
      break;
    case YAML_MAPPING_END_EVENT: made.kind = Kind::map_end; break;
    case YAML_SCALAR_EVENT:
      node(Kind::scalar, event.data.scalar.anchor, event.data.scalar.tag);
      read_scalar(event, made);
      break;
    case YAML_ALIAS_EVENT: made.kind = Kind::alias; break;
    case YAML_NO_EVENT:  // what comes behind the stream's end
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT: break;
  }
  return made;
}

void YamlEvents::read_scalar(const yaml_event_t& event, YamlEvent& made) {
  const auto& scalar = event.data.scalar;
  const std::string_view text{reinterpret_cast<const char*>(scalar.value), scalar.length};
  made.text = stand_ins_.restored(text);
  made.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
  made.twisted = scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE &&
                 (text.contains("\u0085") || text.contains("\u00A0")) &&
                 has_short_escape(source_of(event));
}

std::string_view YamlEvents::source_of(const yaml_event_t& event) {
  const std::string_view text = stand_ins_.text();
  const auto pass_to = [&](std::size_t characters) {
    for (; characters_passed_ < characters && bytes_passed_ < text.size(); ++characters_passed_)
      bytes_passed_ += utf8_length(text.substr(bytes_passed_));
    return bytes_passed_;
  };
  const std::size_t begin = pass_to(event.start_mark.index);
  return text.substr(begin, pass_to(event.end_mark.index) - begin);
}

// The library's words are fragments: "did not find expected ',' or ']'", "while parsing a flow
// sequence".
YamlEvent YamlEvents::fault() const {
  if (parser_.error == YAML_MEMORY_ERROR) throw std::bad_alloc();
  const std::string_view problem = parser_.problem ? parser_.problem : "it cannot be read";
  const std::string_view context = parser_.context ? parser_.context : "";
  YamlEvent made;
  made.kind = YamlEvent::Kind::fault;
  made.place = place_of(parser_.problem_mark);
  if (context == "while scanning an alias") {
    made.place = place_of(parser_.context_mark);
    made.text = "not YAML: a text that begins with * needs quotes";
  } else if (problem == "found character that cannot start any token") {
    made.text = "not YAML: a text that begins with this character needs quotes";
  } else {
    made.text = "not YAML: " + std::string(problem);
    if (!context.empty()) made.text += " " + std::string(context);
    const YamlPlace began = place_of(parser_.context_mark);
    if (!context.empty() && began.line < made.place.line)
      made.text += " that begins on line " + std::to_string(began.line);
  }
  return made;
}

}  // namespace cronally::core
