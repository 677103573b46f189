// What a server answers while it does not serve: it waits for the data directory that another one
// holds, or for its database.
#pragma once

#include "api/api.h"
#include "base/error.h"
#include "net/http_server.h"
#include "runtime/health.h"
#include "runtime/metrics.h"

namespace cronally::api {

// `standby`, for who waits for the data directory.
Error standing_by();

// /livez, /readyz, /metrics and /openapi.json as ever; `why`, of a code that is 503, for the rest
// of the API. Any thread.
net::Response answer_as_standby(const net::Request& request, const V1Options& v1,
                                const runtime::Health& health, runtime::Metrics& board,
                                const Error& why);

}  // namespace cronally::api
