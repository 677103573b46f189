// One connection to a receiver and the exchange on it: connect, TLS, request, answer, and so on
// with the next request while both sides keep it open. Internal to http_client.
//
// Here it is known whether a byte left: the gate is asked right before the first write, and no
// request is ever written twice, on this connection or another.
//
//   naming → connecting → handshaking → busy ⇄ idle → closed
#pragma once

#include <array>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>

#include "net/answer_reader.h"
#include "net/dialer.h"
#include "net/exchange.h"
#include "net/http_url.h"

namespace cronally::net {

struct OfNaming;  // connections that wait for the addresses of their host
struct OfIdle;    // of one destination, last used first
struct OfAge;     // idle ones of all destinations, oldest first

// A receiver: what its connections share.
struct Destination {
  std::string text;  // see origin_text()
  HttpOrigin origin;
  TlsSession session{};
  List<Connection, OfIdle> idle{};
  std::size_t users = 0;  // exchanges and connections
};

class Connection final : private Watcher,
                         private Timer,
                         private Dialer::Listener,
                         public ListHook<OfNaming>,
                         public ListHook<OfIdle>,
                         public ListHook<OfAge> {
 public:
  class Owner {
   public:
    // Its exchange has ended, and another may begin if reusable(). The owner decides now whether
    // it goes idle or closes. An exchange may end before begin() or carry() returns.
    virtual void on_ended(Connection& connection, Exchange& exchange, Ending ending) = 0;
    // It closed while it was idle.
    virtual void on_closed(Connection& connection) = 0;

   protected:
    ~Owner() = default;
  };

  // What all connections of a client share; must outlive them.
  struct Shared {
    EventLoop& loop;
    const runtime::Clock& clock;
    const Result<std::shared_ptr<const TlsContext>>& tls;
    const Duration connect_timeout;  // name, connect and TLS
    Owner& owner;
    std::atomic<std::uint64_t> opened{0};
    std::array<char, std::size_t{64} * 1024> scratch{};  // what is read passes through here
  };

  Connection(Shared& shared, Destination& destination);
  ~Connection() = default;

  // A new one: takes an exchange, and waits for addresses.
  void begin(Exchange& exchange);
  void open(Addresses addresses);
  void fail_to_open(std::string error);

  // One that is idle: takes the next exchange.
  void carry(Exchange& exchange);

  // Ends the exchange, wherever it is, and closes.
  void abandon(std::string error);
  // Whether the receiver's host has acknowledged the whole request: nothing of it can arrive later.
  bool request_arrived() const {
    return sent_ == exchange_->wire.size() && stream_.all_acknowledged();
  }

  // From busy to idle, in the hand of its owner.
  void rest() { state_ = State::idle; }
  void close();

  // After an exchange: both sides are at the end of a message, and keep the connection open.
  bool reusable() const { return reusable_; }
  Destination& destination() const { return destination_; }
  SteadyInstant idle_since() const { return idle_since_; }

  std::list<Connection>::iterator place;  // its owner's

 private:
  enum class State : std::uint8_t { naming, connecting, handshaking, busy, idle, closed };

  void on_ready(Ready ready) override;
  void on_time() override;
  void on_connected(Socket socket) override;
  void on_not_connected(std::string error) override { fail(std::move(error)); }

  void shake_hands();
  void start();
  void send();
  void receive(bool peer_closed);
  bool feed(std::string_view bytes);
  void judge(bool peer_closed);
  bool only_tickets();
  void fail(std::string error);
  void end(Ending ending);

  Shared& shared_;
  Destination& destination_;
  Dialer dialer_;
  Stream stream_;
  State state_ = State::naming;
  Exchange* exchange_ = nullptr;
  std::size_t sent_ = 0;
  AnswerReader reader_;
  std::string kept_;  // read, but not yet taken by the reader
  bool reusable_ = false;
  SteadyInstant idle_since_;
};

}  // namespace cronally::net
