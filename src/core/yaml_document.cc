// The documents of a file are parted here, by their markers (YAML 1.2.2 §9.2), and libyaml reads
// one at a time: its limits hold for each, and a fault in one does not hide those of the next.
#include "core/yaml_document.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.h"
#include "core/manifest.h"
#include "core/yaml_document_events.h"
#include "core/yaml_document_split.h"

namespace cronally::core {
namespace json = boost::json;

namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// 0, 12, -7, +3; not 010, which two versions of YAML read differently.
bool is_whole(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return is_digits(text) && (text.size() == 1 || text.front() != '0');
}

// Digits with a fraction, an exponent or both.
bool is_fraction(std::string_view text) {
  const std::size_t exponent = text.find_first_of("eE");
  const std::string_view number = text.substr(0, exponent);
  const std::size_t dot = number.find('.');
  if (!is_whole(number.substr(0, dot))) return false;
  if (dot != number.npos && !is_digits(number.substr(dot + 1))) return false;
  if (exponent == text.npos) return dot != number.npos;
  std::string_view power = text.substr(exponent + 1);
  if (power.starts_with('-') || power.starts_with('+')) power.remove_prefix(1);
  return is_digits(power);
}

template <class Number>
std::optional<Number> parse(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// What a plain scalar may say that is no value; an empty one too.
bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

// What any other plain scalar is. Numbers that no field could hold stay texts.
json::value plain_value(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (is_whole(text)) {
    if (const auto number = parse<std::int64_t>(text)) return *number;
  } else if (is_fraction(text)) {
    if (const auto number = parse<double>(text)) return *number;
  }
  return json::string(text);
}

// Builds the value and its places from the events of one document.
class Builder {
 public:
  // Whether the document goes on; it does not behind its end or a fault that hides what follows.
  bool goes_on() const { return goes_on_; }

  void take(YamlEvent event) {
    using Kind = YamlEvent::Kind;
    switch (event.kind) {
      case Kind::document: return;
      case Kind::document_end:
      case Kind::end: goes_on_ = false; return;
      case Kind::fault: return stop(event.place, std::move(event.text));
      case Kind::alias: return stop(event.place, "not YAML: the referenced anchor is not defined");
      case Kind::list_end:
      case Kind::map_end: return close();
      case Kind::list:
      case Kind::map:
      case Kind::scalar: return take_node(std::move(event));
    }
  }

  void add_fault(YamlPlace place, std::string detail) {
    faults_.push_back({place, std::move(detail)});
  }
  bool is_empty() const { return !done_ || done_->first.is_null(); }
  YamlDocument document() { return {std::move(done_->first), std::move(done_->second)}; }
  std::vector<YamlFault>& faults() { return faults_; }

 private:
  struct Open {
    json::value value;
    YamlPlaces places;
    std::optional<std::string> key{};  // of the member that is to come
    YamlPlace key_place{};
    bool key_twice = false;
  };

  void stop(YamlPlace place, std::string detail) {
    add_fault(place, std::move(detail));
    goes_on_ = false;
  }

  void take_node(YamlEvent event) {
    const bool is_scalar = event.kind == YamlEvent::Kind::scalar;
    const bool is_null = is_scalar && event.plain && is_null_word(event.text);
    if (event.anchored)
      return stop(event.place, "anchors (&) are not read here; write the value out in each place");
    if (event.tagged)
      return stop(event.place,
                  "tags (!) are not read here; leave it out, the field knows its type");
    if (++nodes_ > yaml_nodes_max)
      return stop(event.place,
                  "the document has more than " + std::to_string(yaml_nodes_max) + " values");
    if (awaits_key()) {
      if (!is_scalar || is_null) return stop(event.place, "the name of a field must be a text");
      return add_key(event.place, event.text);
    }
    if (event.kind == YamlEvent::Kind::list) return open(event.place, json::array());
    if (event.kind == YamlEvent::Kind::map) return open(event.place, json::object());
    add(event.place, is_null       ? json::value(nullptr)
                     : event.plain ? plain_value(event.text)
                                   : json::value(json::string(event.text)));
  }

  bool awaits_key() const {
    return !open_.empty() && open_.back().value.is_object() && !open_.back().key;
  }

  void add_key(YamlPlace place, const std::string& text) {
    Open& top = open_.back();
    const json::object& object = top.value.get_object();
    const auto found = object.find(text);
    top.key = text;
    top.key_place = place;
    top.key_twice = found != object.end();
    if (!top.key_twice) return;
    const YamlPlaces& first = top.places.below[static_cast<std::size_t>(found - object.begin())];
    add_fault(place, quote(text) + " stands twice; it is on line " +
                         std::to_string(first.place.line) + " already");
  }

  void open(YamlPlace place, json::value value) {
    if (open_.size() == yaml_depth_max)
      return stop(place,
                  "the document is nested more than " + std::to_string(yaml_depth_max) + " deep");
    open_.push_back({std::move(value), {place, {}}});
  }

  void close() {
    Open top = std::move(open_.back());
    open_.pop_back();
    add(top.places.place, std::move(top.value), std::move(top.places.below));
  }

  void add(YamlPlace place, json::value value, std::vector<YamlPlaces> below = {}) {
    if (open_.empty()) {
      done_.emplace(std::move(value), YamlPlaces{place, std::move(below)});
      return;
    }
    Open& top = open_.back();
    if (top.value.is_array()) {
      top.value.get_array().push_back(std::move(value));
      top.places.below.push_back({place, std::move(below)});
      return;
    }
    if (!top.key_twice) {
      top.value.get_object().emplace(*top.key, std::move(value));
      top.places.below.push_back({top.key_place, std::move(below)});
    }
    top.key.reset();
  }

  bool goes_on_ = true;
  std::size_t nodes_ = 0;
  std::vector<Open> open_;
  std::optional<std::pair<json::value, YamlPlaces>> done_;
  std::vector<YamlFault> faults_;
};

void build(Builder& builder, const YamlPiece& piece) {
  YamlEvents events(piece);
  while (builder.goes_on()) builder.take(events.next());
  if (!builder.faults().empty()) return;
  if (const YamlEvent behind = events.next(); behind.kind != YamlEvent::Kind::end)
    builder.add_fault(behind.place,
                      "there is more behind the document's end; part documents by a line ---");
}

void read_piece(const YamlPiece& piece, YamlFile& file) {
  if (piece.text.size() > yaml_document_bytes_max) {
    file.faults.push_back(
        {{piece.line, 1},
         "the document has more than " + std::to_string(yaml_document_bytes_max) + " bytes"});
    return;
  }
  Builder builder;
  build(builder, piece);
  if (!builder.faults().empty())
    std::ranges::move(builder.faults(), std::back_inserter(file.faults));
  else if (!builder.is_empty())
    file.documents.push_back(builder.document());
}

std::string unescaped(std::string_view token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    name += !escape ? token[i] : token[i + 1] == '1' ? '/' : '~';
    i += escape ? 1 : 0;
  }
  return name;
}

// The member or element that one token of a pointer names.
std::optional<std::size_t> index_of(const json::value& value, std::string_view token) {
  if (value.is_object()) {
    const json::object& object = value.get_object();
    const auto found = object.find(unescaped(token));
    if (found == object.end()) return std::nullopt;
    return static_cast<std::size_t>(found - object.begin());
  }
  if (!value.is_array() || !is_digits(token)) return std::nullopt;
  const auto index = parse<std::size_t>(token);
  return index && *index < value.get_array().size() ? index : std::nullopt;
}

}  // namespace

YamlPlace YamlDocument::place_of(std::string_view pointer) const {
  const json::value* at = &value;
  const YamlPlaces* found = &places;
  while (pointer.starts_with('/')) {
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    const std::optional<std::size_t> index = index_of(*at, token);
    if (!index) break;
    at = at->is_object()
             ? &(at->get_object().begin() + static_cast<std::ptrdiff_t>(*index))->value()
             : &at->get_array()[*index];
    found = &found->below[*index];
    pointer.remove_prefix(token.size());
  }
  return found->place;
}

YamlFile read_yaml(std::string_view text) {
  YamlFile file;
  if (text.size() > yaml_file_bytes_max) {
    file.faults.push_back(
        {{}, "the file has more than " + std::to_string(yaml_file_bytes_max) + " bytes"});
    return file;
  }
  if (const auto fault = byte_fault(text)) {
    file.faults.push_back(*fault);
    return file;
  }
  for (const YamlPiece& piece : split_documents(text, file.faults)) read_piece(piece, file);
  std::ranges::sort(file.faults, {}, &YamlFault::place);
  return file;
}

}  // namespace cronally::core
