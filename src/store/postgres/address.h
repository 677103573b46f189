// What an address of libpq says, without connecting ("Connection Strings").
#pragma once

#include <string>
#include <vector>

namespace cronally::store::postgres {

struct Host {
  std::string name;  // or the folder of a socket; empty: the default one
  std::string port;  // empty: the default one
  std::string text() const {
    return (name.empty() ? "localhost" : name) + (port.empty() ? "" : ":" + port);
  }
};

// The hosts of an address in their order; one at least. What is no address has none.
std::vector<Host> hosts_of(const std::string& address);

// The address for people: user, hosts, database; never with the password.
std::string described(const std::string& address);

}  // namespace cronally::store::postgres
