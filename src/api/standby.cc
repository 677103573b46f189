#include "api/standby.h"

#include "api/authentication.h"
#include "api/handlers.h"
#include "api/pages.h"
#include "api/problem.h"
#include "api/router.h"
#include "api/v1.h"
#include "api/v1_answers.h"

namespace cronally::api {

Error standing_by() {
  return {"standby",
          "this server stands by while another one holds the data directory; ask that one, or this "
          "one when it has taken over (GET /readyz)"};
}

net::Response answer_as_standby(const net::Request& request, const V1Options& v1,
                                const runtime::Health& health, runtime::Metrics& board,
                                const Error& why) {
  const std::string_view path = local_path(v1, request.path);
  const Match match = match_route(request.method, path);
  const auto handle = match.route ? match.route->handle : nullptr;
  if (handle == livez) return text_page(200, "ok\n");
  if (handle == readyz || handle == readyz_check) return readyz_page(health, true);
  if (handle == metrics) return metrics_page(board, health);
  if (handle == openapi) return openapi_page();
  return is_v1(path) ? v1_refusal(why) : problem_of(why);
}

}  // namespace cronally::api
