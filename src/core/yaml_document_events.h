// One document as a stream of events with their places: libyaml behind a C++ face. Used by
// yaml_document; no other file knows the library.
//
// libyaml reads YAML 1.1 and this project's files are YAML 1.2. Where the two read characters
// differently (U+0085, U+2028 and U+2029 end a line in 1.1 only; the C1 controls and U+FEFF are
// refused there even in quotes), ordinary characters stand in for them while the library reads.
#pragma once

#include <yaml.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

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
  bool twisted = false;   // holds an escape that other readers of YAML turn into no UTF-8
};

// A text that libyaml reads as YAML 1.2 would, each character in its column; and back.
class YamlStandIns {
 public:
  explicit YamlStandIns(std::string_view text);

  // Lives as long as this and what was given.
  std::string_view text() const { return changed_.empty() ? given_ : changed_; }
  // A part of the text, or what its escapes mean, with the characters that were given.
  std::string restored(std::string_view part) const;

 private:
  void replace();

  std::string_view given_;
  std::string changed_;
  std::unordered_map<char32_t, std::string> originals_;  // by what stands in for them
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
  void read_scalar(const yaml_event_t& event, YamlEvent& made);
  YamlEvent fault() const;
  std::string_view source_of(const yaml_event_t& event);

  const int line_first_;
  const YamlStandIns stand_ins_;
  yaml_parser_t parser_;
  // Marks count characters; a byte offset goes forward with them.
  std::size_t characters_passed_ = 0;
  std::size_t bytes_passed_ = 0;
};

}  // namespace cronally::core
