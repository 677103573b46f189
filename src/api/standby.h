// What a server answers while it waits for the data directory that another one holds.
#pragma once

#include "api/api.h"
#include "net/http_server.h"
#include "runtime/health.h"
#include "runtime/metrics.h"

namespace cronally::api {

// /livez, /readyz, /metrics and /openapi.json as ever; 503 `standby` for the rest of the API. Any
// thread.
net::Response answer_as_standby(const net::Request& request, const V1Options& v1,
                                const runtime::Health& health, runtime::Metrics& board);

}  // namespace cronally::api
