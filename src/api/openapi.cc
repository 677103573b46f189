#include "api/api.h"

namespace cronally::api {

// The standard lets a compiler refuse literals of more than 65,536 bytes; clang and GCC do not.
#pragma GCC diagnostic ignored "-Woverlength-strings"

std::string_view openapi_document() {
  static constexpr std::string_view document =
#include "api/openapi_text.inc"
      ;
  return document;
}

}  // namespace cronally::api
