// The documents of a file are parted here, by their markers (YAML 1.2.2 §9.2), and yaml-cpp reads
// one at a time: its limits hold for each, and a fault in one does not hide those of the next.
#include "core/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "core/manifest.h"
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

// What a plain scalar is. Numbers that no field could hold stay texts.
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

struct Stopped {};  // thrown from a handler whose document cannot be read on

// Builds the value and its places from yaml-cpp's events.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(int line_first) : line_first_(line_first) {}

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = place_of(mark); }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    stop(place_of(mark), "anchors (&) are not read here; write the value out in each place");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop(place_of(mark),
         "aliases (*) are not read here; write the value out, or put a text that "
         "begins with * in quotes");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const YamlPlace place = begin(mark, "", anchor);
    if (awaits_key()) return bad_key(place);
    add(place, nullptr);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const YamlPlace place = begin(mark, tag, anchor);
    // The library's \N and \_ give a byte of Latin-1.
    if (valid_utf8(text) != text)
      stop(place, "the escapes \\N and \\_ are not read here; write \\u0085 and \\u00A0");
    if (awaits_key()) return add_key(place, text);
    add(place, tag == "?" ? plain_value(text) : json::value(json::string(text)));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(begin(mark, tag, anchor), json::array());
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(begin(mark, tag, anchor), json::object());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

  YamlPlace place_of(const YAML::Mark& mark) const {
    return {std::max(mark.line, 0) + line_first_, std::max(mark.column, 0) + 1};
  }
  YamlPlace start() const { return start_; }
  bool is_empty() const { return !done_ || done_->first.is_null(); }
  YamlDocument take() { return {std::move(done_->first), std::move(done_->second)}; }
  std::vector<YamlFault>& faults() { return faults_; }

 private:
  struct Open {
    json::value value;
    YamlPlaces places;
    std::optional<std::string> key{};  // of the member that is to come
    YamlPlace key_place{};
    bool key_twice = false;
  };

  [[noreturn]] void stop(YamlPlace place, std::string detail) {
    faults_.push_back({place, std::move(detail)});
    throw Stopped{};
  }

  // "?" and "!" are what yaml-cpp calls a plain and a quoted scalar without a tag.
  YamlPlace begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const YamlPlace place = place_of(mark);
    if (anchor != 0) stop(place, "anchors (&) are not read here; write the value out");
    if (!tag.empty() && tag != "?" && tag != "!")
      stop(place, "tags (!) are not read here; leave it out, the field knows its type");
    if (++nodes_ > yaml_nodes_max)
      stop(place, "the document has more than " + std::to_string(yaml_nodes_max) + " values");
    return place;
  }

  bool awaits_key() const {
    return !open_.empty() && open_.back().value.is_object() && !open_.back().key;
  }

  void bad_key(YamlPlace place) { stop(place, "the name of a field must be a text"); }

  void add_key(YamlPlace place, const std::string& text) {
    Open& top = open_.back();
    const json::object& object = top.value.get_object();
    const auto found = object.find(text);
    top.key = text;
    top.key_place = place;
    top.key_twice = found != object.end();
    if (!top.key_twice) return;
    const YamlPlaces& first = top.places.below[static_cast<std::size_t>(found - object.begin())];
    faults_.push_back({place, quote(text) + " stands twice; it is on line " +
                                  std::to_string(first.place.line) + " already"});
  }

  void open(YamlPlace place, json::value value) {
    if (awaits_key()) bad_key(place);
    if (open_.size() == yaml_depth_max)
      stop(place, "the document is nested more than " + std::to_string(yaml_depth_max) + " deep");
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

  const int line_first_;
  YamlPlace start_;
  std::size_t nodes_ = 0;
  std::vector<Open> open_;
  std::optional<std::pair<json::value, YamlPlaces>> done_;
  std::vector<YamlFault> faults_;
};

// Hands the events of one document to the builder; false when the text holds none any more.
bool build_next(YAML::Parser& parser, Builder& builder) {
  try {
    return parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& error) {
    builder.faults().push_back({builder.place_of(error.mark), "not YAML: " + error.msg});
  } catch (const Stopped&) {
  }
  return true;
}

void build(Builder& builder, const YamlPiece& piece) {
  std::istringstream stream{std::string(piece.text)};
  YAML::Parser parser(stream);
  if (!build_next(parser, builder) || !builder.faults().empty()) return;
  Builder rest(piece.line);
  if (build_next(parser, rest))
    builder.faults().push_back(
        {rest.start(), "there is more behind the document's end; part documents by a line ---"});
}

void read_piece(const YamlPiece& piece, YamlFile& file) {
  if (piece.text.size() > yaml_document_bytes_max) {
    file.faults.push_back(
        {{piece.line, 1},
         "the document has more than " + std::to_string(yaml_document_bytes_max) + " bytes"});
    return;
  }
  Builder builder(piece.line);
  build(builder, piece);
  if (!builder.faults().empty())
    std::ranges::move(builder.faults(), std::back_inserter(file.faults));
  else if (!builder.is_empty())
    file.documents.push_back(builder.take());
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
