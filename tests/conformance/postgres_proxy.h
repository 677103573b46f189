// Stands between a store and the tests' PostgreSQL server, and loses connections at the moments
// that matter: before a COMMIT reaches the server, or when its answer is on the way back. It counts
// round trips, too.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"

namespace cronally::conformance {

class PostgresProxy {
 public:
  enum class Cut { never, before_commit, after_commit };

  explicit PostgresProxy(int server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in loopback = address(0);
    socklen_t size = sizeof loopback;
    CHECK(::bind(listener_, as_socket(loopback), size) == 0 && ::listen(listener_, 64) == 0 &&
              ::getsockname(listener_, as_socket(loopback), &size) == 0,
          "loopback has a free port");
    port_ = ntohs(loopback.sin_port);
    stop_ = ::eventfd(0, EFD_CLOEXEC);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~PostgresProxy() {
    const std::uint64_t one = 1;
    CHECK(::write(stop_, &one, sizeof one) == sizeof one, "an eventfd takes a one");
    acceptor_.join();  // after it, no thread is added
    for (auto& serving : serving_) serving.join();
    ::close(listener_);
    ::close(stop_);
  }
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;

  int port() const { return port_; }
  std::string address_of(const std::string& database) const {
    return "postgres://cronally@127.0.0.1:" + std::to_string(port_) + "/" + database +
           "?sslmode=disable&gssencmode=disable";
  }

  // The next COMMIT that writes something is cut so, once.
  void cut_next(Cut cut) { cut_ = cut; }
  bool cut_done() const { return cut_ == Cut::never; }
  // While true, connections are accepted and closed at once.
  void refuse(bool refused) { refused_ = refused; }
  // How many exchanges connections of this application_name have begun: Syncs that went to the
  // server.
  int exchanges(const std::string& name) {
    std::lock_guard lock(exchanges_mutex_);
    return exchanges_[name];
  }

 private:
  static sockaddr_in address(int port) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(static_cast<std::uint16_t>(port));
    made.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made;
  }
  static sockaddr* as_socket(sockaddr_in& made) { return reinterpret_cast<sockaddr*>(&made); }

  void accept_all() {
    while (true) {
      pollfd waited[2] = {{listener_, POLLIN, 0}, {stop_, POLLIN, 0}};
      ::poll(waited, 2, -1);
      if (waited[1].revents != 0) return;
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      if (refused_) {
        ::close(client);
        continue;
      }
      serving_.emplace_back([this, client] { serve(client); });
    }
  }

  void serve(int client) {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to = address(server_port_);
    bool open = ::connect(server, as_socket(to), sizeof to) == 0;
    std::string name;
    while (open) {
      pollfd waited[3] = {{client, POLLIN, 0}, {server, POLLIN, 0}, {stop_, POLLIN, 0}};
      ::poll(waited, 3, -1);
      if (waited[2].revents != 0) break;
      if (waited[0].revents != 0) open = carry(client, server, &name);
      if (open && waited[1].revents != 0) open = carry(server, client, nullptr);
    }
    ::close(client);
    ::close(server);
  }

  // To the server where the connection has a `name`. False: it is to end.
  bool carry(int from, int to, std::string* name) {
    char buffer[64 * 1024];
    const auto got = ::recv(from, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    const std::string_view bytes(buffer, static_cast<std::size_t>(got));
    if (name) count(bytes, *name);
    if (is_cut(bytes, name != nullptr)) return false;
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto count = ::send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<std::size_t>(count);
    }
    return true;
  }

  // The first message has the name; a Sync is its letter and its length, which is 4.
  void count(std::string_view bytes, std::string& name) {
    using namespace std::string_view_literals;
    constexpr auto key = "application_name\0"sv;
    constexpr auto sync = "S\0\0\0\4"sv;
    if (const auto at = bytes.find(key); name.empty() && at != bytes.npos) {
      name = bytes.data() + at + key.size();
    }
    int syncs = 0;
    for (auto at = bytes.find(sync); at != bytes.npos; at = bytes.find(sync, at + 1)) ++syncs;
    std::lock_guard lock(exchanges_mutex_);
    exchanges_[name] += syncs;
  }

  // Bind names the prepared statement "commit" (with a zero byte before and behind); the server
  // answers CommandComplete with the tag COMMIT. (PostgreSQL's manual, "Message Formats".)
  bool is_cut(std::string_view bytes, bool to_server) {
    using namespace std::string_view_literals;
    const auto sign = to_server ? "\0commit\0"sv : "COMMIT\0"sv;
    const auto wanted = to_server ? Cut::before_commit : Cut::after_commit;
    if (bytes.find(sign) == std::string_view::npos) return false;
    auto cut = wanted;
    return cut_.compare_exchange_strong(cut, Cut::never);
  }

  const int server_port_;
  int listener_ = -1;
  int stop_ = -1;
  int port_ = 0;
  std::atomic<Cut> cut_{Cut::never};
  std::atomic<bool> refused_{false};
  std::mutex exchanges_mutex_;
  std::map<std::string, int> exchanges_;
  std::thread acceptor_;
  std::vector<std::thread> serving_;  // the acceptor's, until it has ended
};

}  // namespace cronally::conformance
