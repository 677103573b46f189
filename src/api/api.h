// The API v2 (docs/api.md; the document itself: openapi.json) and the v1 of 2015 (docs/api-v1.md):
// requests in, answers out.
//
// Hides routing, tokens, problems, ETags and idempotency. It talks to the store and never to the
// scheduler: what a write means for running work goes through the database.
//
//   api::Api api({.database = *database, .vault = vault, .zones = zones, .clock = clock,
//                 .health = health, .metrics = metrics, .version = "0.1.0",
//                 .scratch = data_dir});
//   options.body_max = api::body_max;
//   net::HttpServer server(options, [&](const net::Request& r) { return api.handle(r); }, clock);
//
// A token's digest in store::Accounts is the 32 raw bytes of runtime::token_digest(). The account's
// sealed signing secret holds its "whsec_..." text under core::account_context(id); secret headers
// are sealed under core::secret_context(id).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "core/v1_signature.h"
#include "net/http_server.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/metrics.h"
#include "runtime/vault.h"
#include "runtime/zone_loader.h"
#include "store/database.h"

namespace cronally::api {

// How API v1 and its signatures are served.
struct V1Options {
  // The path that clients have before the API's own ("/cron"), behind a proxy; empty for none.
  // Requests are taken, and signatures may be over the path, with it and without it.
  std::string base_path;
  Duration window = core::v1_window_default;  // how far X-Cron-Date may lie from the clock
  bool signup_open = false;                   // POST /account/ for everybody, else for admin tokens
  bool secret_masked = false;                 // GET /account/ hides the api secret
  // A signed request that changes something is taken once. (Those that only read may come again:
  // within a minute equal ones have equal signatures.)
  bool replays_refused = false;
};

// All must outlive the Api.
struct ApiDeps {
  store::Database& database;
  const runtime::Vault& vault;
  runtime::ZoneLoader& zones;
  const runtime::Clock& clock;
  runtime::Health& health;
  runtime::Metrics& metrics;
  std::string version;
  std::filesystem::path scratch;  // a private directory, for the copy that a backup streams
  // From a request's arrival, or from the call where a long poll has waited before: what the store
  // has not done by then is answered 503, and so is a delete, pause or change that the scheduler
  // has not seen. Clients are promised 5 s; the rest is for the way.
  Duration answer_max = std::chrono::milliseconds{4500};
  V1Options v1{};
};

class Api {
 public:
  explicit Api(ApiDeps deps);
  ~Api();

  // Any thread; blocks as the store does. A long poll answers Later until there is news. Never
  // throws for outages: they are 503 `unavailable`.
  net::Reply handle(const net::Request& request);

  // From now on long polls answer at once, so that a stop need not wait for them. Any thread.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// For ServerOptions::body_max: 16 MiB for bulk, 1 MiB for all else.
std::size_t body_max(std::string_view method, std::string_view path);

// The OpenAPI 3.1 document, as /openapi.json gives it.
std::string_view openapi_document();

}  // namespace cronally::api
