// The signatures of API v1, byte for byte as in 2015. A request carries
//
//   X-Cron-Key        the account's api key
//   X-Cron-Date       UTC to the minute, YYYYMMDDHHMM
//   X-Cron-Signature  base64(HMAC-SHA256(key = base64-decode(api secret), PATH METHOD DATE))
//
// Body, query and host are not covered: whoever sees a signature can send it again, with another
// body, for as long as its date is accepted.
//
// Example: the secret h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk= signs GET /account/ at
// 200601021504 as cZB+B8398Tv7rxdnYzVNxzF9fs54B5hPmFFWwWP8Oqc=
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/time.h"

namespace cronally::core {

// How far the minute of X-Cron-Date may lie from the server's, unless told otherwise.
inline constexpr Duration v1_window_default = std::chrono::minutes{5};

// The bytes that an api secret stands for. Cannot be printed.
using V1Key = Secret<std::string>;

// nullopt where the text is not base64, padded or not, of at least one byte.
std::optional<V1Key> parse_v1_secret(std::string_view secret);

// Padded base64. `path` as in the request line, before decoding and without a query.
std::string sign_v1(const V1Key& key, std::string_view path, std::string_view method,
                    std::string_view date);

// The paths that a signature of a request to `path` may be over: as received, and with its last
// slash toggled; and, where clients know the API under a base path ("/cron", or "" for none), the
// same with the base path put before it or taken off.
std::vector<std::string> v1_paths(std::string_view path, std::string_view base_path);

// Whether `signature` (base64, padded or not, or lower-case hex) is that of one of the paths.
// Takes the same time whichever it is, and whether it is.
bool verify_v1(const V1Key& key, std::string_view signature, const std::vector<std::string>& paths,
               std::string_view method, std::string_view date);

// The minute that twelve digits name; nullopt for everything else, a 30th of February too.
std::optional<Instant> parse_v1_date(std::string_view text);
std::string format_v1_date(Instant at);

// Whether the minutes lie at most `window` apart.
bool is_v1_date_current(Instant date, Instant now, Duration window);

}  // namespace cronally::core
