#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "net/http_header.h"

namespace cronally::net {
namespace {

static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));

Addresses only(Address address) {
  return std::make_shared<const std::vector<Address>>(std::vector{address});
}

bool is_localhost(std::string_view host) {
  constexpr std::string_view name = "localhost";
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.size() < name.size()) return false;
  const std::size_t before = host.size() - name.size();
  return equal_names(host.substr(before), name) && (before == 0 || host[before - 1] == '.');
}

}  // namespace

Address::Address(const in_addr& address) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr = address;
  std::memcpy(&any_, &v4, sizeof v4);
}

Address::Address(const in6_addr& address, std::uint32_t scope) {
  any_.sin6_family = AF_INET6;
  any_.sin6_addr = address;
  any_.sin6_scope_id = scope;
}

socklen_t Address::size() const {
  return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

Address Address::with_port(std::uint16_t port) const {
  Address out = *this;
  out.any_.sin6_port = htons(port);
  return out;
}

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  sockaddr_in v4;
  std::memcpy(&v4, &any_, sizeof v4);
  const void* const bytes = family() == AF_INET ? static_cast<const void*>(&v4.sin_addr)
                                                : static_cast<const void*>(&any_.sin6_addr);
  ::inet_ntop(family(), bytes, text.data(), text.size());
  return text.data();
}

Addresses literal_addresses(const std::string& host) {
  in_addr v4;
  in6_addr v6;
  if (::inet_aton(host.c_str(), &v4) == 1) return only(Address{v4});
  if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return only(Address{v6});
  if (!is_localhost(host)) return nullptr;
  return std::make_shared<const std::vector<Address>>(
      std::vector{Address{in6addr_loopback}, Address{in_addr{htonl(INADDR_LOOPBACK)}}});
}

Result<Addresses> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &first);
  if (code != 0) {
    const char* const reason = code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code);
    return fail("no_address", fmt::format("cannot resolve {}: {}", host, reason));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all{first, &::freeaddrinfo};
  std::vector<Address> out;
  for (const addrinfo* each = first; each != nullptr; each = each->ai_next) {
    if (each->ai_family == AF_INET) {
      out.emplace_back(reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr);
    } else if (each->ai_family == AF_INET6) {
      const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(each->ai_addr);
      out.emplace_back(v6->sin6_addr, v6->sin6_scope_id);
    }
  }
  if (out.empty()) return fail("no_address", fmt::format("cannot resolve {}: no address", host));
  return std::make_shared<const std::vector<Address>>(std::move(out));
}

}  // namespace cronally::net
