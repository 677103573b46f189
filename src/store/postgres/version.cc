#include "store/postgres/version.h"

#include <libpq-fe.h>

namespace cronally::store {

std::string libpq_version() {
  const int version = PQlibVersion();
  return std::to_string(version / 10'000) + "." + std::to_string(version % 10'000);
}

}  // namespace cronally::store
