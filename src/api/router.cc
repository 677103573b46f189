#include "api/router.h"

#include <algorithm>

#include "api/handlers.h"
#include "base/percent.h"
#include "base/text.h"

namespace cronally::api {
namespace {

constexpr Route table[] = {
    {"GET", "/v2/jobs", Access::token, list_jobs},
    {"POST", "/v2/jobs", Access::token, create_job},
    {"POST", "/v2/jobs/bulk", Access::token, create_bulk},
    {"GET", "/v2/jobs/{job}", Access::token, get_job},
    {"PATCH", "/v2/jobs/{job}", Access::token, patch_job},
    {"DELETE", "/v2/jobs/{job}", Access::token, delete_job},
    {"POST", "/v2/jobs/{job}/pause", Access::token, pause_job},
    {"POST", "/v2/jobs/{job}/resume", Access::token, resume_job},
    {"POST", "/v2/jobs/{job}/run", Access::token, run_job},
    {"GET", "/v2/runs", Access::token, list_runs},
    {"GET", "/v2/runs/changes", Access::token, run_changes},
    {"GET", "/v2/runs/{run}", Access::token, get_run},
    {"POST", "/v2/schedules/preview", Access::token, preview_schedule},
    {"GET", "/v2/account", Access::token, get_account},
    {"PATCH", "/v2/account", Access::admin, patch_account},
    {"POST", "/v2/accounts", Access::admin, create_account},
    {"POST", "/v2/accounts/{account}/rotate", Access::admin, rotate_account},
    {"GET", "/v2/tokens", Access::admin, list_tokens},
    {"POST", "/v2/tokens", Access::admin, create_token},
    {"DELETE", "/v2/tokens/{token}", Access::admin, revoke_token},
    {"POST", "/v2/backup", Access::admin, backup},
    {"GET", "/livez", Access::open, livez},
    {"GET", "/healthz", Access::open, livez},
    {"GET", "/readyz", Access::open, readyz},
    {"GET", "/readyz/{check}", Access::open, readyz_check},
    {"GET", "/metrics", Access::open, metrics},
    {"GET", "/openapi.json", Access::open, openapi},
};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (true) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == path.npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// How many segments match literally; nullopt: not this pattern.
std::optional<int> literals(std::string_view pattern, const std::vector<std::string_view>& path) {
  const std::vector<std::string_view> parts = split(pattern);
  if (parts.size() != path.size()) return std::nullopt;
  int same = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].starts_with('{')) {
      if (path[i].empty()) return std::nullopt;
      continue;
    }
    if (parts[i] != path[i]) return std::nullopt;
    ++same;
  }
  return same;
}

std::string_view best_pattern(const std::vector<std::string_view>& path) {
  std::string_view best;
  int best_same = -1;
  for (const Route& route : table) {
    const std::optional<int> same = literals(route.pattern, path);
    if (same && *same > best_same) {
      best = route.pattern;
      best_same = *same;
    }
  }
  return best;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::span<const Route> routes() { return table; }

Match match_route(std::string_view method, std::string_view path) {
  const std::vector<std::string_view> segments = split(path);
  const std::string_view pattern = best_pattern(segments);
  Match match;
  if (pattern.empty()) return match;
  const std::vector<std::string_view> parts = split(pattern);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].starts_with('{')) continue;
    std::optional<std::string> plain = percent_decode(segments[i]);
    if (!plain || !is_utf8(*plain)) return {};
    match.params.push_back(std::move(*plain));
  }
  for (const Route& route : table) {
    if (route.pattern != pattern) continue;
    if (route.method == method) match.route = &route;
    match.allow += (match.allow.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") match.allow += ", HEAD";
  }
  return match;
}

}  // namespace cronally::api
