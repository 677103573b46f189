// POST /v2/accounts and POST /v2/accounts/{account}/rotate.
#include "api/accounts.h"

#include <array>
#include <optional>

#include "api/handlers.h"
#include "api/json_body.h"
#include "api/query.h"
#include "base/hmac.h"
#include "base/text.h"
#include "core/email.h"
#include "core/manifest_section.h"
#include "core/secret_context.h"
#include "core/signature.h"
#include "runtime/log.h"
#include "runtime/random.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

constexpr std::size_t secret_bytes = 32;

SecretText give_credentials(const Call& call, store::Account& account) {
  SecretText secret(base64(runtime::random_bytes(secret_bytes)));
  account.api = {ApiKey{runtime::random_uuid_v4()},
                 call.deps().vault.seal(core::api_secret_context(account.id), secret)};
  return secret;
}

struct NewAccount {
  std::string email;
  std::string name;
};

Result<NewAccount> read_account(const json::object& body) {
  static constexpr std::array<std::string_view, 2> fields{"email", "name"};
  static constexpr std::array<std::string_view, 3> read_only{"id", "api_key", "api_secret"};
  core::Faults faults;
  core::Section section(body, "", faults);
  section.allow(fields, read_only);
  NewAccount account;
  if (!section.find("email")) section.fault("email", "is missing; each account has one of its own");
  if (const std::optional<std::string> email = section.text("email")) {
    if (!core::is_email(*email))
      section.fault("email", "must be an address such as ops@example.com");
    account.email = *email;
    account.name = *email;
  }
  if (const std::optional<std::string> text = section.text("name")) {
    Result<std::string> name = core::read_name(*text);
    if (name)
      account.name = std::move(*name);
    else
      section.fault("name", name.error().message);
  }
  if (faults.empty()) return account;
  return fail(
      {"invalid_account", "no account was made; correct what is at fault", std::move(faults)});
}

net::Response fresh_response(int status, const FreshAccount& fresh) {
  const store::Account& account = fresh.account;
  net::Response response = json_response(
      status, {{"id", account.id.text()},
               {"name", account.name},
               {"email", account.email.empty() ? json::value() : json::value(account.email)},
               {"api_key", account.api->key.text()},
               {"api_secret", fresh.api_secret.reveal()}});
  response.headers.add("Cache-Control", "no-store");
  return response;
}

Result<store::Account> find_account(const Call& call, const std::string& reference) {
  store::Accounts& accounts = call.deps().database.accounts();
  const std::optional<Uuid> id = parse_uuid(reference);
  std::optional<store::Account> account =
      id ? accounts.find_account(AccountId{*id}) : accounts.find_account(reference);
  if (account) return std::move(*account);
  return fail("not_found", "no account " + quote(reference) + "; give its id or its email");
}

}  // namespace

Result<FreshAccount> make_account(const Call& call, std::string_view email, std::string_view name) {
  store::Account account{.id = AccountId{runtime::random_uuid_v4()}, .name = std::string(name)};
  account.email = email;
  account.sealed_signing_secret =
      call.deps().vault.seal(core::account_context(account.id),
                             SecretText(core::format_signing_secret(runtime::random_bytes(32))));
  SecretText secret = give_credentials(call, account);
  Result<store::Account> made = call.deps().database.accounts().create_account(account);
  if (!made) return fail(made.error());
  runtime::log::info("api", "account made", {{"account", made->id}});
  return FreshAccount{std::move(*made), std::move(secret)};
}

Result<FreshAccount> rotate_credentials(const Call& call, store::Account account) {
  SecretText secret = give_credentials(call, account);
  const Result<void> done =
      call.deps().database.accounts().rotate_credentials(account.no, *account.api);
  if (!done) return fail(done.error());
  runtime::log::info("api", "credentials of an account replaced", {{"account", account.id}});
  return FreshAccount{std::move(account), std::move(secret)};
}

Answer create_account(Call& call) {
  if (const Result<Query> none = Query::parse(call.request.query, {}); !none)
    return fail(none.error());
  const Result<json::object> body = read_body(call.request);
  if (!body) return fail(body.error());
  const Result<NewAccount> wanted = read_account(*body);
  if (!wanted) return fail(wanted.error());
  const Result<FreshAccount> fresh = make_account(call, wanted->email, wanted->name);
  if (!fresh)
    return fail({"email_taken",
                 "another account has this email; give another, or rotate the credentials of that "
                 "account",
                 {{"/email", "is the email of another account"}}});
  return fresh_response(201, *fresh);
}

Answer rotate_account(Call& call) {
  if (const Result<void> none = no_body(call); !none) return fail(none.error());
  Result<store::Account> account = find_account(call, call.params[0]);
  if (!account) return fail(account.error());
  const Result<FreshAccount> fresh = rotate_credentials(call, std::move(*account));
  if (!fresh) return fail(fresh.error());
  return fresh_response(200, *fresh);
}

}  // namespace cronally::api
