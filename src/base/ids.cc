#include "base/ids.h"

#include "base/hmac.h"

namespace cronally {

ShardNo shard_of(const JobId& job) {
  const auto& bytes = job.value.bytes;
  const Sha256 digest =
      sha256(std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  std::uint64_t head = 0;
  for (int i = 0; i < 8; ++i) head = head << 8 | digest[i];
  return ShardNo{static_cast<std::int64_t>(head % shard_count)};
}

}  // namespace cronally
