// Checks answers against openapi.json, as far as that document goes: $ref, type, required,
// properties, items, enum, minimum, additionalProperties, oneOf.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "api/api.h"

namespace cronally::api {

class SchemaCheck {
 public:
  SchemaCheck() : document_(boost::json::parse(std::string(openapi_document()))) {}

  const boost::json::value& document() const { return document_; }

  // Why this answer is not one that the document lists for the route; "" when it is.
  std::string fault(std::string_view method, std::string_view pattern,
                    const net::Response& response) const {
    namespace json = boost::json;
    std::string low(method);
    for (char& c : low) c = static_cast<char>(c | 0x20);
    const json::object& paths = document_.at("paths").as_object();
    if (!paths.contains(pattern)) return "no such path in the document";
    const json::object& path = paths.at(pattern).as_object();
    if (!path.contains(low)) return "no such method in the document";
    const json::object& responses = path.at(low).at("responses").as_object();
    const std::string status = std::to_string(response.status);
    if (!responses.contains(status)) return "status " + status + " is not in the document";
    const json::object& listed = resolve(responses.at(status)).as_object();
    const std::string type(response.headers.find("Content-Type").value_or(""));
    if (!listed.contains("content"))
      return response.body.empty() ? "" : "has a body, but none is in the document";
    const json::object& content = listed.at("content").as_object();
    const std::string plain = type.substr(0, type.find(';'));
    if (!content.contains(plain)) return "content type " + type + " is not in the document";
    if (!plain.ends_with("json")) return "";
    return mismatch(json::parse(response.body), content.at(plain).at("schema"), "");
  }

  // Where the value breaks the schema; "" where it does not.
  std::string mismatch(const boost::json::value& value, const boost::json::value& schema_or_ref,
                       const std::string& at) const {
    namespace json = boost::json;
    const json::object& schema = resolve(schema_or_ref).as_object();
    if (const json::value* alternatives = schema.if_contains("oneOf"))
      return mismatch_of_all(value, alternatives->as_array(), at);
    if (const json::value* type = schema.if_contains("type"); type && !has_type(value, *type))
      return at + ": wrong type";
    if (const json::value* words = schema.if_contains("enum")) {
      bool found = false;
      for (const json::value& word : words->as_array()) found = found || word == value;
      if (!found) return at + ": not one of its values";
    }
    if (const json::value* least = schema.if_contains("minimum"); least && value.is_number())
      if (value.to_number<double>() < least->to_number<double>()) return at + ": too small";
    if (value.is_array() && schema.contains("items")) {
      std::size_t number = 0;
      for (const json::value& item : value.get_array())
        if (std::string found =
                mismatch(item, schema.at("items"), at + "/" + std::to_string(number++));
            !found.empty())
          return found;
    }
    return value.is_object() ? object_mismatch(value.get_object(), schema, at) : "";
  }

 private:
  const boost::json::value& resolve(const boost::json::value& value) const {
    const auto* object = value.if_object();
    const auto* ref = object ? object->if_contains("$ref") : nullptr;
    if (!ref) return value;
    return document_.at_pointer(std::string(ref->as_string()).substr(1));
  }

  // "" when exactly one alternative fits.
  std::string mismatch_of_all(const boost::json::value& value,
                              const boost::json::array& alternatives, const std::string& at) const {
    std::string faults;
    int fitting = 0;
    for (const boost::json::value& alternative : alternatives) {
      const std::string fault = mismatch(value, alternative, at);
      fitting += fault.empty() ? 1 : 0;
      faults += fault + "; ";
    }
    return fitting == 1 ? ""
                        : at + ": fits " + std::to_string(fitting) + " of its kinds: " + faults;
  }

  std::string object_mismatch(const boost::json::object& value, const boost::json::object& schema,
                              const std::string& at) const {
    namespace json = boost::json;
    if (const json::value* required = schema.if_contains("required"))
      for (const json::value& name : required->as_array())
        if (!value.contains(name.as_string()))
          return at + ": lacks " + std::string(name.as_string());
    const json::value* properties = schema.if_contains("properties");
    const json::value* others = schema.if_contains("additionalProperties");
    for (const json::key_value_pair& pair : value) {
      const json::value* of =
          properties ? properties->as_object().if_contains(pair.key()) : nullptr;
      if (!of && others && others->is_object()) of = others;
      if (!of) continue;
      if (std::string found = mismatch(pair.value(), *of, at + "/" + std::string(pair.key()));
          !found.empty())
        return found;
    }
    return "";
  }

  static bool has_type(const boost::json::value& value, const boost::json::value& type) {
    if (const auto* list = type.if_array()) {
      for (const boost::json::value& one : *list)
        if (has_type(value, one)) return true;
      return false;
    }
    const std::string_view name(type.as_string());
    if (name == "integer") return value.is_int64() || value.is_uint64();
    if (name == "number") return value.is_number();
    if (name == "string") return value.is_string();
    if (name == "boolean") return value.is_bool();
    if (name == "array") return value.is_array();
    if (name == "object") return value.is_object();
    return name == "null" && value.is_null();
  }

  boost::json::value document_;
};

}  // namespace cronally::api
