// Answers that need no database: what a server says of itself, while it serves and while it stands
// by.
#pragma once

#include <string>

#include "net/http_server.h"
#include "runtime/health.h"
#include "runtime/metrics.h"

namespace cronally::api {

net::Response text_page(int status, std::string text);

// A line for each item that fails, with `verbose` for each; as the Kubernetes API server writes it.
net::Response readyz_page(const runtime::Health& health, bool verbose);
std::string line_of(const runtime::HealthItem& item);

net::Response metrics_page(runtime::Metrics& metrics, const runtime::Health& health);

net::Response openapi_page();

}  // namespace cronally::api
