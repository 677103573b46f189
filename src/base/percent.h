// Percent-encoding (RFC 3986 §2.1): how any text stands in a URL or in an ASCII header.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cronally {

// Everything but the unreserved characters (letters, digits, - . _ ~) becomes %XX, upper case:
// "a b/ü" is "a%20b%2F%C3%BC". Safe in a path segment, a query value and a header.
std::string percent_encode(std::string_view text);

// The bytes that %XX stand for; '+' stays '+'. nullopt when a % is not followed by two hex
// digits. Decode once, after splitting at '/', so that %2F stays part of its segment.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace cronally
