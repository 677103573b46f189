#include "api/query.h"

#include <algorithm>
#include <charconv>

#include "base/percent.h"
#include "base/text.h"

namespace cronally::api {
namespace {

constexpr std::size_t limit_default = 100;
constexpr std::size_t limit_max = 1000;

// As in forms, '+' stands for a blank.
Result<std::string> decode(std::string_view name, std::string_view text) {
  std::string blanked(text);
  std::ranges::replace(blanked, '+', ' ');
  std::optional<std::string> plain = percent_decode(blanked);
  if (!plain)
    return fail(invalid_parameter(name, "has a % without two hexadecimal digits behind it"));
  for (std::string_view rest(*plain); !rest.empty(); rest.remove_prefix(utf8_length(rest)))
    if (utf8_length(rest) == 0) return fail(invalid_parameter(name, "is not UTF-8"));
  return std::move(*plain);
}

}  // namespace

Error invalid_parameter(std::string_view name, std::string_view why) {
  return {"invalid_parameter", "the query parameter " + quote(name) + " " + std::string(why) +
                                   "; correct it and try again"};
}

Result<Query> Query::parse(std::string_view text, std::span<const std::string_view> known) {
  Query query;
  while (!text.empty()) {
    const std::string_view field = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    Result<std::string> name = decode(field.substr(0, equals), field.substr(0, equals));
    if (!name) return fail(name.error());
    Result<std::string> value =
        decode(*name, equals == field.npos ? std::string_view() : field.substr(equals + 1));
    if (!value) return fail(value.error());
    if (std::ranges::find(known, *name) == known.end())
      return fail(invalid_parameter(*name, "is unknown here" + did_you_mean(*name, known)));
    if (*name != "label" && query.find(*name))
      return fail(invalid_parameter(*name, "stands there twice"));
    query.fields_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

std::optional<std::string> Query::find(std::string_view name) const {
  for (const auto& [key, value] : fields_)
    if (key == name) return value;
  return std::nullopt;
}

Result<std::size_t> Query::limit() const {
  const std::optional<std::string> text = find("limit");
  if (!text) return limit_default;
  std::size_t limit = 0;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, limit);
  if (read.ec != std::errc() || read.ptr != end || limit < 1 || limit > limit_max)
    return fail(invalid_parameter("limit", "must be a number from 1 to 1000"));
  return limit;
}

Result<std::optional<Instant>> Query::instant(std::string_view name) const {
  std::optional<std::string> text = find(name);
  if (!text) return std::nullopt;
  // The '+' of an offset that was not sent as %2B.
  constexpr std::size_t offset_chars = 6;
  const std::size_t blank = text->rfind(' ');
  if (blank != text->npos && text->size() == blank + offset_chars) (*text)[blank] = '+';
  const Result<Instant> at = parse_instant(*text);
  if (!at) return fail(invalid_parameter(name, "is no RFC 3339 instant: " + at.error().message));
  return *at;
}

Result<std::map<std::string, std::string>> Query::labels() const {
  std::map<std::string, std::string> labels;
  for (const auto& [name, value] : fields_) {
    if (name != "label") continue;
    const std::size_t equals = value.find('=');
    if (equals == value.npos || equals == 0)
      return fail(invalid_parameter("label", "must be written label=NAME=VALUE"));
    const auto [place, fresh] = labels.emplace(value.substr(0, equals), value.substr(equals + 1));
    if (!fresh && place->second != value.substr(equals + 1))
      return fail(invalid_parameter("label", "asks for two values of one label"));
  }
  return labels;
}

}  // namespace cronally::api
