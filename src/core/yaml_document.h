// YAML files of definitions, as JSON values with the place of each field. Pure.
//
// The subset is what a definition needs, and safe to read from anyone: the core schema of YAML 1.2
// (YAML 1.2.2 §10.3) narrowed so that a value means what it looks like. Plain `true`, `false`,
// `null`, whole numbers and numbers with a fraction are those; everything else is a text: 12:30,
// yes, 2026-01-01, 0 9 * * *, and 010 too, which YAML 1.1 and 1.2 read differently. Anchors,
// aliases and tags are refused, as are a key that stands twice and keys that are no text.
// JSON is YAML and reads the same.
//
//   kind: job            {"kind": "job", "name": "report"}   1:1 /kind, 2:1 /name
//   name: report
//   --- # the next one   {"kind": "job"}                     4:1 /kind
//   kind: job
#pragma once

#include <boost/json.hpp>
#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cronally::core {

inline constexpr std::size_t yaml_file_bytes_max = 64 << 20;
// Of one document, each.
inline constexpr std::size_t yaml_document_bytes_max = 1 << 20;
inline constexpr std::size_t yaml_depth_max = 32;
inline constexpr std::size_t yaml_nodes_max = 50'000;

// Where a thing begins in its file; both count from 1, columns in characters.
struct YamlPlace {
  int line = 1;
  int column = 1;
  friend auto operator<=>(const YamlPlace&, const YamlPlace&) = default;
};

struct YamlFault {
  YamlPlace place;
  std::string detail;
};

// The places of a value and of all below it, in the order of its members or elements.
struct YamlPlaces {
  YamlPlace place;  // of a member: of its key
  std::vector<YamlPlaces> below;
};

struct YamlDocument {
  boost::json::value value;
  YamlPlaces places;

  // Of what a JSON pointer (RFC 6901) names; of a thing that is missing, the place of the nearest
  // one around it that is there.
  YamlPlace place_of(std::string_view pointer) const;
};

struct YamlFile {
  std::vector<YamlDocument> documents;  // in their order; empty ones are left out
  std::vector<YamlFault> faults;        // in the order of their places
};

// How the character at the front of `text` (UTF-8, not empty) must be written, between double
// quotes, in a file that every reader takes for the same: "\u2028". Nothing where it may stand as
// it is. YAML 1.1 ends lines at U+0085, U+2028 and U+2029, 1.2 does not; control characters other
// than tab and line breaks, U+FEFF, U+FFFE and U+FFFF are refused by one of them or by both.
std::optional<std::string> yaml_escape(std::string_view text);

// Reads a whole file. A document with a fault is not among `documents`; the others are.
YamlFile read_yaml(std::string_view text);

}  // namespace cronally::core
