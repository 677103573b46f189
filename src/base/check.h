// CHECK: a bug's end. On in release too: the process aborts with the place and the reason, and
// another node (or the restarted process) takes over from what is committed.
#pragma once

namespace cronally {
[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               const char* reason) noexcept;
}  // namespace cronally

#define CHECK(condition, reason)                                        \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::cronally::check_failed(__FILE__, __LINE__, #condition, reason); \
  } while (false)
