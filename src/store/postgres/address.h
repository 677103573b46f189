// What an address of libpq says, without connecting ("Connection Strings").
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/time.h"

namespace cronally::store::postgres {

// One place at which a server may be.
struct Host {
  std::string name;      // or the folder of a socket
  std::string port;      // empty: the default one
  std::string number{};  // its IP address (libpq's hostaddr); empty: its name leads to it

  std::string text() const {
    const auto& shown = name.empty() ? number : name;
    return (shown.empty() ? "localhost" : shown) + (port.empty() ? "" : ":" + port);
  }
  // The keywords that stand for this host alone. None where nothing names it: libpq's default.
  std::vector<std::pair<std::string, std::string>> keywords() const;
  friend bool operator==(const Host&, const Host&) = default;
};

// The hosts of an address in their order, or those of the environment (PGHOST …) where it names
// none; one at least. What is no address has none. Those of a service file are one without a name.
std::vector<Host> hosts_of(const std::string& address);

// The same with a host for each IP address of a name, as the system resolves it now, in its order;
// a name that it does not know stays as it is. Blocks as getaddrinfo(3) does.
std::vector<Host> resolved(const std::vector<Host>& hosts);

// How long a connection to one host may take to be made: the address's connect_timeout, else 3 s.
Duration connect_max(const std::string& address);

// The address for people: user, hosts, database; never with the password.
std::string described(const std::string& address);

}  // namespace cronally::store::postgres
