#include "core/yaml_document_events.h"

#include <new>
#include <string_view>
#include <utility>

namespace cronally::core {

YamlEvents::YamlEvents(const YamlPiece& piece) : line_first_(piece.line), parser_() {
  if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
  yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(piece.text.data()),
                               piece.text.size());
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
      made.text.assign(reinterpret_cast<const char*>(event.data.scalar.value),
                       event.data.scalar.length);
      made.plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      break;
    case YAML_ALIAS_EVENT: made.kind = Kind::alias; break;
    case YAML_NO_EVENT:  // what comes behind the stream's end
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT: break;
  }
  return made;
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
