// A YAML file before it is parsed: its bytes judged, its documents parted. Used by yaml_document.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/yaml_document.h"

namespace cronally::core {

// The first byte that is not UTF-8 (YAML 1.2.2 §5.2), or that yaml_escape() is for.
std::optional<YamlFault> byte_fault(std::string_view text);

// One document with its `---`, if it has one, and without what closes it.
struct YamlPiece {
  std::string_view text;
  int line;  // of its first byte, from 1
};

// Parts a file at the lines that begin with `---` or `...`: no line of a value may begin so, in
// whatever quotes (§9.1.4, c-forbidden). `%YAML 1.1` and `%YAML 1.2` before a document are passed
// over; other directives are faults.
std::vector<YamlPiece> split_documents(std::string_view text, std::vector<YamlFault>& faults);

}  // namespace cronally::core
