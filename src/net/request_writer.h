// The bytes of one request (RFC 9112 §3), as a pure function.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_client.h"

namespace cronally::net {

// Request line, Host, "Accept: */*" (where the request brings none), the request's own fields in
// their order, User-Agent (where it brings none and `user_agent` is not empty), Content-Length,
// and the body:
//
//   POST /p HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi
//
// Content-Length stands where there is a body, and with POST, PUT and PATCH. A Host of the request
// replaces ours; fields that frame the message (Content-Length, Transfer-Encoding, Connection,
// Expect) are ours alone, and left out. Error "malformed": the method or a field's name is no
// token, or a value holds a control character (RFC 9110 §5.5, §5.6.2, §9.1).
Result<std::string> write_request(const HttpRequest& request, std::string_view host,
                                  std::string_view target, std::string_view user_agent);

}  // namespace cronally::net
