#include "api/json_body.h"

#include <boost/json/basic_parser_impl.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

constexpr std::size_t depth_max = 32;

// Watches a parse for keys that stand twice in one object. (The library's own objects keep the
// last one without a word.)
struct KeyWatch {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  using Code = json::error_code;
  using Text = json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    objects.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Code&) {
    objects.pop_back();
    return true;
  }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t, Code&) { return true; }
  bool on_key_part(Text part, std::size_t, Code&) {
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, std::size_t, Code& error) {
    key.append(part.data(), part.size());
    const bool fresh = objects.back().insert(key).second;
    if (!fresh) {
      repeated = key;
      error = json::error::syntax;
    }
    key.clear();
    return fresh;
  }
  bool on_string_part(Text, std::size_t, Code&) { return true; }
  bool on_string(Text, std::size_t, Code&) { return true; }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code&) { return true; }
  bool on_uint64(std::uint64_t, Text, Code&) { return true; }
  bool on_double(double, Text, Code&) { return true; }
  bool on_bool(bool, Code&) { return true; }
  bool on_null(Code&) { return true; }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  std::vector<std::set<std::string>> objects;
  std::string key;
  std::string repeated;
};

Error malformed(std::string_view text, std::size_t at, std::string_view why) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (const char c : text.substr(0, at)) {
    column = c == '\n' ? 1 : column + 1;
    line += c == '\n' ? 1 : 0;
  }
  return {"invalid_json", "the body is not JSON at line " + std::to_string(line) + ", column " +
                              std::to_string(column) + ": " + std::string(why) +
                              "; correct it and send it again"};
}

bool is_media_type(std::string_view given, std::string_view wanted) {
  given = given.substr(0, given.find(';'));
  while (given.ends_with(' ')) given.remove_suffix(1);
  return !wanted.empty() && net::equal_names(given, wanted);
}

}  // namespace

Result<json::object> parse_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<KeyWatch> parser(options);
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().repeated.empty() || error == json::error::syntax)
    if (const std::string& key = parser.handler().repeated; !key.empty())
      return fail("invalid_json",
                  "the key " + quote(key) + " stands twice in one object; give each key once");
  if (error == json::error::too_deep)
    return fail("invalid_json", "the body is nested more than " + std::to_string(depth_max) +
                                    " deep; send a flatter one");
  if (error) return fail(malformed(text, read, error.message()));
  if (text.substr(read).find_first_not_of(" \t\r\n") != text.npos)
    return fail(malformed(text, read, "something follows the end"));
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return fail(malformed(text, 0, error.message()));
  if (!value.is_object())
    return fail("invalid_json", "the body must be a JSON object, {...}; send one");
  return std::move(value.get_object());
}

Result<json::object> read_body(const net::Request& request, std::string_view also) {
  const auto type = request.headers.find("Content-Type");
  if (type && !is_media_type(*type, "application/json") && !is_media_type(*type, also))
    return fail("unsupported_media_type",
                "the body must be JSON; send it with Content-Type: application/json");
  if (request.body.empty()) return fail("invalid_json", "the body is empty; send a JSON object");
  return parse_object(request.body);
}

}  // namespace cronally::api
