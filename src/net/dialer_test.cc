#include "net/dialer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "net/raw_socket_test.h"

namespace cronally::net {
namespace {

Address address(const char* text) {
  in_addr v4{};
  EXPECT_EQ(::inet_pton(AF_INET, text, &v4), 1);
  return Address{v4};
}

// Dials, and turns the loop until it is told.
class Dialing final : private Dialer::Listener, private Watcher {
 public:
  std::string dial(std::vector<Address> addresses, std::uint16_t port) {
    dialer_.dial(std::make_shared<const std::vector<Address>>(std::move(addresses)), port);
    for (int i = 0; said_.empty() && i < 100; ++i) {
      loop_.wait();
      loop_.fire_timers();
    }
    return said_;
  }
  std::uint64_t opened() const { return opened_; }

 private:
  void on_connected(Socket socket) override {
    socket_ = std::move(socket);
    loop_.hand_over(socket_.fd(), *this);
    said_ += "connected";
  }
  void on_not_connected(std::string error) override { said_ += error; }
  void on_ready(Ready) override {}

  EventLoop loop_;
  Socket socket_;
  std::string said_;
  std::atomic<std::uint64_t> opened_{0};
  Dialer dialer_{loop_, *this, opened_};
};

// Takes no connection and refuses none: its queue is full.
class BlackHole {
 public:
  explicit BlackHole(std::uint16_t port) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr = {htonl(INADDR_LOOPBACK + 1)};  // 127.0.0.2
    EXPECT_EQ(::bind(listener_.fd(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
    EXPECT_EQ(::listen(listener_.fd(), 0), 0);
    for (Socket& each : queued_) {
      each = Socket{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
      (void)::connect(each.fd(), reinterpret_cast<sockaddr*>(&where), sizeof where);
    }
  }

 private:
  Socket listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::array<Socket, 4> queued_;
};

TEST(Dialer, TriesTheNextAddressWhenOneFails) {
  RawListener listener{[](RawSocket socket, int) { socket.read_all(); }};
  Dialing dialing;
  EXPECT_EQ(dialing.dial({address("127.0.0.3"), address("127.0.0.1")}, listener.port()),
            "connected");
  EXPECT_EQ(dialing.opened(), 2u);
}

TEST(Dialer, TriesTheNextAddressWhenOneIsSilent) {
  RawListener listener{[](RawSocket socket, int) { socket.read_all(); }};
  const BlackHole hole{listener.port()};
  Dialing dialing;
  EXPECT_EQ(dialing.dial({address("127.0.0.2"), address("127.0.0.1")}, listener.port()),
            "connected");
  EXPECT_EQ(dialing.opened(), 2u);
}

TEST(Dialer, SaysWhyTheLastOneFailed) {
  std::uint16_t closed = 0;
  {
    RawListener gone{[](RawSocket, int) {}};
    closed = gone.port();
  }
  Dialing dialing;
  EXPECT_EQ(dialing.dial({address("127.0.0.3"), address("127.0.0.1")}, closed),
            "cannot connect to 127.0.0.1 port " + std::to_string(closed) + ": Connection refused");
}

TEST(Dialer, NeverTriesAnAddressThatIsRefused) {
  RawListener listener{[](RawSocket socket, int) { socket.read_all(); }};
  Dialing only;
  EXPECT_NE(only.dial({address("169.254.169.254")}, 80).find("metadata"), std::string::npos);
  EXPECT_EQ(only.opened(), 0u);
  Dialing with_another;
  EXPECT_EQ(with_another.dial({address("169.254.169.254"), address("127.0.0.1")}, listener.port()),
            "connected");
  EXPECT_EQ(with_another.opened(), 1u);
}

}  // namespace
}  // namespace cronally::net
