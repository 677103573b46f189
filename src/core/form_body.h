// The fields of a request's body, however a client wrote them: as forms do (urlencoded, WHATWG URL
// §5; multipart, RFC 7578) or as a flat JSON object.
//
// Tolerant where clients of 2015 were lax: `curl -d "cron=0 * * * *"` sends its blanks as they are,
// and a % that starts no code stands for itself. Of a field that stands there twice the last one
// counts. Pure.
//
//   read_form("application/x-www-form-urlencoded", "name=a+b&cron=0 * * * *")
//   is {"cron": "0 * * * *", "name": "a b"}
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cronally::core {

using Form = std::map<std::string, std::string, std::less<>>;

inline constexpr std::size_t form_fields_max = 256;

// `content_type` as in the header, with its parameters; where it is empty, a body that begins with
// { is JSON and every other one urlencoded. Names and values are UTF-8 (charset=iso-8859-1 is
// turned into it). In JSON, null is as good as missing, and a number or boolean is its text.
// Code "invalid_form", with what to send instead.
Result<Form> read_form(std::string_view content_type, std::string_view body);

}  // namespace cronally::core
