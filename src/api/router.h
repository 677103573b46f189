// The table of routes, and which of them a path means.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"

namespace cronally::api {

enum class Access : std::uint8_t { open, token, admin };

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/v2/jobs/{job}/run": a part in braces takes any one segment
  Access access;
  Answer (*handle)(Call&);
};

std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;     // null: no such path, or none with this method
  std::vector<std::string> params;  // decoded
  std::string allow;                // with a path but no route: its methods, "GET, POST"
};

// A literal segment goes before one in braces: /v2/jobs/bulk never names a job. Segments are
// decoded after the path is split, so that %2F stays part of a name; one that is no UTF-8 after
// that matches nothing.
Match match_route(std::string_view method, std::string_view path);

}  // namespace cronally::api
