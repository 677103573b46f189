#include "store/postgres/address.h"

#include <libpq-fe.h>

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

std::vector<Host> hosts_in(const Options& options) {
  auto names = value_of(options, "host");
  if (names.empty()) names = value_of(options, "hostaddr");
  const auto ports = words_of(value_of(options, "port"));
  std::vector<Host> hosts;
  for (auto& name : words_of(names)) {
    // One port stands for all hosts.
    const auto& port = ports.size() == 1             ? ports.front()
                       : hosts.size() < ports.size() ? ports[hosts.size()]
                                                     : "";
    hosts.push_back({std::move(name), port});
  }
  return hosts;
}

}  // namespace

std::vector<Host> hosts_of(const std::string& address) {
  const auto options = parse(address);
  return options ? hosts_in(options) : std::vector<Host>{};
}

std::string described(const std::string& address) {
  const auto options = parse(address);
  if (!options) return "a database";
  std::string shown = "postgres://";
  if (const auto user = value_of(options, "user"); !user.empty()) shown += user + "@";
  std::string hosts;
  for (const auto& host : hosts_in(options)) {
    if (!hosts.empty()) hosts += ',';
    hosts += host.name + (host.port.empty() ? "" : ":" + host.port);
  }
  shown += hosts;
  if (const auto database = value_of(options, "dbname"); !database.empty()) {
    shown += "/" + database;
  }
  return shown;
}

}  // namespace cronally::store::postgres
