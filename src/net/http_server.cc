#include "net/http_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/text.h"
#include "net/http_framing.h"
#include "net/http_reader.h"
#include "runtime/clock.h"
#include "runtime/log.h"

namespace cronally::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

// How long a closed connection is still read, so that a peer that is sending gets our answer and
// not a reset (RFC 9112 §9.6).
constexpr auto linger_time = std::chrono::seconds{2};

// Read in one piece: of a header little is to be expected.
constexpr std::size_t head_piece = 4 * 1024;
constexpr std::size_t body_piece = 64 * 1024;

struct Connection : std::enable_shared_from_this<Connection> {
  explicit Connection(tcp::socket from)
      : socket(std::move(from)), deadline(socket.get_executor()), later(socket.get_executor()) {}

  // From now on reads and writes end, `late` being set, when this time has passed.
  void limit(Duration length) {
    late = false;
    deadline.expires_after(length);
    deadline.async_wait([self = shared_from_this(), turn = ++turn_](error_code error) {
      if (error || turn != self->turn_) return;
      self->late = true;
      self->socket.cancel(error);
    });
  }
  void close() {
    error_code ignored;
    ++turn_;
    deadline.cancel();
    socket.close(ignored);
  }

  tcp::socket socket;
  asio::steady_timer deadline;
  asio::steady_timer later;
  // Bytes read and not yet used: a part of a header, the next pipelined request.
  std::string buffer;
  std::string remote;
  bool late = false;
  bool cut = false;
  std::optional<SteadyInstant> writing_since{};
  // Place in the order of eviction; nullopt while a whole request is being answered.
  std::optional<std::list<Connection*>::iterator> waiting{};

 private:
  std::uint64_t turn_ = 0;  // of the deadline: what an older one would say does not count
};

// What a stream source gave.
struct Pulled {
  enum class End { more, done, broken } end = End::more;
  std::string chunk;
};

std::string text_of(const tcp::endpoint& endpoint) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.to_string();
}

// The peer has closed: a long poll need not go on.
bool peer_gone(Connection& connection) {
  char byte = 0;
  return ::recv(connection.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

Refusal too_late(const ServerOptions& options, RequestReader::State state) {
  const bool header = state == RequestReader::State::header;
  return {408, "request_timeout",
          fmt::format("the {} was not complete within {}; send it faster, or in smaller pieces",
                      header ? "header" : "body",
                      format_duration(header ? options.header_timeout : options.body_timeout))};
}

Pulled pull(std::function<bool(std::string&)>& source) {
  Pulled out;
  try {
    out.end = source(out.chunk) ? Pulled::End::more : Pulled::End::done;
  } catch (const std::exception& error) {
    runtime::log::error("http", "an answer broke off", {{"error", error.what()}});
    out.end = Pulled::End::broken;
  }
  return out;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(ServerOptions options, Handler handler, const runtime::Clock& clock)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        clock_(clock),
        acceptor_(io_),
        accept_pause_(io_),
        pool_(static_cast<std::size_t>(options_.workers)) {}

  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port);
  void stop(Duration grace);

  ServerStats stats() const {
    std::lock_guard lock{mutex_};
    return {open_, accepted_.load(), refused_.load(), requests_.load()};
  }

 private:
  template <class T>
  using Task = asio::awaitable<T>;

  Task<void> accept_all();
  void admit(tcp::socket socket);
  bool evict_oldest();
  void wait_in_line(Connection& connection);
  void leave_line(Connection& connection);
  void cut(Connection& connection);
  void finish(const std::shared_ptr<Connection>& connection);

  Task<void> serve(std::shared_ptr<Connection> connection);
  enum class Heard { request, refusal, nothing };
  Task<Heard> read_request(Connection& connection, RequestReader& reader, Refusal& refusal);
  Task<bool> read_more(Connection& connection, std::size_t piece);
  bool evict_stalled();
  Task<std::optional<Response>> ask(Connection& connection, const Request& request);
  Reply answer(const Request& request);
  struct Shape {
    bool keep_alive = false;
    bool http11 = true;
    bool bodiless = false;
  };
  Task<bool> write(Connection& connection, Shape wanted, Response response);
  Task<bool> write_stream(Connection& connection, Response& response, bool chunked);
  Task<bool> write_bytes(Connection& connection, std::string_view head, std::string_view body);
  Task<void> linger(Connection& connection);

  // Runs `work` on the pool and resumes on the socket thread with what it returned.
  template <class T, class Work>
  Task<T> on_pool(Work work) {
    auto start = [this](auto done, Work& job) {
      asio::post(pool_, [this, &job, done = std::move(done)]() mutable {
        asio::post(io_, [done = std::move(done), value = job()]() mutable {
          std::move(done)(std::move(value));
        });
      });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
        start, asio::use_awaitable, std::ref(work));
  }

  const ServerOptions options_;
  const Handler handler_;
  const runtime::Clock& clock_;

  asio::io_context io_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard_;
  tcp::acceptor acceptor_;
  asio::steady_timer accept_pause_;
  asio::thread_pool pool_;
  std::thread thread_;

  // Socket thread only.
  bool stopping_ = false;
  std::list<Connection*> line_;  // without a whole request, oldest first
  std::list<std::shared_ptr<Connection>> connections_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;  // connections whose coroutine lives
  std::atomic<std::uint64_t> accepted_{0}, refused_{0}, requests_{0};
};

// ---- Start and stop ---------------------------------------------------------------------------

Result<std::uint16_t> HttpServer::Impl::listen(const std::string& host, std::uint16_t port) {
  CHECK(!thread_.joinable(), "listen() is called once");
  error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  const auto attempt = [&](auto&& step) {
    if (!error) step();
  };
  const tcp::endpoint endpoint{address, port};
  attempt([&] { acceptor_.open(endpoint.protocol(), error); });
  attempt([&] { acceptor_.set_option(tcp::acceptor::reuse_address(true), error); });
  attempt([&] { acceptor_.bind(endpoint, error); });
  attempt([&] { acceptor_.listen(1024, error); });
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return fail("cannot_listen", fmt::format("cannot listen on {}:{}: {}; choose another address "
                                             "with --listen",
                                             host, port, error.message()));
  }
  const std::uint16_t actual = acceptor_.local_endpoint().port();
  guard_.emplace(io_.get_executor());
  asio::co_spawn(io_, accept_all(), [](std::exception_ptr failure) {
    CHECK(!failure, "the accept loop does not throw");
  });
  thread_ = std::thread{[this] {
    ::pthread_setname_np(::pthread_self(), "http");
    io_.run();
  }};
  return actual;
}

void HttpServer::Impl::stop(Duration grace) {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    while (!line_.empty()) cut(*line_.front());
  });
  {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, grace, [this] { return open_ == 0; });
  }
  asio::post(io_, [this] {
    for (const auto& connection : connections_) cut(*connection);
  });
  {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return open_ == 0; });
  }
  guard_.reset();
  thread_.join();
  pool_.join();
}

// ---- Connections ------------------------------------------------------------------------------

asio::awaitable<void> HttpServer::Impl::accept_all() {
  while (!stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(as_result);
    if (!error) {
      admit(std::move(socket));
      continue;
    }
    if (stopping_) co_return;
    // Out of files, most likely: make room and do not spin.
    runtime::log::warning("http", "cannot accept", {{"error", error.message()}});
    evict_oldest();
    accept_pause_.expires_after(std::chrono::milliseconds{100});
    co_await accept_pause_.async_wait(as_result);
  }
}

void HttpServer::Impl::admit(tcp::socket socket) {
  ++accepted_;
  error_code ignored;
  if (connections_.size() >= options_.connections_max) {
    ++refused_;
    if (!evict_oldest()) return;
  }
  socket.set_option(tcp::no_delay(true), ignored);
  const tcp::endpoint peer = socket.remote_endpoint(ignored);
  auto connection = std::make_shared<Connection>(std::move(socket));
  connection->remote = text_of(peer);
  connections_.push_back(connection);
  wait_in_line(*connection);
  {
    std::lock_guard lock{mutex_};
    ++open_;
  }
  asio::co_spawn(io_, serve(connection), [this, connection](std::exception_ptr failure) {
    if (failure) runtime::log::error("http", "a connection ended by an exception");
    finish(connection);
  });
}

bool HttpServer::Impl::evict_oldest() {
  if (line_.empty()) return evict_stalled();
  cut(*line_.front());
  return true;
}

// Who does not read an answer must not keep others out for as long as a write may take.
bool HttpServer::Impl::evict_stalled() {
  Connection* slowest = nullptr;
  for (const auto& connection : connections_) {
    if (connection->cut || !connection->writing_since) continue;
    if (!slowest || *connection->writing_since < *slowest->writing_since) {
      slowest = connection.get();
    }
  }
  if (!slowest || clock_.steady() - *slowest->writing_since < options_.stall_min) {
    return false;
  }
  cut(*slowest);
  return true;
}

void HttpServer::Impl::wait_in_line(Connection& connection) {
  if (!connection.waiting && !connection.cut) {
    connection.waiting = line_.insert(line_.end(), &connection);
  }
}

void HttpServer::Impl::leave_line(Connection& connection) {
  if (connection.waiting) line_.erase(*connection.waiting);
  connection.waiting.reset();
}

void HttpServer::Impl::cut(Connection& connection) {
  leave_line(connection);
  connection.cut = true;
  connection.later.cancel();
  connection.close();
}

void HttpServer::Impl::finish(const std::shared_ptr<Connection>& connection) {
  leave_line(*connection);
  connection->close();
  connections_.remove(connection);
  std::lock_guard lock{mutex_};
  --open_;
  changed_.notify_all();
}

// ---- One connection ---------------------------------------------------------------------------

asio::awaitable<void> HttpServer::Impl::serve(std::shared_ptr<Connection> connection) {
  for (bool keep_alive = true; keep_alive && !connection->cut;) {
    RequestReader reader{options_};
    Refusal refusal;
    wait_in_line(*connection);
    const Heard heard = co_await read_request(*connection, reader, refusal);
    if (heard == Heard::nothing) co_return;
    std::optional<Response> response;
    Shape shape;
    if (heard == Heard::refusal) {
      response = problem(refusal.status, refusal.code, refusal.detail);
    } else {
      leave_line(*connection);
      ++requests_;
      shape = {reader.keep_alive(), reader.http11(), reader.head()};
      response = co_await ask(*connection, reader.request());
    }
    if (!response || connection->cut) co_return;
    keep_alive = co_await write(*connection, shape, std::move(*response));
  }
  co_await linger(*connection);
}

// nothing: the connection is at its end, and nobody is to be told.
asio::awaitable<HttpServer::Impl::Heard> HttpServer::Impl::read_request(Connection& connection,
                                                                        RequestReader& reader,
                                                                        Refusal& refusal) {
  using State = RequestReader::State;
  bool begun = !connection.buffer.empty();
  connection.limit(begun ? options_.header_timeout : options_.idle_timeout);
  State before = State::header;
  for (;;) {
    connection.buffer.erase(0, reader.take(connection.buffer));
    if (reader.state() == State::done) break;
    if (reader.state() == State::refused) {
      refusal = reader.refusal();
      co_return Heard::refusal;
    }
    if (before == State::header && reader.state() == State::body) {
      before = State::body;
      connection.limit(options_.body_timeout);
      if (reader.wants_continue() && connection.buffer.empty()) {
        if (!co_await write_bytes(connection, "HTTP/1.1 100 Continue\r\n\r\n", "")) {
          co_return Heard::nothing;
        }
        connection.limit(options_.body_timeout);
      }
    }
    if (stopping_ && !begun) co_return Heard::nothing;
    if (!co_await read_more(connection, before == State::header ? head_piece : body_piece)) {
      if (!connection.late || !begun) co_return Heard::nothing;
      refusal = too_late(options_, reader.state());
      co_return Heard::refusal;
    }
    if (!begun) connection.limit(options_.header_timeout);
    begun = true;
  }
  reader.request().remote = connection.remote;
  reader.request().received_at = clock_.steady();
  co_return Heard::request;
}

// False: the peer is gone, the connection was cut, or it is late.
asio::awaitable<bool> HttpServer::Impl::read_more(Connection& connection, std::size_t piece) {
  if (connection.cut || connection.late) co_return false;
  const std::size_t before = connection.buffer.size();
  connection.buffer.resize(before + piece);
  const auto [error, count] = co_await connection.socket.async_read_some(
      asio::buffer(connection.buffer.data() + before, piece), as_result);
  connection.buffer.resize(before + count);
  co_return !error;
}

// nullopt: nobody waits for the answer any more.
asio::awaitable<std::optional<Response>> HttpServer::Impl::ask(Connection& connection,
                                                               const Request& request) {
  for (;;) {
    Reply reply = co_await on_pool<Reply>([this, &request] { return answer(request); });
    if (auto* response = std::get_if<Response>(&reply)) co_return std::move(*response);
    const Duration pause =
        std::max<Duration>(std::get<Later>(reply).poll_after, std::chrono::milliseconds{1});
    if (connection.cut) co_return std::nullopt;
    connection.later.expires_after(pause);
    co_await connection.later.async_wait(as_result);
    if (connection.cut || peer_gone(connection)) co_return std::nullopt;
  }
}

Reply HttpServer::Impl::answer(const Request& request) {
  try {
    return handler_(request);
  } catch (const Unavailable& outage) {
    Response response = problem(503, "unavailable", outage.what());
    response.headers.add("Retry-After", "1");
    return response;
  } catch (const std::exception& error) {
    runtime::log::error(
        "http", "a handler failed",
        {{"method", request.method}, {"path", request.path}, {"error", error.what()}});
    return problem(500, "internal_error", "this is a fault of the server; its log has the details");
  }
}

// True: the connection can take another request.
asio::awaitable<bool> HttpServer::Impl::write(Connection& connection, Shape wanted,
                                              Response response) {
  AnswerShape shape{.keep_alive = wanted.keep_alive && !stopping_, .http11 = wanted.http11};
  if (response.stream) {
    shape.framing = wanted.http11 ? Framing::chunked : Framing::until_close;
    shape.keep_alive &= wanted.http11;
  }
  const std::string head = answer_head(response, shape, clock_.wall());
  const bool bodiless = wanted.bodiless || response.status == 204 || response.status == 304;
  if (bodiless || !response.stream) {
    const std::string_view body = bodiless ? std::string_view{} : response.body;
    co_return co_await write_bytes(connection, head, body) && shape.keep_alive;
  }
  if (!co_await write_bytes(connection, head, "")) co_return false;
  if (!co_await write_stream(connection, response, shape.framing == Framing::chunked)) {
    cut(connection);
    co_return false;
  }
  co_return shape.keep_alive;
}

asio::awaitable<bool> HttpServer::Impl::write_stream(Connection& connection, Response& response,
                                                     bool chunked) {
  Pulled pulled{.end = Pulled::End::more, .chunk = std::move(response.body)};
  for (;;) {
    if (!pulled.chunk.empty()) {
      const std::string size = chunked ? fmt::format("{:x}\r\n", pulled.chunk.size()) : "";
      if (chunked) pulled.chunk += "\r\n";
      if (!co_await write_bytes(connection, size, pulled.chunk)) co_return false;
    }
    if (pulled.end == Pulled::End::broken || connection.cut) co_return false;
    if (pulled.end == Pulled::End::done) break;
    pulled = co_await on_pool<Pulled>([&response] { return pull(response.stream); });
  }
  co_return !chunked || co_await write_bytes(connection, "0\r\n\r\n", "");
}

asio::awaitable<bool> HttpServer::Impl::write_bytes(Connection& connection, std::string_view head,
                                                    std::string_view body) {
  const std::array<asio::const_buffer, 2> bytes{asio::buffer(head.data(), head.size()),
                                                asio::buffer(body.data(), body.size())};
  if (connection.cut) co_return false;
  connection.limit(options_.write_timeout);
  connection.writing_since = clock_.steady();
  const auto [error, count] = co_await asio::async_write(connection.socket, bytes, as_result);
  connection.writing_since.reset();
  if (error) cut(connection);
  co_return !error;
}

asio::awaitable<void> HttpServer::Impl::linger(Connection& connection) {
  if (connection.cut) co_return;
  wait_in_line(connection);
  error_code error;
  connection.socket.shutdown(tcp::socket::shutdown_send, error);
  connection.limit(linger_time);
  std::array<char, 4096> scratch;
  while (!error && !connection.late) {
    std::tie(error, std::ignore) =
        co_await connection.socket.async_read_some(asio::buffer(scratch), as_result);
  }
}

// ---- The outside ------------------------------------------------------------------------------

HttpServer::HttpServer(ServerOptions options, Handler handler, const runtime::Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler), clock)) {}

HttpServer::~HttpServer() { impl_->stop(Duration::zero()); }

Result<std::uint16_t> HttpServer::listen(const std::string& host, std::uint16_t port) {
  return impl_->listen(host, port);
}

void HttpServer::stop(Duration grace) { impl_->stop(grace); }

ServerStats HttpServer::stats() const { return impl_->stats(); }

}  // namespace cronally::net
