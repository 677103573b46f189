// Percent-encoding (RFC 3986 §2.1): how any text stands in a URL or in an ASCII header.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace cronally {

// Everything but the unreserved characters (letters, digits, - . _ ~) becomes %XX, upper case:
// "a b/ü" is "a%20b%2F%C3%BC". Safe in a path segment, a query value and a header.
std::string percent_encode(std::string_view text);

// "a=1&b=x%20y": application/x-www-form-urlencoded, with blanks as %20, in the order given.
std::string form_encode(std::span<const std::pair<std::string, std::string>> fields);

// The bytes that %XX stand for; '+' stays '+'. nullopt when a % is not followed by two hex
// digits. Decode once, after splitting at '/', so that %2F stays part of its segment.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace cronally
