// The API v2 (docs/api.md; the document itself: openapi.json): requests in, answers out.
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

#include "net/http_server.h"
#include "runtime/clock.h"
#include "runtime/health.h"
#include "runtime/metrics.h"
#include "runtime/vault.h"
#include "runtime/zone_loader.h"
#include "store/database.h"

namespace cronally::api {

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
  // How long an answer to delete, pause and change waits for the scheduler to have seen it.
  Duration ack_timeout = std::chrono::seconds{5};
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
