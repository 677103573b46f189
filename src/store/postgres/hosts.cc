#include "store/postgres/hosts.h"

#include <algorithm>
#include <utility>

#include "runtime/log.h"

namespace cronally::store::postgres {

namespace {

// Names may come to lead to other addresses; more than so many are not remembered.
constexpr std::size_t silent_max = 256;

std::string key_of_name(const Host& host) { return host.name + ":" + host.port; }
std::string key_of(const Host& host) { return key_of_name(host) + "=" + host.number; }

}  // namespace

// ---- The decisions ------------------------------------------------------------------------------

bool Followed::committed(const core::ServerMark& server) {
  if (!takes(server)) return false;  // it had begun there before it was outdated
  outdated_since_.reset();
  if (server_ == server) return false;
  const bool other = server_.has_value();
  follow(server);
  return other;
}

void Followed::follow(const core::ServerMark& server) {
  server_ = server;
  ++changes_;
}

bool Followed::takes(const core::ServerMark& server) const {
  return !server_ || server.system != server_->system || server.timeline >= server_->timeline;
}

bool Followed::keeps(const core::ServerMark& server, std::int64_t made) const {
  if (!server_ || server.system != server_->system) return made == changes_;
  return server.timeline >= server_->timeline;
}

bool Followed::yields(const core::ServerMark& server, SteadyInstant now) {
  if (!outdated_since_) outdated_since_ = now;
  if (now - *outdated_since_ < put_back_after) return false;
  outdated_since_.reset();
  follow(server);
  return true;
}

void HostOrder::silent(const Host& host) {
  if (last_.size() >= silent_max) last_.clear();
  last_[key_of_name(host)] = last_[key_of(host)] = ++count_;
}

std::int64_t HostOrder::last_of(const std::string& key) const {
  const auto found = last_.find(key);
  return found == last_.end() ? 0 : found->second;
}

std::int64_t HostOrder::silences(const Host& host) const { return last_of(key_of(host)); }

std::vector<Host> HostOrder::order(std::vector<Host> hosts) const {
  std::multimap<std::pair<std::int64_t, std::int64_t>, Host> by_silence;  // equal ones as they came
  for (const Host& host : hosts) {
    by_silence.emplace(std::pair(last_of(key_of_name(host)), last_of(key_of(host))), host);
  }
  hosts.clear();
  for (auto& [silence, host] : by_silence) hosts.push_back(std::move(host));
  return hosts;
}

// ---- The connections ----------------------------------------------------------------------------

std::unique_ptr<Connection> Hosts::connect(ConnectionOptions options, SteadyInstant by) {
  options.marked = true;
  auto hosts = resolved(hosts_of(options.address));
  {
    std::lock_guard lock(mutex_);
    hosts = order_.order(std::move(hosts));
  }
  std::string why;
  std::unique_ptr<Connection> outdated;
  for (const Host& host : hosts) {
    if (clock_.steady() >= by) throw PgError("", why + "there is no time left to connect", true);
    try {
      auto db = connect_to(host, options, by);
      db->end_by(by);
      std::lock_guard lock(mutex_);
      if (followed_.takes(*db->mark())) {
        followed_.found();
        return db;
      }
      why += host.text() + " is on an older timeline than what this process wrote last; ";
      if (!outdated || outdated->mark()->timeline < db->mark()->timeline) outdated = std::move(db);
    } catch (const PgError& error) {
      why += std::string(error.what()) + "; ";
    }
  }
  std::lock_guard lock(mutex_);
  if (outdated && followed_.yields(*outdated->mark(), clock_.steady())) {
    runtime::log::warning("store", "only a server on an older timeline is there: it is followed",
                          {{"host", outdated->host()}, {"timeline", outdated->mark()->timeline}});
    return outdated;
  }
  throw PgError("", why.substr(0, why.size() - 2), true);
}

std::unique_ptr<Connection> Hosts::connect_to(const Host& host, const ConnectionOptions& options,
                                              SteadyInstant by) {
  auto one = options;
  one.instead = host.keywords();
  // Without a name it is libpq that knows the hosts, several perhaps, and counts the time of each.
  if (!one.instead.empty()) {
    one.by = std::min(by, clock_.steady() + connect_max(options.address));
  }
  one.silent = [this, host] { silent(host); };
  {
    std::lock_guard lock(mutex_);
    one.origin = {host, order_.silences(host), followed_.changes()};
  }
  return std::make_unique<Connection>(one);
}

void Hosts::silent(const Host& host) {
  std::lock_guard lock(mutex_);
  order_.silent(host);
}

bool Hosts::keeps(const Connection& db) const {
  std::lock_guard lock(mutex_);
  const auto& [host, silences, changes] = db.origin();
  return followed_.keeps(*db.mark(), changes) && order_.silences(host) == silences;
}

void Hosts::committed(const Connection& db) {
  std::lock_guard lock(mutex_);
  if (!followed_.committed(*db.mark())) return;
  runtime::log::info("store", "another server is followed from here on",
                     {{"host", db.host()}, {"timeline", db.mark()->timeline}});
}

// ---- What heartbeats have looked at -------------------------------------------------------------

void Hosts::judged(const Connection& db) {
  {
    std::lock_guard lock(mutex_);
    judged_ = db.server_began();
    ++judgements_;
  }
  judgement_.notify_all();
}

bool Hosts::is_judged(const Connection& db) const {
  std::lock_guard lock(mutex_);
  return judged_ == db.server_began();
}

bool Hosts::takes_edits(const Connection& db) const {
  std::lock_guard lock(mutex_);
  return judged_ == 0 || judged_ == db.server_began();
}

bool Hosts::await_judged(const Connection& db, SteadyInstant by) {
  std::unique_lock lock(mutex_);
  const auto known = judgements_;
  judgement_.wait_for(lock, by - clock_.steady(),
                      [&] { return judged_ == db.server_began() || judgements_ != known; });
  return judged_ == db.server_began();
}

}  // namespace cronally::store::postgres
