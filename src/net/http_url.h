// An http or https URL, taken apart as it was written: nothing is decoded, nothing is normalised,
// for a receiver may tell "%2F" from "/" and "/a/../b" from "/b" (RFC 3986 §6 is the reader's).
//
//   "https://Example.com:8443/a?b#c"   tls, host "Example.com", port 8443, host_header
//                                      "Example.com:8443", target "/a?b"
//   "http://[::1]?q"                   host "::1", port 80, host_header "[::1]", target "/?q"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cronally::net {

// Where requests go: what is one for all that share a connection.
struct HttpOrigin {
  bool tls = false;
  std::string host;         // a name or an address, without brackets
  std::uint16_t port = 80;  // never 0
  std::string host_header;  // as written, without a default port (RFC 9112 §3.2)
};

// The part of `url` before its path, query and fragment: "https://example.com:8443". URLs with
// equal ones have equal origins.
std::string_view origin_text(std::string_view url);

// Of an origin_text. Error "invalid_url", whose message is for a person: a scheme other than http
// and https, user info, no host, a host of other characters than letters, digits and "-._~" (an
// IPv6 address in brackets excepted), a port out of 1 to 65535.
Result<HttpOrigin> read_origin(std::string_view origin);

// What stands behind the origin, for the request line: path and query; "/" in front where there
// is no path; the fragment is dropped. Error "invalid_url": a blank, control character or
// character beyond ASCII, which must be percent-encoded.
Result<std::string> read_target(std::string_view url);

}  // namespace cronally::net
