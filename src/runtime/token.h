// API tokens: "cronally_" and 32 random bytes as base64url, 52 characters in all.
//
// The plain token is shown once. Only its SHA-256 is stored: the token has 256 random bits, so a
// slow password hash would add nothing.
#pragma once

#include <string_view>

#include "base/hmac.h"
#include "base/secret.h"

namespace cronally::runtime {

SecretText make_token();

// What is stored and looked up.
Sha256 token_digest(std::string_view token);

// Whether a text can be a token at all; for messages, not for access.
bool is_token_shaped(std::string_view text);

}  // namespace cronally::runtime
