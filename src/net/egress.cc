#include "net/egress.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

namespace cronally::net {
namespace {

using V6 = std::array<std::uint8_t, 16>;

bool v4_allowed(std::uint32_t address) {
  constexpr std::uint32_t azure = 0xA83F8110;    // 168.63.129.16
  constexpr std::uint32_t alibaba = 0x646464C8;  // 100.100.100.200
  const bool link_local = (address >> 16) == 0xA9FE;
  return !link_local && address != azure && address != alibaba;
}

std::uint32_t v4_at(const V6& bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) << 24 |
         static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

bool starts_with(const V6& bytes, std::initializer_list<int> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

// The IPv4 address that an IPv6 one stands for.
std::optional<std::uint32_t> embedded_v4(const V6& bytes) {
  const bool mapped = starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
  const bool compatible = starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const bool nat64 = starts_with(bytes, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0});
  if (mapped || compatible || nat64) return v4_at(bytes, 12);
  if (starts_with(bytes, {0x20, 0x02})) return v4_at(bytes, 2);
  return std::nullopt;
}

bool v6_allowed(const V6& bytes) {
  const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  const bool aws = bytes == V6{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  const auto v4 = embedded_v4(bytes);
  return !link_local && !aws && (!v4 || v4_allowed(*v4));
}

}  // namespace

bool egress_allowed(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    return v4_allowed(ntohl(v4.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    V6 bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return v6_allowed(bytes);
  }
  return false;
}

}  // namespace cronally::net
