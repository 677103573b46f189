#include "net/connection_pool.h"

#include <iterator>
#include <utility>

namespace cronally::net {

ConnectionPool::ConnectionPool(EventLoop& loop, const runtime::Clock& clock,
                               const Result<std::shared_ptr<const TlsContext>>& tls,
                               PoolOptions options, Ended ended)
    : options_(options),
      loop_(loop),
      ended_(std::move(ended)),
      shared_{.loop = loop,
              .clock = clock,
              .tls = tls,
              .connect_timeout = options.connect_timeout,
              .owner = *this},
      resolver_([&loop] { loop.wake(); }) {}

ConnectionPool::~ConnectionPool() {
  live_.clear();
  closed_.clear();
}

Result<void> ConnectionPool::enter(Exchange& exchange, std::string_view url) {
  const auto destination = destination_of(url);
  if (!destination) return fail(destination.error());
  exchange.destination = *destination;
  ++exchange.destination->users;
  return {};
}

void ConnectionPool::abandon(Exchange& exchange, std::string error) {
  if (exchange.connection != nullptr) return exchange.connection->abandon(std::move(error));
  static_cast<ListHook<OfWaiting>&>(exchange).unlink();
  leave(*exchange.destination);
  ended_(exchange, {.fate = exchange.unsent(), .error = std::move(error)});
}

void ConnectionPool::turn() {
  hear_of_names();
  pump();
  while (!closed_.empty()) {
    Destination& destination = closed_.front().destination();
    closed_.pop_front();
    leave(destination);
  }
}

// ---- Destinations -----------------------------------------------------------------------------

Result<Destination*> ConnectionPool::destination_of(std::string_view url) {
  const std::string_view text = origin_text(url);
  if (const auto found = destinations_.find(text); found != destinations_.end()) {
    return found->second.get();
  }
  auto origin = read_origin(text);
  if (!origin) return fail(origin.error());
  auto made = std::make_unique<Destination>(std::string{text}, std::move(*origin));
  Destination* const destination = made.get();
  destinations_.emplace(text, std::move(made));
  return destination;
}

void ConnectionPool::leave(Destination& destination) {
  if (--destination.users == 0) destinations_.erase(destinations_.find(destination.text));
}

void ConnectionPool::hear_of_names() {
  for (const Resolver::Answer& answer : resolver_.take(loop_.now())) {
    auto waiting = naming_.extract(answer.host);
    if (waiting.empty()) continue;
    while (!waiting.mapped().empty()) {
      Connection& connection = waiting.mapped().front();
      waiting.mapped().pop_front();
      if (answer.addresses) {
        connection.open(*answer.addresses);
      } else {
        connection.fail_to_open(answer.addresses.error().message);
      }
    }
  }
}

// ---- Who gets which ---------------------------------------------------------------------------

// Not called from on_ended(): an exchange that fails at once would begin the next one, and so on.
void ConnectionPool::pump() {
  while (!waiting_.empty()) {
    Exchange& exchange = waiting_.front();
    auto& idle = exchange.destination->idle;
    const bool reuses = !exchange.fresh && !idle.empty();
    if (!reuses && !make_room()) return;
    waiting_.pop_front();
    if (!reuses) {
      open_for(exchange);
      continue;
    }
    Connection& connection = idle.front();
    idle.pop_front();
    static_cast<ListHook<OfAge>&>(connection).unlink();
    --idle_count_;
    connection.carry(exchange);
  }
}

// For one more connection.
bool ConnectionPool::make_room() {
  if (options_.connections_max == 0 || live_.size() < options_.connections_max) return true;
  if (idle_.empty()) return false;
  close_idle(idle_.front());
  return true;
}

void ConnectionPool::open_for(Exchange& exchange) {
  Destination& destination = *exchange.destination;
  ++destination.users;
  Connection& connection = live_.emplace_back(shared_, destination);
  connection.place = std::prev(live_.end());
  connection.begin(exchange);
  const std::string& host = destination.origin.host;
  if (Addresses addresses = resolver_.find(host, loop_.now())) {
    return connection.open(std::move(addresses));
  }
  naming_[host].push_back(connection);
  resolver_.ask(host);
}

// ---- What becomes of them ---------------------------------------------------------------------

void ConnectionPool::on_ended(Connection& connection, Exchange& exchange, Ending ending) {
  const bool keeps = connection.reusable() && !exchange.fresh && options_.idle_max > 0;
  leave(*exchange.destination);
  ended_(exchange, std::move(ending));
  if (keeps) return let_rest(connection);
  connection.close();
  retire(connection);
}

void ConnectionPool::let_rest(Connection& connection) {
  if (idle_count_ >= options_.idle_max) close_idle(idle_.front());
  if (idle_.empty()) loop_.set(*this, connection.idle_since() + options_.idle_age_max);
  connection.rest();
  connection.destination().idle.push_front(connection);
  idle_.push_back(connection);
  ++idle_count_;
}

void ConnectionPool::on_time() {
  const SteadyInstant old = loop_.now() - options_.idle_age_max;
  while (!idle_.empty() && idle_.front().idle_since() <= old) close_idle(idle_.front());
  if (!idle_.empty()) loop_.set(*this, idle_.front().idle_since() + options_.idle_age_max);
}

void ConnectionPool::close_idle(Connection& connection) {
  connection.close();
  retire(connection);
}

void ConnectionPool::retire(Connection& connection) {
  if (static_cast<ListHook<OfAge>&>(connection).is_linked()) --idle_count_;
  static_cast<ListHook<OfNaming>&>(connection).unlink();
  static_cast<ListHook<OfIdle>&>(connection).unlink();
  static_cast<ListHook<OfAge>&>(connection).unlink();
  closed_.splice(closed_.end(), live_, connection.place);
}

}  // namespace cronally::net
