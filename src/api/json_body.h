// Reads a request's JSON strictly: what two readers could take differently is refused.
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "base/result.h"
#include "net/http_server.h"

namespace cronally::api {

// One JSON object: valid UTF-8, no key twice in an object, at most 32 deep, nothing after it.
// Code "invalid_json"; the message says where.
Result<boost::json::object> parse_object(std::string_view text);

// The same of a request's body, whose Content-Type must be application/json, or `also`, or
// missing: code "unsupported_media_type".
Result<boost::json::object> read_body(const net::Request& request, std::string_view also = {});

}  // namespace cronally::api
