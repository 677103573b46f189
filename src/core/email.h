// Email addresses, as far as a form can judge them.
#pragma once

#include <string_view>

namespace cronally::core {

// WHATWG HTML, "valid email address": letters, digits and .!#$%&'*+/=?^_`{|}~- before one @, and a
// host name after it. At most 254 characters (RFC 5321 §4.5.3.1.3, without the angle brackets).
bool is_email(std::string_view text);

}  // namespace cronally::core
