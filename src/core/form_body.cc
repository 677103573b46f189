#include "core/form_body.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "base/percent.h"
#include "base/text.h"

namespace cronally::core {
namespace json = boost::json;

namespace {

constexpr std::size_t json_depth_max = 32;

std::unexpected<Error> fault(std::string text) { return fail("invalid_form", std::move(text)); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string low(text);
  for (char& c : low) c = lower(c);
  return low;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// "form-data; name=\"a\"; x=y": the word before the first semicolon, and the parameters after it
// (RFC 9110 §5.6.6), names in lower case, values without their quotes.
struct HeaderWords {
  std::string first;
  std::map<std::string, std::string, std::less<>> parameters;

  explicit HeaderWords(std::string_view header) {
    first = lower(trim(header.substr(0, header.find(';'))));
    header.remove_prefix(std::min(header.find(';'), header.size()));
    while (!header.empty()) header = read_parameter(header.substr(1));
  }

  std::optional<std::string> find(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  // What follows the parameter: empty, or from the next semicolon on.
  std::string_view read_parameter(std::string_view rest) {
    const std::size_t end = std::min(rest.find_first_of("=;"), rest.size());
    const std::string name = lower(trim(rest.substr(0, end)));
    rest.remove_prefix(end);
    if (!rest.starts_with('=')) return rest;
    rest = trim(rest.substr(1));
    if (rest.starts_with('"')) return read_quoted(name, rest.substr(1));
    const std::size_t stop = std::min(rest.find(';'), rest.size());
    parameters.emplace(name, trim(rest.substr(0, stop)));
    return rest.substr(stop);
  }

  std::string_view read_quoted(const std::string& name, std::string_view rest) {
    std::string value;
    while (!rest.empty() && !rest.starts_with('"')) {
      if (rest.starts_with('\\') && rest.size() > 1) rest.remove_prefix(1);
      value += rest.front();
      rest.remove_prefix(1);
    }
    parameters.emplace(name, std::move(value));
    return rest.substr(std::min(rest.find(';'), rest.size()));
  }
};

// ---- characters ---------------------------------------------------------------------------------

enum class Charset { utf8, latin1 };

Result<Charset> charset_of(const HeaderWords& type) {
  const std::string name = lower(type.find("charset").value_or("utf-8"));
  if (name == "utf-8" || name == "utf8" || name == "us-ascii") return Charset::utf8;
  if (name == "iso-8859-1" || name == "latin1") return Charset::latin1;
  return fault("the charset " + quote(name) + " is not read here; send UTF-8");
}

std::string from_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) out += static_cast<char>(0xC0 | byte >> 6);
    out += byte < 0x80 ? c : static_cast<char>(0x80 | (byte & 0x3F));
  }
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

class FormMaker {
 public:
  explicit FormMaker(Charset charset) : charset_(charset) {}

  Result<void> add(std::string name, std::string value) {
    if (charset_ == Charset::latin1) {
      name = from_latin1(name);
      value = from_latin1(value);
    }
    if (!is_utf8(name)) return fault("the name of a field is not UTF-8; send the body as UTF-8");
    if (!is_utf8(value)) return fault(quote(name) + " is not UTF-8; send the body as UTF-8");
    if (++fields_ > form_fields_max)
      return fault("the body has more than " + std::to_string(form_fields_max) + " fields");
    form_.insert_or_assign(std::move(name), std::move(value));
    return {};
  }

  Form take() { return std::move(form_); }

 private:
  const Charset charset_;
  std::size_t fields_ = 0;
  Form form_;
};

// ---- urlencoded ---------------------------------------------------------------------------------

bool is_hex(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); }

std::string decode(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const bool code = text.size() >= 3 && text[0] == '%' && is_hex(text[1]) && is_hex(text[2]);
    if (code)
      plain += percent_decode(text.substr(0, 3)).value_or("");
    else
      plain += text[0] == '+' ? ' ' : text[0];
    text.remove_prefix(code ? 3 : 1);
  }
  return plain;
}

Result<Form> read_urlencoded(Charset charset, std::string_view body) {
  FormMaker form(charset);
  while (!body.empty()) {
    const std::string_view field = body.substr(0, body.find('&'));
    body.remove_prefix(std::min(body.size(), field.size() + 1));
    if (field.empty()) continue;
    const std::size_t equals = std::min(field.find('='), field.size());
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    if (auto added = form.add(decode(field.substr(0, equals)), decode(value)); !added)
      return fail(added.error());
  }
  return form.take();
}

// ---- multipart ----------------------------------------------------------------------------------

std::unexpected<Error> multipart_fault(std::string_view what) {
  return fault("the multipart body " + std::string(what) + "; send it as RFC 7578 has it");
}

// Parts are parted by lines that begin with "--" and the boundary (RFC 2046 §5.1.1).
class MultipartReader {
 public:
  MultipartReader(Charset charset, const std::string& boundary, std::string_view body)
      : form_(charset), delimiter_("\r\n--" + boundary), rest_(body) {}

  Result<Form> read() {
    if (!skip_preamble()) return multipart_fault("never begins with its boundary");
    while (!rest_.starts_with("--")) {
      if (!skip_line()) return multipart_fault("has something behind a boundary");
      if (auto part = read_part(); !part) return fail(part.error());
    }
    return form_.take();
  }

 private:
  bool skip_preamble() {
    const std::string_view first = std::string_view(delimiter_).substr(2);
    std::size_t at = rest_.starts_with(first) ? 0 : rest_.find(delimiter_);
    if (at == rest_.npos) return false;
    if (at > 0 || !rest_.starts_with(first)) at += 2;
    rest_.remove_prefix(at + first.size());
    return true;
  }

  // Blanks may stand between a boundary and the end of its line.
  bool skip_line() {
    while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
    if (!rest_.starts_with("\r\n")) return false;
    rest_.remove_prefix(2);
    return true;
  }

  Result<void> read_part() {
    std::optional<std::string> name;
    while (!rest_.starts_with("\r\n")) {
      const std::size_t end = rest_.find("\r\n");
      if (end == rest_.npos) return multipart_fault("ends within a part's header");
      if (auto found = name_in(rest_.substr(0, end))) name = std::move(found);
      rest_.remove_prefix(end + 2);
    }
    // An empty content shares its line's end with the header's.
    const std::string_view content = rest_.starts_with(delimiter_) ? rest_ : rest_.substr(2);
    const std::size_t end = content.find(delimiter_);
    if (end == content.npos) return multipart_fault("ends without its boundary");
    std::string value(content.substr(0, end));
    rest_ = content.substr(end + delimiter_.size());
    if (!name) return multipart_fault("has a part without a name");
    return form_.add(std::move(*name), std::move(value));
  }

  static std::optional<std::string> name_in(std::string_view header) {
    const std::size_t colon = std::min(header.find(':'), header.size());
    if (lower(trim(header.substr(0, colon))) != "content-disposition") return std::nullopt;
    return HeaderWords(header.substr(std::min(colon + 1, header.size()))).find("name");
  }

  FormMaker form_;
  const std::string delimiter_;
  std::string_view rest_;
};

Result<Form> read_multipart(const HeaderWords& type, Charset charset, std::string_view body) {
  constexpr std::size_t boundary_chars_max = 70;  // RFC 2046 §5.1.1
  const std::string boundary = type.find("boundary").value_or("");
  if (boundary.empty() || boundary.size() > boundary_chars_max)
    return multipart_fault("names no boundary of 1 to 70 characters");
  return MultipartReader(charset, boundary, body).read();
}

// ---- JSON ---------------------------------------------------------------------------------------

Result<Form> read_json(std::string_view body) {
  json::parse_options options;
  options.max_depth = json_depth_max;
  json::error_code malformed;
  const json::value value =
      json::parse(json::string_view(body.data(), body.size()), malformed, {}, options);
  if (malformed || !value.is_object())
    return fault("the body is not a JSON object, {...}; correct it and send it again");
  FormMaker form(Charset::utf8);
  for (const json::key_value_pair& pair : value.get_object()) {
    const json::value& one = pair.value();
    if (one.is_null()) continue;
    if (one.is_structured()) return fault(quote(pair.key()) + " must be a text");
    std::string text = one.is_string() ? std::string(one.get_string()) : json::serialize(one);
    if (auto added = form.add(std::string(pair.key()), std::move(text)); !added)
      return fail(added.error());
  }
  return form.take();
}

}  // namespace

Result<Form> read_form(std::string_view content_type, std::string_view body) {
  const HeaderWords type(content_type);
  const bool bare_json = type.first.empty() && body.starts_with('{');
  if (type.first == "application/json" || bare_json) return read_json(body);
  const Result<Charset> charset = charset_of(type);
  if (!charset) return fail(charset.error());
  if (type.first.empty() || type.first == "application/x-www-form-urlencoded")
    return read_urlencoded(*charset, body);
  if (type.first == "multipart/form-data") return read_multipart(type, *charset, body);
  return fault(quote(type.first) +
               " is not read here; send application/x-www-form-urlencoded, multipart/form-data or "
               "application/json");
}

}  // namespace cronally::core
