// One document as a stream of events with their places: libyaml behind a C++ face. Used by
// yaml_document; no other file knows the library.
#pragma once

#include <yaml.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "core/yaml_document_split.h"

namespace cronally::core {

struct YamlEvent {
  enum class Kind {
    document,
    document_end,
    list,
    list_end,
    map,
    map_end,
    scalar,
    alias,
    end,
    fault
  };

  Kind kind = Kind::end;  // `end` and `fault` come last, and again whenever one asks
  YamlPlace place;
  std::string text;       // of a scalar; of a fault what is wrong
  bool plain = false;     // a scalar without quotes, and no block
  bool anchored = false;  // has an &anchor
  bool tagged = false;    // has a !tag
};

// The events of one piece. The piece's text must outlive it.
class YamlEvents {
 public:
  explicit YamlEvents(const YamlPiece& piece);
  ~YamlEvents();
  YamlEvents(const YamlEvents&) = delete;
  YamlEvents& operator=(const YamlEvents&) = delete;

  YamlEvent next();

 private:
  YamlPlace place_of(const yaml_mark_t& mark) const;
  YamlEvent event_of(const yaml_event_t& event);
  YamlEvent fault() const;

  const int line_first_;
  yaml_parser_t parser_;
};

}  // namespace cronally::core
