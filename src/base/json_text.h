// Writing a JSON string by hand, where a JSON library would be too much: log lines, problems,
// placeholders.
#pragma once

#include <string>
#include <string_view>

namespace cronally {

// `text` as it stands between the quotes of a JSON string (RFC 8259 §7), without the quotes.
// Control characters become \uXXXX; bytes that are not UTF-8 become U+FFFD, so that the result is
// always valid: `say "hi"` gives `say \"hi\"`.
std::string json_escape(std::string_view text);

// The same, with the quotes.
std::string json_quote(std::string_view text);

}  // namespace cronally
