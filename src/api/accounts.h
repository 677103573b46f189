// Accounts that sign their requests: made by an admin, or by signing up.
#pragma once

#include <string>
#include <string_view>

#include "api/call.h"

namespace cronally::api {

// An account with the plain text of its fresh api secret, to be shown this once.
struct FreshAccount {
  store::Account account;
  SecretText api_secret;
};

// Makes one, with a signing secret of its own and without a token. Code "email_taken".
Result<FreshAccount> make_account(const Call& call, std::string_view email, std::string_view name);

// Gives it a fresh key and secret; those before are refused from here on.
Result<FreshAccount> rotate_credentials(const Call& call, store::Account account);

}  // namespace cronally::api
