// All connections of a client: which exchange gets which, who waits for one, and how long idle
// ones are kept. Internal to http_client.
//
// An exchange takes the idle connection of its destination that was used last; else a new one is
// made; where the bound on all connections is reached, the oldest idle one of another destination
// makes room, or the exchange waits, first come, first served.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/connection.h"
#include "net/resolver.h"

namespace cronally::net {

struct PoolOptions {
  Duration connect_timeout = std::chrono::seconds{10};
  std::size_t connections_max = 0;  // 0: no bound
  std::size_t idle_max = 4096;
  // Servers close idle connections after 60 s or more, mostly. One that closes at the moment of
  // a request costs an attempt of unknown fate.
  Duration idle_age_max = std::chrono::seconds{55};
};

// For the loop's thread, but for opened().
class ConnectionPool final : private Connection::Owner, private Timer {
 public:
  // Told of each exchange's end; must not call back into the pool.
  using Ended = std::function<void(Exchange&, Ending)>;

  ConnectionPool(EventLoop& loop, const runtime::Clock& clock,
                 const Result<std::shared_ptr<const TlsContext>>& tls, PoolOptions options,
                 Ended ended);
  ~ConnectionPool();

  // Notes where an exchange goes; start() must follow. Error "invalid_url".
  Result<void> enter(Exchange& exchange, std::string_view url);

  // Takes an exchange whose request is written; its end is told later, by a turn() or an event.
  void start(Exchange& exchange) { waiting_.push_back(exchange); }

  // Ends an exchange that was started, now.
  void abandon(Exchange& exchange, std::string error);

  // Once in each turn of the loop, behind its events: names that were resolved, exchanges that can
  // go on, connections that have closed.
  void turn();

  std::uint64_t opened() const { return shared_.opened.load(); }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  void on_ended(Connection& connection, Exchange& exchange, Ending ending) override;
  void on_closed(Connection& connection) override { retire(connection); }
  void on_time() override;

  Result<Destination*> destination_of(std::string_view url);
  void leave(Destination& destination);
  void hear_of_names();
  void pump();
  bool make_room();
  void open_for(Exchange& exchange);
  void let_rest(Connection& connection);
  void retire(Connection& connection);
  void close_idle(Connection& connection);

  const PoolOptions options_;
  EventLoop& loop_;
  const Ended ended_;
  Connection::Shared shared_;
  Resolver resolver_;
  std::unordered_map<std::string, std::unique_ptr<Destination>, TextHash, std::equal_to<>>
      destinations_;
  std::unordered_map<std::string, List<Connection, OfNaming>> naming_;  // by host
  List<Exchange, OfWaiting> waiting_;
  std::list<Connection> live_;
  std::list<Connection> closed_;  // in this turn: the loop may still tell of them
  List<Connection, OfAge> idle_;
  std::size_t idle_count_ = 0;
};

}  // namespace cronally::net
