#include "store/postgres/hosts.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <numeric>
#include <tuple>
#include <utility>

#include "runtime/log.h"

namespace cronally::store::postgres {

namespace {

// Names may come to lead to other addresses; more than so many are not remembered.
constexpr std::size_t silent_max = 256;
// How long the other hosts are waited for when one has answered: as long as that took, since they
// may be as far away, and no less than this.
constexpr Duration others_min = std::chrono::seconds{1};
// What a commit may take where it is to be found out which server does commit: as a heartbeat's.
constexpr Duration commit_max = std::chrono::milliseconds{2500};

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

std::vector<std::size_t> order_of(const std::vector<Writable>& servers) {
  const auto key = [&](std::size_t place) {
    const auto& one = servers[place];
    const auto cluster = std::ranges::find(servers, one.server.system,
                                           [](const auto& each) { return each.server.system; });
    return std::tuple(one.silent, cluster - servers.begin(), -one.server.timeline);
  };
  std::vector<std::size_t> places(servers.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::ranges::stable_sort(places, {}, key);
  return places;
}

// ---- The connections ----------------------------------------------------------------------------

std::vector<Host> Hosts::in_order(const std::string& address) const {
  auto hosts = resolved(hosts_of(address));
  std::lock_guard lock(mutex_);
  return order_.order(std::move(hosts));
}

std::unique_ptr<Connection> Hosts::connect(ConnectionOptions options, SteadyInstant by) {
  options.marked = true;
  std::string why;
  std::unique_ptr<Connection> outdated;
  for (const Host& host : in_order(options.address)) {
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

// What each host said by now; a thread that asks one may go on when nobody waits for it any more.
struct Hosts::Look {
  struct Asked {
    Host host;
    bool ended = false;
    std::unique_ptr<Connection> db{};
    std::string why{};
    std::string state{};
  };
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<Asked> hosts;

  void end(Asked& asked, std::unique_ptr<Connection> db, const PgError* error) {
    {
      std::lock_guard lock(mutex);
      asked.ended = true;
      asked.db = std::move(db);
      if (error) asked.why = error->what();
      if (error) asked.state = error->state();
    }
    ended.notify_one();
  }
  bool any_found() const {
    return std::ranges::any_of(hosts, [](const auto& asked) { return asked.db != nullptr; });
  }
  bool all_ended() const { return std::ranges::all_of(hosts, &Asked::ended); }
};

// Those that take writes, in the order of the address; one at least.
std::vector<std::unique_ptr<Connection>> Hosts::ask_all(const ConnectionOptions& options) {
  const auto look = std::make_shared<Look>();
  for (auto& host : in_order(options.address)) look->hosts.push_back({.host = std::move(host)});
  const auto began = clock_.steady();
  for (auto& asked : look->hosts) {
    asked_.push_back(std::async(std::launch::async, [this, look, &asked, options] {
      try {
        look->end(asked, connect_to(asked.host, options, SteadyInstant::max()), nullptr);
      } catch (const PgError& error) {
        look->end(asked, nullptr, &error);
      }
    }));
  }
  std::unique_lock lock(look->mutex);
  // Each thread ends, for connect_to() does.
  look->ended.wait(lock, [&] { return look->any_found() || look->all_ended(); });
  look->ended.wait_for(lock, std::max(clock_.steady() - began, others_min),
                       [&] { return look->all_ended(); });
  std::vector<std::unique_ptr<Connection>> found;
  std::string why;
  std::string state;
  for (auto& asked : look->hosts) {
    if (!asked.ended) silent(asked.host);
    if (asked.db) found.push_back(std::move(asked.db));
    if (asked.why.empty()) continue;
    why += (why.empty() ? "" : "; ") + asked.why;
    if (!asked.state.empty()) state = asked.state;
  }
  if (found.empty()) throw PgError(state, why, true);
  return found;
}

std::unique_ptr<Connection> Hosts::connect_first(ConnectionOptions options) {
  options.marked = true;
  auto found = ask_all(options);
  const bool one_server = std::ranges::all_of(found, [&](const auto& db) {
    return db->mark() == found[0]->mark() && db->server_began() == found[0]->server_began();
  });
  auto db = one_server ? std::move(found[0]) : first_to_commit(std::move(found));
  db->limit_exchanges(options.exchange_max);
  db->end_by(SteadyInstant::max());
  return db;
}

std::unique_ptr<Connection> Hosts::first_to_commit(std::vector<std::unique_ptr<Connection>> found) {
  std::vector<Writable> servers;
  std::string names;
  for (const auto& db : found) {
    std::lock_guard lock(mutex_);
    servers.push_back({*db->mark(), order_.silences(db->origin().host) > 0});
    names += (names.empty() ? "" : ", ") + db->host();
  }
  runtime::log::warning("store",
                        "several servers of the address take writes: the one on the highest "
                        "timeline that commits is followed",
                        {{"hosts", names}});
  for (const auto place : order_of(servers)) {
    auto& db = found[place];
    db->limit_exchanges(commit_max);
    db->end_by(SteadyInstant::max());
    try {
      db->execute("SELECT pg_logical_emit_message(true, 'cronally', '')");
      if (db->take_warned()) continue;
    } catch (const PgError&) {
      continue;
    }
    committed(*db);
    return std::move(db);
  }
  throw PgError("", "several servers take writes (" + names + "), and none of them commits", true);
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
