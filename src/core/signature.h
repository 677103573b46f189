// Standard Webhooks 1.0.0 signatures (github.com/standard-webhooks, spec/standard-webhooks.md):
// how a receiver knows that a delivery is ours.
//
//   webhook-signature: v1,<base64 of HMAC-SHA256(key, id "." timestamp "." body)>
//
// A secret is written "whsec_" + base64 of 24 to 64 bytes; the key is those bytes.
//
// Example, the official vector: secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,
// id msg_p5jXN8AQM9LWM0D4loKWxJek, timestamp 1614265330, body {"test": 2432232314}
// is v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

namespace cronally::core {

// The key of a parsed secret, ready to sign. Cannot be printed.
using SigningKey = Secret<std::string>;

// Error "invalid_signing_secret", never quoting the secret.
Result<SigningKey> parse_signing_secret(std::string_view text);

// "whsec_…" of 24 to 64 key bytes (random ones from the caller make a new secret).
std::string format_signing_secret(std::string_view key_bytes);

// "v1,…". `timestamp` is in whole seconds since the epoch; id must not contain '.'.
std::string sign(const SigningKey& key, std::string_view id, std::int64_t timestamp,
                 std::string_view body);

// True when one of the blank-separated signatures in `header` is right for these values. The
// caller judges the timestamp's age.
bool verify(const SigningKey& key, std::string_view id, std::string_view timestamp,
            std::string_view body, std::string_view header);

}  // namespace cronally::core
