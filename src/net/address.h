// Addresses of hosts, as sockets take them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace cronally::net {

// IPv4 or IPv6, without a port.
class Address {
 public:
  explicit Address(const in_addr& address);
  explicit Address(const in6_addr& address, std::uint32_t scope = 0);

  int family() const { return any_.sin6_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&any_); }
  socklen_t size() const;
  Address with_port(std::uint16_t port) const;
  std::string text() const;  // "127.0.0.1", "::1"

 private:
  sockaddr_in6 any_{};  // or a sockaddr_in: family and port have the same place in both
};

// Shared, since many connections are made by one answer of a name server; never empty.
using Addresses = std::shared_ptr<const std::vector<Address>>;

// Of what needs no name server: an address, however written ("127.0.0.1", "0x7f000001", "::1";
// inet_aton(3), inet_pton(3)), "localhost" and names that end in ".localhost" (RFC 6761 §6.3).
// Null for other names.
Addresses literal_addresses(const std::string& host);

// Asks the resolver of this machine (getaddrinfo(3)), and waits as long as that takes. Error
// "no_address": "cannot resolve NAME: REASON".
Result<Addresses> look_up(const std::string& host);

}  // namespace cronally::net
