// GET and POST of /account/.
#include "api/accounts.h"
#include "api/authentication.h"
#include "api/handlers.h"
#include "api/v1_answers.h"
#include "core/email.h"
#include "core/secret_context.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

net::Response account_response(const store::Account& account, std::string_view api_secret,
                               std::int64_t cronjob_count) {
  net::Response response = v1_success({{"account_id", account.id.text()},
                                       {"email", account.email},
                                       {"api_key", account.api ? account.api->key.text() : ""},
                                       {"api_secret", api_secret},
                                       {"cronjob_count", cronjob_count}});
  response.headers.add("Cache-Control", "no-store");
  return response;
}

// A client of 2015 can put a token into its fields only.
bool may_sign_up(const Call& call, const core::Form& form) {
  if (call.deps().v1.signup_open) return true;
  const auto token = form.find("token");
  return is_admin(call.shared, call.request, token == form.end() ? "" : token->second);
}

}  // namespace

Answer v1_get_account(Call& call) {
  store::Accounts& accounts = call.deps().database.accounts();
  const store::Account account = accounts.account(call.account());
  std::string secret(core::secret_mask);
  if (!call.deps().v1.secret_masked && account.api) {
    Result<SecretText> plain =
        call.deps().vault.open(core::api_secret_context(account.id), account.api->sealed_secret);
    if (!plain) return fail(plain.error());
    secret = plain->reveal();
  }
  return account_response(account, secret, accounts.job_count(account.no));
}

Answer v1_create_account(Call& call) {
  const Result<core::Form> form = v1_form(call.request);
  if (!form) return fail(form.error());
  const auto email = form->find("email");
  if (email == form->end() || !core::is_email(email->second))
    return fail("invalid_email", "email must be an address such as username@example.com");
  if (!may_sign_up(call, *form))
    return fail("signup_closed",
                "signing up is closed on this server; ask its operator for an account (`cronally "
                "account create`)");
  const Result<FreshAccount> fresh = make_account(call, email->second, email->second);
  if (!fresh) {
    if (fresh.error().code != "email_taken") return fail(fresh.error());
    return fail("email_taken", "another account has this email; give another");
  }
  return account_response(fresh->account, fresh->api_secret.reveal(), 0);
}

}  // namespace cronally::api
