#include "api/v1.h"

#include <algorithm>

#include "api/authentication.h"
#include "api/handlers.h"
#include "api/v1_answers.h"
#include "base/text.h"

namespace cronally::api {
namespace {

constexpr Route table[] = {
    {"GET", "/account", Access::token, v1_get_account},
    {"POST", "/account", Access::open, v1_create_account},
    {"POST", "/cronjob", Access::token, v1_create_cronjob},
    {"PATCH", "/cronjob/{id}", Access::token, v1_change_cronjob},
    {"DELETE", "/cronjob/{id}", Access::token, v1_delete_cronjob},
    {"GET", "/cronjobs", Access::token, v1_list_cronjobs},
};

constexpr std::string_view one_cronjob = "/cronjob/";

// The pattern of a path, and what stands for {id}.
struct Place {
  std::string_view pattern;
  std::string id;
};

Place place_of(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  if (!path.starts_with(one_cronjob)) return {path, {}};
  path.remove_prefix(one_cronjob.size());
  if (path.empty() || path.contains('/')) return {};
  return {"/cronjob/{id}", std::string(path)};
}

}  // namespace

bool is_v1(std::string_view path) {
  return std::ranges::any_of(table, [&](const Route& route) {
    return path.starts_with(route.pattern) &&
           (path.size() == route.pattern.size() || path[route.pattern.size()] == '/');
  });
}

net::Response answer_v1(Shared& shared, const net::Request& request, std::string_view path) {
  const Place place = place_of(path);
  std::string allow;
  for (const Route& route : table) {
    if (route.pattern != place.pattern) continue;
    if (route.method == request.method && !request.head) {
      Answer answer = admit_signed(shared, request, route, {place.id});
      return answer ? std::get<net::Response>(std::move(*answer)) : v1_refusal(answer.error());
    }
    allow += (allow.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allow.empty()) return v1_refusal({"not_found", "there is nothing at " + quote(request.path)});
  const std::string method = request.head ? "HEAD" : request.method;
  net::Response refusal =
      v1_refusal({"method_not_allowed",
                  quote(method) + " is not allowed at " + quote(request.path) + "; use " + allow});
  refusal.headers.add("Allow", allow);
  return refusal;
}

}  // namespace cronally::api
