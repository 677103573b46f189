#include "api/pages.h"

#include <string_view>

#include "api/api.h"
#include "base/text.h"

namespace cronally::api {

net::Response text_page(int status, std::string text) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text)};
}

// "[+]store ok", "[+]leases ok: node …", "[-]clock failed: reason".
std::string line_of(const runtime::HealthItem& item) {
  if (item.ok) {
    const std::string detail = item.reason.empty() ? "" : ": " + item.reason;
    return "[+]" + item.name + " ok" + detail + "\n";
  }
  std::string line = "[-]" + item.name + " failed: " + item.reason;
  if (item.resumes_at) line += "; work resumes at " + format_instant(*item.resumes_at);
  return line + "\n";
}

net::Response readyz_page(const runtime::Health& health, bool verbose) {
  const runtime::Readiness readiness = health.readiness();
  std::string text;
  for (const runtime::HealthItem& item : readiness.items)
    if (!item.ok || verbose) text += line_of(item);
  text += readiness.ready ? "ok\n" : "not ready\n";
  return text_page(readiness.ready ? 200 : 503, std::move(text));
}

net::Response metrics_page(runtime::Metrics& metrics, const runtime::Health& health) {
  metrics.gauge(runtime::metric::ready).set(health.readiness().ready ? 1 : 0);
  return {200,
          {{"Content-Type", std::string(runtime::metrics_content_type)}},
          metrics.render_prometheus()};
}

net::Response openapi_page() {
  return {200,
          {{"Content-Type", "application/json"}, {"Cache-Control", "no-cache"}},
          std::string(openapi_document())};
}

}  // namespace cronally::api
