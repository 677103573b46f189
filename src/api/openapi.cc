#include "api/api.h"

namespace cronally::api {

std::string_view openapi_document() {
  static constexpr std::string_view document =
#include "api/openapi_text.inc"
      ;
  return document;
}

}  // namespace cronally::api
