#include "core/manifest_section.h"

#include <algorithm>

#include "base/text.h"
#include "core/manifest.h"

namespace cronally::core {
namespace json = boost::json;

namespace {

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "true or false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_: return "a number";
    case json::kind::string: return "a text";
    case json::kind::array: return "a list";
    case json::kind::object: return "an object";
  }
  return "something else";
}

std::string wrong_kind(std::string_view wanted, const json::value& value) {
  return "must be " + std::string(wanted) + ", not " + std::string(kind_of(value));
}

bool holds(Words words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string list_words(Words words, std::string_view last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    text += words[i];
  }
  return text;
}

std::string Section::pointer_of(std::string_view name) const {
  return pointer_ + "/" + pointer_token(name);
}

void Section::fault(std::string_view name, std::string detail) {
  faults_.push_back({pointer_of(name), std::move(detail)});
}

void Section::allow(Words known, Words read_only) {
  for (const json::key_value_pair& pair : object_) {
    const std::string_view name(pair.key());
    if (holds(known, name)) continue;
    if (holds(read_only, name))
      fault(name, "is set by the server; leave it out");
    else
      fault(name, "is not a field here" + did_you_mean(name, known));
  }
}

const json::value* Section::find(std::string_view name) const {
  const json::value* value = object_.if_contains(name);
  return value && !value->is_null() ? value : nullptr;
}

std::optional<std::string> Section::text(std::string_view name) {
  const json::value* value = find(name);
  if (!value) return std::nullopt;
  if (value->is_string()) return std::string(value->get_string());
  fault(name, wrong_kind("a text", *value));
  return std::nullopt;
}

std::optional<bool> Section::boolean(std::string_view name) {
  const json::value* value = find(name);
  if (!value) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  fault(name, wrong_kind("true or false", *value));
  return std::nullopt;
}

std::optional<std::int64_t> Section::integer(std::string_view name, Range<std::int64_t> range) {
  const json::value* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number()) {
    fault(name, wrong_kind("a whole number", *value));
    return std::nullopt;
  }
  // uint64 here means above 2^63: out of every range, as is a double.
  if (value->is_int64() && value->get_int64() >= range.min && value->get_int64() <= range.max)
    return value->get_int64();
  fault(name, "must be a whole number from " + std::to_string(range.min) + " to " +
                  std::to_string(range.max));
  return std::nullopt;
}

std::optional<Duration> Section::duration(std::string_view name, Range<Duration> range) {
  const json::value* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) {
    fault(name, wrong_kind("a duration such as \"1h30m\"", *value));
    return std::nullopt;
  }
  const Result<Duration> length = parse_duration(std::string(value->get_string()));
  if (!length) {
    fault(name, length.error().message);
    return std::nullopt;
  }
  if (*length >= range.min && *length <= range.max) return *length;
  fault(name, "must be from " + format_duration(range.min) + " to " + format_duration(range.max));
  return std::nullopt;
}

std::optional<std::size_t> Section::choice(std::string_view name, Words words) {
  const std::optional<std::string> given = text(name);
  if (!given) return std::nullopt;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (*given == words[i]) return i;
  fault(name,
        "must be " + list_words(words) + ", not " + quote(*given) + did_you_mean(*given, words));
  return std::nullopt;
}

std::optional<std::size_t> Section::choice(std::string_view name, Words words, Words later) {
  const json::value* value = find(name);
  if (value && value->is_string() && holds(later, std::string_view(value->get_string()))) {
    const std::string there = words.size() == 1 ? "only " + list_words(words) + " is there"
                                                : list_words(words, "and") + " are there";
    fault(name, quote(std::string_view(value->get_string())) +
                    " comes with a later version; for now " + there);
    return std::nullopt;
  }
  return choice(name, words);
}

const json::object* Section::object(std::string_view name) {
  const json::value* value = find(name);
  if (!value) return nullptr;
  if (value->is_object()) return &value->get_object();
  fault(name, wrong_kind("an object", *value));
  return nullptr;
}

}  // namespace cronally::core
