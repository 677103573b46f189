#include "api/standby.h"

#include "api/handlers.h"
#include "api/pages.h"
#include "api/problem.h"
#include "api/router.h"

namespace cronally::api {

net::Response answer_as_standby(const net::Request& request, const runtime::Health& health,
                                runtime::Metrics& board) {
  const Match match = match_route(request.method, request.path);
  const auto handle = match.route ? match.route->handle : nullptr;
  if (handle == livez) return text_page(200, "ok\n");
  if (handle == readyz || handle == readyz_check) return readyz_page(health, true);
  if (handle == metrics) return metrics_page(board, health);
  if (handle == openapi) return openapi_page();
  return problem_of({"standby",
                     "this server stands by while another one holds the data directory; ask that "
                     "one, or this one when it has taken over (GET /readyz)"});
}

}  // namespace cronally::api
