#include "api/call.h"

#include "base/hmac.h"
#include "base/text.h"
#include "core/secret_context.h"
#include "runtime/deadline.h"
#include "runtime/random.h"

namespace cronally::api {
namespace json = boost::json;

std::string QuietPolls::key_of(const net::Request& request) {
  std::string whole = request.target;
  for (const char* name : {"Authorization", "X-Cron-Key", "X-Cron-Date", "X-Cron-Signature"})
    whole += "\n" + std::string(request.headers.find(name).value_or(""));
  return std::string(as_bytes(sha256(whole)));
}

bool QuietPolls::goes_on(const std::string& key, std::uint64_t tick, Duration waited) const {
  const std::lock_guard lock(mutex_);
  const auto found = polls_.find(key);
  return found != polls_.end() && found->second.tick == tick && waited < found->second.wait;
}

void QuietPolls::note(const std::string& key, Poll poll) {
  const std::lock_guard lock(mutex_);
  if (polls_.size() >= entries_max) polls_.clear();
  polls_[key] = poll;
}

Decoy::Decoy(const runtime::Vault& vault)
    : account{runtime::random_uuid_v4()},
      sealed_secret(vault.seal(core::api_secret_context(account),
                               SecretText(base64(runtime::random_bytes(32))))) {}

Duration Call::time_left() const {
  const auto deadline = runtime::DeadlineScope::current();
  return deadline ? deadline->remaining(shared.waits.steady()) : shared.deps.answer_max;
}

net::Response json_response(int status, const json::value& body) {
  return {status, {{"Content-Type", "application/json"}}, json::serialize(body)};
}

json::object list_body(json::array items, const std::optional<std::string>& next) {
  return {{"items", std::move(items)}, {"next_cursor", next ? json::value(*next) : json::value()}};
}

SecretId seal_secret(const Call& call, const SecretText& plain,
                     std::vector<store::NewSecret>& into) {
  const SecretId id{runtime::random_uuid_v4()};
  into.push_back({id, call.deps().vault.seal(core::secret_context(id), plain)});
  return id;
}

Result<std::optional<std::string>> idempotency_key(const net::Request& request) {
  constexpr std::size_t key_bytes_max = 200;
  const auto header = request.headers.find("Idempotency-Key");
  if (!header) return std::nullopt;
  std::string key;
  std::string_view text = *header;
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  if (quoted) text = text.substr(1, text.size() - 2);
  bool sound = true;
  for (std::size_t i = 0; i < text.size() && sound; ++i) {
    if (quoted && text[i] == '\\' && i + 1 < text.size()) ++i;
    sound = text[i] >= 0x20 && text[i] < 0x7F;
    key += text[i];
  }
  if (sound && !key.empty() && key.size() <= key_bytes_max &&
      request.headers.count("Idempotency-Key") == 1)
    return key;
  return fail("invalid_request",
              "Idempotency-Key must stand there once, with 1 to 200 printable ASCII characters; "
              "a random UUID is a good one");
}

Error not_found(std::string_view what, std::string_view reference) {
  std::string list(what);
  return {"not_found",
          "no " + list + " " + quote(reference) + "; GET /v2/" + list + "s lists them"};
}

}  // namespace cronally::api
