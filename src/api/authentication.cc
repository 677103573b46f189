#include "api/authentication.h"

#include <optional>

#include "api/problem.h"
#include "base/hmac.h"
#include "base/text.h"
#include "core/secret_context.h"
#include "core/v1_signature.h"
#include "runtime/token.h"

namespace cronally::api {
namespace {

constexpr std::string_view key_header = "X-Cron-Key";
constexpr std::string_view date_header = "X-Cron-Date";
constexpr std::string_view signature_header = "X-Cron-Signature";

// Who it is, and under which digest the request is remembered; empty where it is not.
struct Caller {
  store::Principal principal;
  std::string remembered;
};

// The token of "Authorization: Bearer TOKEN" (RFC 6750 §2.1).
std::optional<std::string_view> bearer_token(const net::Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  const auto header = request.headers.find("Authorization");
  if (!header || header->size() <= scheme.size()) return std::nullopt;
  if (!net::equal_names(header->substr(0, scheme.size()), scheme)) return std::nullopt;
  return header->substr(scheme.size());
}

std::optional<store::Principal> holder_of(Shared& shared, std::string_view token) {
  return shared.deps.database.accounts().authenticate(as_bytes(runtime::token_digest(token)));
}

Result<Caller> authenticate_token(Shared& shared, const net::Request& request) {
  if (request.headers.count("Authorization") > 1)
    return fail("unauthorized", "the header Authorization stands there twice; send it once");
  const std::optional<std::string_view> token = bearer_token(request);
  if (!token)
    return fail("unauthorized",
                "this needs a token; send the header Authorization: Bearer TOKEN (the first one is "
                "in the file admin-token of the data directory)");
  const std::optional<store::Principal> principal = holder_of(shared, *token);
  if (!principal)
    return fail("unauthorized", "the token is unknown or was revoked; give one that is valid");
  return Caller{*principal, {}};
}

std::string method_of(const net::Request& request) {
  return request.head ? "HEAD" : request.method;
}

// The wall time at which the request was complete: a long poll is judged by it again and again.
Instant received_at(const Shared& shared, const net::Request& request) {
  const Now now = shared.deps.clock.now();
  return now.wall - (now.steady - request.received_at);
}

class SignatureCheck {
 public:
  SignatureCheck(Shared& shared, const net::Request& request)
      : shared_(shared), request_(request), received_(received_at(shared, request)) {}

  Result<Caller> run() const {
    for (const std::string_view name : {key_header, date_header, signature_header})
      if (request_.headers.count(name) != 1)
        return refuse(
            "this needs the headers X-Cron-Key, X-Cron-Date and X-Cron-Signature, each "
            "once; correct " +
            std::string(name));
    const std::string_view text = *request_.headers.find(date_header);
    const std::optional<Instant> date = core::parse_v1_date(text);
    if (!date)
      return refuse("X-Cron-Date must be UTC as YYYYMMDDHHMM, twelve digits, not " + quote(text));
    if (!core::is_v1_date_current(*date, received_, options().window))
      return refuse("X-Cron-Date " + std::string(text) + " is more than " +
                    format_duration(options().window) + " off this server's clock");
    const Result<std::optional<store::Account>> account = signing_account();
    if (!account) return fail(account.error());
    if (!*account)
      return refuse(
          "the api key or the signature is wrong; it must be over PATH, METHOD and DATE "
          "with the base64-decoded api secret");
    Result<std::string> remembered = take_once((*account)->api->key, *date);
    if (!remembered) return fail(remembered.error());
    const store::Principal principal{(*account)->no, (*account)->id, TokenId{}, false};
    return Caller{principal, std::move(*remembered)};
  }

 private:
  // Equal for requests that do the same, however their signature is written.
  std::string digest(ApiKey key) const {
    std::string path(local_path(options(), request_.path));
    if (path.ends_with('/')) path.pop_back();
    std::string whole = key.text() + "\n" + std::string(*request_.headers.find(date_header)) + "\n";
    whole += method_of(request_) + "\n" + path + "\n" + request_.query + "\n" + request_.body;
    return std::string(as_bytes(sha256(whole)));
  }

  const V1Options& options() const { return shared_.deps.v1; }

  std::unexpected<Error> refuse(const std::string& why) const {
    const Instant second = std::chrono::floor<std::chrono::seconds>(received_);
    return fail("unauthorized", why + "; it is " + format_instant(second) + " here, which is " +
                                    core::format_v1_date(second));
  }

  // The account whose key and signature these are; nullopt where one of them is wrong.
  Result<std::optional<store::Account>> signing_account() const {
    std::optional<store::Account> account;
    if (const auto key = parse_uuid(*request_.headers.find(key_header)))
      account = shared_.deps.database.accounts().find_account(ApiKey{*key});
    const bool known = account && account->api;
    const Result<SecretText> secret = shared_.deps.vault.open(
        core::api_secret_context(known ? account->id : shared_.decoy.account),
        known ? account->api->sealed_secret : shared_.decoy.sealed_secret);
    if (!secret) return fail(secret.error());
    const std::optional<core::V1Key> key = core::parse_v1_secret(secret->reveal());
    const bool right =
        key && core::verify_v1(*key, *request_.headers.find(signature_header),
                               core::v1_paths(request_.path, options().base_path),
                               method_of(request_), *request_.headers.find(date_header));
    if (!known || !right) account.reset();
    return account;
  }

  Result<std::string> take_once(ApiKey key, Instant date) const {
    if (!options().replays_refused || request_.method == "GET") return std::string();
    std::string whole = digest(key);
    const SteadyInstant until =
        request_.received_at + (date - received_) + options().window + std::chrono::minutes{1};
    switch (shared_.replays.take(whole, shared_.deps.clock.steady(), until)) {
      case ReplayGuard::Verdict::fresh: return whole;
      case ReplayGuard::Verdict::taken:
        return refuse(
            "this very request was taken already; wait for the next minute and sign it "
            "anew");
      case ReplayGuard::Verdict::full: break;
    }
    return fail("unavailable",
                "too many signed requests came within the window of their dates; try again later");
  }

  Shared& shared_;
  const net::Request& request_;
  const Instant received_;
};

Result<Caller> authenticate(Shared& shared, const net::Request& request, Access access) {
  if (access == Access::open) return Caller{};
  const bool is_signed = !request.headers.find("Authorization") && request.headers.find(key_header);
  Result<Caller> caller =
      is_signed ? SignatureCheck(shared, request).run() : authenticate_token(shared, request);
  if (caller && access == Access::admin && !caller->principal.admin)
    return fail("admin_required", "this needs an admin token; ask whoever holds one");
  return caller;
}

// What came to no end may be sent again as it is.
Answer handle(Shared& shared, const net::Request& request, const Route& route, const Caller& caller,
              std::vector<std::string> params) {
  const auto forget = [&] {
    if (!caller.remembered.empty()) shared.replays.forget(caller.remembered);
  };
  Call call{shared, request, caller.principal, std::move(params)};
  try {
    Answer answer = route.handle(call);
    if (!answer && status_of(answer.error().code) >= 500) forget();
    return answer;
  } catch (...) {
    forget();
    throw;
  }
}

}  // namespace

Answer admit(Shared& shared, const net::Request& request, const Route& route,
             std::vector<std::string> params) {
  const Result<Caller> caller = authenticate(shared, request, route.access);
  if (!caller) return fail(caller.error());
  return handle(shared, request, route, *caller, std::move(params));
}

Answer admit_signed(Shared& shared, const net::Request& request, const Route& route,
                    std::vector<std::string> params) {
  const bool open = route.access == Access::open;
  const Result<Caller> caller = open ? Caller{} : SignatureCheck(shared, request).run();
  if (!caller) return fail(caller.error());
  return handle(shared, request, route, *caller, std::move(params));
}

bool is_admin(Shared& shared, const net::Request& request, std::string_view token) {
  const std::optional<std::string_view> bearer = bearer_token(request);
  const std::optional<store::Principal> principal = holder_of(shared, bearer.value_or(token));
  return principal && principal->admin;
}

std::string_view local_path(const V1Options& options, std::string_view path) {
  const std::string& base = options.base_path;
  const bool beneath =
      !base.empty() && path.starts_with(base) && path.substr(base.size()).starts_with('/');
  return beneath ? path.substr(base.size()) : path;
}

}  // namespace cronally::api
