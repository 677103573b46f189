#include "store/postgres/address.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

namespace cronally::store::postgres {

namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

Options parse(const std::string& address) {
  char* fault = nullptr;
  Options given(PQconninfoParse(address.c_str(), &fault));
  PQfreemem(fault);  // it quotes the address
  return given;
}

std::string value_of(const Options& options, std::string_view keyword) {
  for (const auto* option = options.get(); option->keyword; ++option) {
    if (option->keyword == keyword && option->val) return option->val;
  }
  return {};
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const auto comma = text.find(',');
    words.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return words;
    text.remove_prefix(comma + 1);
  }
}

// What the address says itself, and else the environment; not what libpq was compiled with.
std::string value_in_force(const Options& options, std::string_view keyword) {
  if (auto given = value_of(options, keyword); !given.empty()) return given;
  const Options defaults(PQconndefaults());
  for (const auto* option = defaults.get(); option && option->keyword; ++option) {
    if (option->keyword != keyword || !option->val) continue;
    if (!option->compiled || std::string_view(option->val) != option->compiled) return option->val;
  }
  return {};
}

std::vector<Host> hosts_in(const Options& options) {
  if (!value_of(options, "service").empty()) return {{}};
  const auto names = words_of(value_in_force(options, "host"));
  const auto numbers = words_of(value_in_force(options, "hostaddr"));
  const auto ports = words_of(value_in_force(options, "port"));
  const auto at = [](const std::vector<std::string>& words, std::size_t place) {
    return place < words.size() ? words[place] : "";
  };
  std::vector<Host> hosts;
  for (std::size_t place = 0; place < std::max(names.size(), numbers.size()); ++place) {
    // One port stands for all hosts.
    hosts.push_back({.name = at(names, place),
                     .port = at(ports, ports.size() == 1 ? 0 : place),
                     .number = at(numbers, place)});
  }
  return hosts;
}

struct FreeAddresses {
  void operator()(addrinfo* found) const { ::freeaddrinfo(found); }
};

std::vector<std::string> numbers_of(const std::string& name) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &wanted, &list) != 0) return {};
  const std::unique_ptr<addrinfo, FreeAddresses> found(list);
  std::vector<std::string> numbers;
  for (const auto* one = found.get(); one; one = one->ai_next) {
    char text[NI_MAXHOST];
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      numbers.emplace_back(text);
    }
  }
  return numbers;
}

bool is_socket(const std::string& name) { return name.starts_with('/') || name.starts_with('@'); }

}  // namespace

std::vector<Host> hosts_of(const std::string& address) {
  const auto options = parse(address);
  return options ? hosts_in(options) : std::vector<Host>{};
}

std::vector<std::pair<std::string, std::string>> Host::keywords() const {
  if (name.empty() && number.empty()) return {};
  return {{"host", name}, {"hostaddr", number}, {"port", port}};
}

std::vector<Host> resolved(const std::vector<Host>& hosts) {
  std::vector<Host> found;
  for (const auto& host : hosts) {
    const bool to_resolve = host.number.empty() && !host.name.empty() && !is_socket(host.name);
    const auto numbers = to_resolve ? numbers_of(host.name) : std::vector<std::string>{};
    if (numbers.empty()) found.push_back(host);
    for (const auto& number : numbers) found.push_back({host.name, host.port, number});
  }
  return found;
}

Duration connect_max(const std::string& address) {
  constexpr int default_s = 3;
  const auto options = parse(address);
  const auto text = options ? value_of(options, "connect_timeout") : "";
  int seconds = default_s;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds{seconds > 0 ? seconds : default_s};
}

std::string described(const std::string& address) {
  const auto options = parse(address);
  if (!options) return "a database";
  std::string shown = "postgres://";
  if (const auto user = value_of(options, "user"); !user.empty()) shown += user + "@";
  std::string hosts;
  for (const auto& host : hosts_in(options)) {
    if (!hosts.empty()) hosts += ',';
    if (host != Host{}) hosts += host.text();
  }
  shown += hosts;
  if (const auto database = value_of(options, "dbname"); !database.empty()) {
    shown += "/" + database;
  }
  return shown;
}

}  // namespace cronally::store::postgres
