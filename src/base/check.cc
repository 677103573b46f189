#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace cronally {

void check_failed(const char* file, int line, const char* expression, const char* reason) noexcept {
  std::fprintf(stderr, "CHECK failed at %s:%d: %s (%s)\n", file, line, expression, reason);
  std::abort();
}

}  // namespace cronally
