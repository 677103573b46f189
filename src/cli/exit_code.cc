#include "cli/exit_code.h"

#include <algorithm>

namespace cronally::cli {

ExitCode exit_code_of_status(int status) {
  if (status >= 200 && status < 300) return ExitCode::ok;
  switch (status) {
    case 400:
    case 413:
    case 415:
    case 422: return ExitCode::usage;
    case 401:
    case 403: return ExitCode::not_allowed;
    case 404: return ExitCode::not_found;
    case 409:
    case 412: return ExitCode::conflict;
    case 502:  // a proxy's word for a server that is not there
    case 503:
    case 504: return ExitCode::unreachable;
    default: return ExitCode::failure;
  }
}

ExitCode exit_code_of_all(std::span<const ExitCode> codes) {
  if (codes.empty()) return ExitCode::ok;
  const auto done = std::ranges::count(codes, ExitCode::ok);
  if (done == static_cast<std::ptrdiff_t>(codes.size())) return ExitCode::ok;
  return done == 0 ? codes.front() : ExitCode::partly;
}

}  // namespace cronally::cli
