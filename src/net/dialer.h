// Connects to the first of a host's addresses that takes the connection: each is tried when the
// one before has failed, or has not answered within 250 ms (RFC 8305 §5). Addresses that
// net/egress.h refuses are never tried.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "net/address.h"
#include "net/event_loop.h"
#include "net/stream.h"

namespace cronally::net {

class Dialer final : private Timer {
 public:
  class Listener {
   public:
    virtual void on_connected(Socket socket) = 0;          // watched by the loop: hand it over
    virtual void on_not_connected(std::string error) = 0;  // one line for a person

   protected:
    ~Listener() = default;
  };

  // `opened` counts sockets. All must outlive it.
  Dialer(EventLoop& loop, Listener& listener, std::atomic<std::uint64_t>& opened)
      : loop_(loop), listener_(listener), opened_(opened) {}

  // Once. The listener is told once, perhaps before this returns. How long it may take is the
  // listener's to limit.
  void dial(Addresses addresses, std::uint16_t port);

  // Closes what is under way; nobody is told.
  void stop();

 private:
  struct Attempt final : Watcher {
    Attempt(Dialer& of, Socket with, std::string where)
        : dialer(of), socket(std::move(with)), address(std::move(where)) {}
    void on_ready(Ready ready) override { dialer.on_ready(*this, ready); }
    Dialer& dialer;
    Socket socket;
    std::string address;
  };

  void try_next();
  bool begin(const Address& address);
  void on_ready(Attempt& attempt, Ready ready);
  void on_time() override { try_next(); }
  void note(std::string_view address, std::string_view reason);

  EventLoop& loop_;
  Listener& listener_;
  std::atomic<std::uint64_t>& opened_;
  Addresses addresses_;
  std::uint16_t port_ = 0;
  std::size_t next_ = 0;
  std::size_t open_ = 0;         // attempts under way
  std::list<Attempt> attempts_;  // they stay: the loop may still tell of them
  std::string error_;            // of the last that failed
};

}  // namespace cronally::net
