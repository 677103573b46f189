#include "runtime/random.h"

#include <sodium.h>

#include "base/check.h"

namespace cronally::runtime {

void require_sodium() {
  // sodium_init is thread-safe and cheap after the first call (1: already done).
  CHECK(sodium_init() >= 0, "libsodium needs getrandom or /dev/urandom");
}

std::uint64_t random_u64() {
  require_sodium();
  std::uint64_t bits = 0;
  randombytes_buf(&bits, sizeof bits);
  return bits;
}

double random_unit() {
  // A double holds 53 bits exactly.
  return static_cast<double>(random_u64() >> 11) * 0x1.0p-53;
}

std::string random_bytes(std::size_t count) {
  require_sodium();
  std::string bytes(count, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return bytes;
}

Uuid random_uuid_v4() { return uuid_v4(random_u64(), random_u64()); }

Uuid random_uuid_v7(Instant at) { return uuid_v7(at, random_u64(), random_u64()); }

}  // namespace cronally::runtime
