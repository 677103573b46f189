// What a sealed value is bound to: opening it under another context fails, so that a row copied
// from one secret to another in the database does not open.
#pragma once

#include <string>

#include "base/ids.h"

namespace cronally::core {

inline std::string secret_context(const SecretId& id) { return "secret|" + id.text(); }
inline std::string account_context(const AccountId& id) { return "account|" + id.text(); }
inline std::string api_secret_context(const AccountId& id) {
  return "account|" + id.text() + "|api_secret";
}

}  // namespace cronally::core
