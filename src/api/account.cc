// The account and its tokens.
#include <algorithm>
#include <array>

#include "api/handlers.h"
#include "api/json_body.h"
#include "api/query.h"
#include "base/hmac.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/manifest_section.h"
#include "core/secret_context.h"
#include "core/signature.h"
#include "runtime/random.h"
#include "runtime/token.h"

namespace cronally::api {
namespace json = boost::json;

namespace {

constexpr std::size_t signing_key_bytes = 32;

Result<void> no_query(const Call& call) {
  const Result<Query> query = Query::parse(call.request.query, {});
  if (!query) return fail(query.error());
  return {};
}

json::object account_body(const store::Account& account, std::string_view signing_secret) {
  json::value webhook;
  if (account.failure_webhook) {
    json::object headers;
    for (const auto& [name, id] : account.failure_webhook->secret_headers)
      headers[name] = core::secret_mask;
    webhook = {{"url", account.failure_webhook->url}, {"secret_headers", std::move(headers)}};
  }
  return {{"id", account.id.text()},
          {"name", account.name},
          {"email", account.email.empty() ? json::value() : json::value(account.email)},
          {"api_key", account.api ? json::value(account.api->key.text()) : json::value()},
          {"signing_secret", signing_secret},
          {"failure_webhook", std::move(webhook)}};
}

// Lays a merge patch over an account, noting every fault.
class AccountPatch {
 public:
  AccountPatch(const Call& call, store::Account& account) : call_(call), account_(account) {}

  Result<void> apply(const json::object& patch) {
    static constexpr std::array<std::string_view, 3> fields{"name", "signing_secret",
                                                            "failure_webhook"};
    static constexpr std::array<std::string_view, 3> read_only{"id", "email", "api_key"};
    core::Section section(patch, "", faults_);
    section.allow(fields, read_only);
    patch_name(section, patch);
    patch_signing_secret(section, patch);
    patch_webhook(section, patch);
    if (faults_.empty()) return {};
    return fail({"invalid_account", "the account was not changed; correct what is at fault",
                 std::move(faults_)});
  }

  const std::vector<store::NewSecret>& secrets() const { return secrets_; }
  // The new one, to be shown once; else the mask.
  const std::string& signing_secret() const { return signing_secret_; }

 private:
  static bool is_null(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && value->is_null();
  }

  void patch_name(core::Section& section, const json::object& patch) {
    if (is_null(patch, "name")) return section.fault("name", "has no default; give a name");
    const std::optional<std::string> text = section.text("name");
    if (!text) return;
    Result<std::string> name = core::read_name(*text);
    if (!name) return section.fault("name", name.error().message);
    account_.name = std::move(*name);
  }

  void patch_signing_secret(core::Section& section, const json::object& patch) {
    if (is_null(patch, "signing_secret"))
      return section.fault("signing_secret", "has no default; give whsec_... or generate");
    const std::optional<std::string> given = section.text("signing_secret");
    if (!given || *given == core::secret_mask) return;
    const std::string secret =
        *given == "generate" ? core::format_signing_secret(runtime::random_bytes(signing_key_bytes))
                             : *given;
    if (const auto key = core::parse_signing_secret(secret); !key)
      return section.fault("signing_secret", key.error().message);
    account_.sealed_signing_secret =
        call_.deps().vault.seal(core::account_context(account_.id), SecretText(secret));
    signing_secret_ = secret;
  }

  void patch_webhook(core::Section& section, const json::object& patch) {
    if (is_null(patch, "failure_webhook")) {
      account_.failure_webhook.reset();
      return;
    }
    const json::object* object = section.object("failure_webhook");
    if (!object) return;
    static constexpr std::array<std::string_view, 2> fields{"url", "secret_headers"};
    core::Section webhook(*object, "/failure_webhook", faults_);
    webhook.allow(fields);
    if (!account_.failure_webhook) account_.failure_webhook.emplace();
    patch_url(webhook);
    if (is_null(*object, "secret_headers"))
      account_.failure_webhook->secret_headers.clear();
    else if (const json::object* headers = webhook.object("secret_headers"))
      patch_headers(*headers);
  }

  void patch_url(core::Section& webhook) {
    const std::optional<std::string> url = webhook.text("url");
    if (!url) {
      if (account_.failure_webhook->url.empty() && !webhook.find("url"))
        webhook.fault("url", "is missing; give an http or https URL, or null as failure_webhook");
      return;
    }
    std::optional<std::string> fault = core::url_fault(*url);
    if (!fault && url->contains("{{")) fault = "must not hold placeholders: it tells of many runs";
    if (fault) return webhook.fault("url", std::move(*fault));
    account_.failure_webhook->url = *url;
  }

  void patch_headers(const json::object& headers) {
    core::Section section(headers, "/failure_webhook/secret_headers", faults_);
    for (const json::key_value_pair& pair : headers) patch_header(section, pair);
    if (account_.failure_webhook->secret_headers.size() > core::headers_max)
      faults_.push_back({"/failure_webhook/secret_headers", "must have at most 64 headers"});
  }

  void patch_header(core::Section& section, const json::key_value_pair& pair) {
    auto& headers = account_.failure_webhook->secret_headers;
    const auto stored = std::ranges::find_if(
        headers, [&](const auto& header) { return net::equal_names(header.first, pair.key()); });
    if (pair.value().is_null()) {
      if (stored != headers.end()) headers.erase(stored);
      return;
    }
    if (auto fault = core::header_name_fault(pair.key()))
      return section.fault(pair.key(), std::move(*fault));
    const std::optional<std::string> value = section.text(pair.key());
    if (!value) return;
    if (*value == core::secret_mask) {
      if (stored == headers.end())
        section.fault(pair.key(), "is *** (unchanged), but nothing is stored; give the value");
      return;
    }
    if (auto fault = core::header_value_fault(*value))
      return section.fault(pair.key(), std::move(*fault));
    if (stored != headers.end()) headers.erase(stored);
    headers.emplace_back(pair.key(), seal_secret(call_, SecretText(*value), secrets_));
  }

  const Call& call_;
  store::Account& account_;
  core::Faults faults_;
  std::vector<store::NewSecret> secrets_;
  std::string signing_secret_{core::secret_mask};
};

json::object token_body(const store::Token& token) {
  return {{"id", token.id.text()},
          {"name", token.name},
          {"admin", token.admin},
          {"created_at", format_instant(token.created_at)}};
}

Result<store::Token> read_token(const json::object& body) {
  static constexpr std::array<std::string_view, 2> fields{"name", "admin"};
  static constexpr std::array<std::string_view, 2> read_only{"id", "created_at"};
  core::Faults faults;
  core::Section section(body, "", faults);
  section.allow(fields, read_only);
  store::Token token{TokenId{runtime::random_uuid_v4()}, {}, false, {}};
  if (!section.find("name")) section.fault("name", "is missing; say what the token is for");
  if (const std::optional<std::string> text = section.text("name")) {
    Result<std::string> name = core::read_name(*text);
    if (name)
      token.name = std::move(*name);
    else
      section.fault("name", name.error().message);
  }
  token.admin = section.boolean("admin").value_or(false);
  if (faults.empty()) return token;
  return fail({"invalid_token", "no token was made; correct what is at fault", std::move(faults)});
}

}  // namespace

Answer get_account(Call& call) {
  if (const Result<void> none = no_query(call); !none) return fail(none.error());
  return json_response(200, account_body(call.deps().database.accounts().account(call.account()),
                                         core::secret_mask));
}

Answer patch_account(Call& call) {
  if (const Result<void> none = no_query(call); !none) return fail(none.error());
  const Result<json::object> body = read_body(call.request, "application/merge-patch+json");
  if (!body) return fail(body.error());
  // Reading and writing are two verbs of the store: one patch at a time.
  const std::lock_guard lock(call.shared.account_mutex);
  store::Accounts& accounts = call.deps().database.accounts();
  store::Account account = accounts.account(call.account());
  AccountPatch patch(call, account);
  if (const Result<void> done = patch.apply(*body); !done) return fail(done.error());
  accounts.change_account(account, patch.secrets());
  net::Response response = json_response(200, account_body(account, patch.signing_secret()));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

Answer list_tokens(Call& call) {
  static constexpr std::array<std::string_view, 2> known{"cursor", "limit"};
  const Result<Query> query = Query::parse(call.request.query, known);
  if (!query) return fail(query.error());
  if (const Result<std::size_t> limit = query->limit(); !limit) return fail(limit.error());
  if (query->find("cursor"))
    return fail("invalid_cursor", "tokens come on one page; ask without a cursor");
  json::array items;
  for (const store::Token& token : call.deps().database.accounts().tokens(call.account()))
    items.push_back(token_body(token));
  return json_response(200, list_body(std::move(items), std::nullopt));
}

Answer create_token(Call& call) {
  if (const Result<void> none = no_query(call); !none) return fail(none.error());
  const Result<json::object> body = read_body(call.request);
  if (!body) return fail(body.error());
  const Result<store::Token> token = read_token(*body);
  if (!token) return fail(token.error());
  const SecretText plain = runtime::make_token();
  const Result<store::Token> created = call.deps().database.accounts().create_token(
      call.account(), *token, as_bytes(runtime::token_digest(plain.reveal())));
  if (!created)
    return fail({"name_taken",
                 "another token has this name; choose another, or revoke that token",
                 {{"/name", "is the name of another token"}}});
  json::object shown = token_body(*created);
  shown["token"] = plain.reveal();
  net::Response response = json_response(201, shown);
  response.headers.add("Location", "/v2/tokens/" + created->id.text());
  response.headers.add("Cache-Control", "no-store");
  return response;
}

Answer revoke_token(Call& call) {
  if (const Result<void> none = no_query(call); !none) return fail(none.error());
  const std::optional<Uuid> id = parse_uuid(call.params[0]);
  if (!id) return fail(not_found("token", call.params[0]));
  const Result<void> gone =
      call.deps().database.accounts().revoke_token(call.account(), TokenId{*id});
  if (gone) return net::Response{204, {}, {}};
  if (gone.error().code == "last_admin_token")
    return fail("last_admin_token",
                "this is the last admin token; make another before you revoke it");
  return fail(not_found("token", call.params[0]));
}

}  // namespace cronally::api
