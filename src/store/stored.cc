#include "store/stored.h"

#include <boost/json.hpp>

#include "base/error.h"
#include "core/definition_json.h"

namespace cronally::store {

namespace json = boost::json;

std::string write_headers(const std::vector<std::pair<std::string, SecretId>>& headers) {
  json::array out;
  for (const auto& [name, secret] : headers) out.push_back(json::array{name, secret.text()});
  return json::serialize(out);
}

std::vector<std::pair<std::string, SecretId>> read_headers(const std::string& text) {
  std::vector<std::pair<std::string, SecretId>> headers;
  for (const auto& one : json::parse(text).as_array()) {
    auto id = parse_uuid(std::string_view(one.at(1).as_string()));
    if (id) headers.emplace_back(std::string(one.at(0).as_string()), SecretId{*id});
  }
  return headers;
}

core::JobDefinition definition_of(std::string_view text) {
  auto definition = core::read_definition(text);
  if (!definition) throw Unavailable(definition.error().message);
  return std::move(*definition);
}

}  // namespace cronally::store
