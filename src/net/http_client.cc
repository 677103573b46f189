#include "net/http_client.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include "net/connection_pool.h"
#include "net/http_date.h"
#include "net/http_url.h"
#include "net/request_writer.h"
#include "runtime/clock.h"

namespace cronally::net {
namespace {

// Kept for the next requests.
constexpr std::size_t spare_max = 1024;

std::string time_out_text(const Exchange& exchange) {
  return fmt::format(
      "timed out after {} ms{}",
      std::chrono::ceil<std::chrono::milliseconds>(exchange.timeout).count(),
      exchange.first_byte_at ? " without a complete answer" : ", before anything was sent");
}

Result<std::string> wire_of(const HttpRequest& request, const std::string& user_agent) {
  const auto target = read_target(request.url);
  if (!target) return fail(target.error());
  const auto origin = read_origin(origin_text(request.url));
  if (!origin) return fail(origin.error());
  return write_request(request, origin->host_header, *target, user_agent);
}

}  // namespace

class HttpClient::Impl {
 public:
  Impl(HttpClientOptions options, const runtime::Clock& clock);
  ~Impl();

  WrittenRequest written(HttpRequest request) const;
  void submit(std::vector<Submission> batch, std::shared_ptr<const HttpSink> sink);
  void end_withdrawn() {
    recalled_ = true;
    loop_.wake();
  }
  HttpClientStats stats() const { return {submitted_.load(), finished_.load(), pool_.opened()}; }

 private:
  using Sink = std::shared_ptr<const HttpSink>;
  struct Queued {
    std::vector<Submission> batch;
    Sink sink;
  };

  void run();
  std::vector<Queued> take_queue();
  void begin_queued();
  void begin(Submission submission, const Sink& sink);
  Result<void> take(Exchange& exchange, WrittenRequest& request);
  Exchange& new_exchange();
  void finish(Exchange& exchange, Ending ending);
  void tell_sinks();
  void abandon_withdrawn();
  void abandon_all();

  const HttpClientOptions options_;
  const runtime::Clock& clock_;
  const Result<std::shared_ptr<const TlsContext>> tls_;
  std::atomic<std::uint64_t> submitted_{0}, finished_{0};
  std::atomic<bool> recalled_ = false;

  // The client's thread only, but for loop_.wake().
  EventLoop loop_;
  ConnectionPool pool_;
  List<Exchange, OfClient> active_;
  std::vector<std::unique_ptr<Exchange>> spare_;
  const std::function<void(Exchange&)> on_overdue_;
  std::vector<std::pair<Sink, std::vector<Finished>>> told_;  // of this turn, by sink

  std::mutex mutex_;
  std::vector<Queued> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

HttpClient::Impl::Impl(HttpClientOptions options, const runtime::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      tls_(TlsContext::make(options_.ca_file)),
      pool_(loop_, clock, tls_,
            {.connect_timeout = options_.connect_timeout,
             .connections_max = static_cast<std::size_t>(std::max(options_.connections_max, 0L)),
             .idle_max = static_cast<std::size_t>(std::max(options_.idle_connections_max, 0L))},
            [this](Exchange& exchange, Ending ending) { finish(exchange, std::move(ending)); }),
      on_overdue_(
          [this](Exchange& exchange) { pool_.abandon(exchange, time_out_text(exchange)); }) {
  thread_ = std::thread{[this] { run(); }};
}

HttpClient::Impl::~Impl() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  loop_.wake();
  thread_.join();
}

WrittenRequest HttpClient::Impl::written(HttpRequest request) const {
  WrittenRequest out{.timeout = std::max<Duration>(request.timeout, std::chrono::milliseconds{1}),
                     .fresh_connection = request.fresh_connection,
                     .head = request.method == "HEAD",
                     .may_send = std::move(request.may_send)};
  if (auto wire = wire_of(request, options_.user_agent)) {
    out.wire = std::move(*wire);
  } else {
    out.fault = std::move(wire.error().message);
  }
  out.url = std::move(request.url);
  return out;
}

void HttpClient::Impl::submit(std::vector<Submission> batch, Sink sink) {
  if (batch.empty()) return;
  submitted_ += batch.size();
  bool first = false;
  {
    std::lock_guard lock{mutex_};
    first = queue_.empty();
    queue_.push_back({std::move(batch), std::move(sink)});
  }
  if (first) loop_.wake();
}

// ---- The loop ---------------------------------------------------------------------------------

void HttpClient::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "http-client");
  sigset_t pipe;  // OpenSSL writes with write(2)
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    loop_.wait();
    begin_queued();
    if (recalled_.exchange(false)) abandon_withdrawn();
    loop_.fire_timers();
    pool_.turn();
    tell_sinks();
    std::lock_guard lock{mutex_};
    if (stopping_) break;
  }
  abandon_all();
}

std::vector<HttpClient::Impl::Queued> HttpClient::Impl::take_queue() {
  std::lock_guard lock{mutex_};
  return std::exchange(queue_, {});
}

void HttpClient::Impl::begin_queued() {
  for (Queued& queued : take_queue()) {
    for (Submission& submission : queued.batch) begin(std::move(submission), queued.sink);
  }
}

void HttpClient::Impl::begin(Submission submission, const Sink& sink) {
  Exchange& exchange = new_exchange();
  WrittenRequest& request = submission.request;
  exchange.tag = submission.tag;
  exchange.subtag = submission.subtag;
  exchange.gate = std::move(submission.gate);
  exchange.sink = sink;
  exchange.may_send = std::move(request.may_send);
  exchange.timeout = request.timeout;
  exchange.fresh = request.fresh_connection;
  exchange.head = request.head;
  if (auto taken = take(exchange, request); !taken) {
    return finish(exchange, {.fate = exchange.unsent(), .error = std::move(taken.error().message)});
  }
  loop_.set(exchange, loop_.now() + exchange.timeout);
}

Result<void> HttpClient::Impl::take(Exchange& exchange, WrittenRequest& request) {
  if (exchange.withdrawn()) return fail("withdrawn", withdrawn_text);
  if (!request.fault.empty()) return fail("not_sent", std::move(request.fault));
  if (auto entered = pool_.enter(exchange, request.url); !entered) return entered;
  exchange.wire = std::move(request.wire);
  pool_.start(exchange);
  return {};
}

void HttpClient::Impl::abandon_withdrawn() {
  for (auto next = active_.begin(); next != active_.end();) {
    Exchange& exchange = *next++;
    if (exchange.withdrawn()) {
      pool_.abandon(exchange, withdrawn_text);
    } else if (exchange.cut_off() && !exchange.connection->request_arrived()) {
      pool_.abandon(exchange, cut_off_text);
    }
  }
}

Exchange& HttpClient::Impl::new_exchange() {
  if (spare_.empty()) spare_.push_back(std::make_unique<Exchange>());
  Exchange& exchange = *spare_.back().release();
  spare_.pop_back();
  exchange.on_overdue = &on_overdue_;
  active_.push_back(exchange);
  return exchange;
}

// ---- The end of an exchange -------------------------------------------------------------------

void HttpClient::Impl::finish(Exchange& exchange, Ending ending) {
  if (told_.empty() || told_.back().first != exchange.sink) told_.push_back({exchange.sink, {}});
  Finished& out = told_.back().second.emplace_back();
  out.tag = exchange.tag;
  out.subtag = exchange.subtag;
  HttpResult& result = out.result;
  result.fate = ending.fate;
  result.error = std::move(ending.error);
  result.first_byte_at = exchange.first_byte_at;
  result.ended_at = clock_.wall();
  if (ending.answer != nullptr) {
    result.status = ending.answer->status();
    if (const auto wait = ending.answer->retry_after()) {
      result.retry_after = parse_retry_after(*wait, result.ended_at);
    }
    result.truncated = ending.answer->truncated();
    result.body = std::move(ending.answer->body());
  }
  loop_.cancel(exchange);
  static_cast<ListHook<OfClient>&>(exchange).unlink();
  std::unique_ptr<Exchange> ended{&exchange};
  if (spare_.size() >= spare_max) return;
  *ended = {};
  spare_.push_back(std::move(ended));
}

void HttpClient::Impl::tell_sinks() {
  for (auto& [sink, batch] : std::exchange(told_, {})) {
    finished_ += batch.size();
    (*sink)(std::move(batch));
  }
}

void HttpClient::Impl::abandon_all() {
  bool more = true;
  while (more) {  // a sink may have submitted once more
    begin_queued();
    while (!active_.empty()) {
      pool_.abandon(active_.front(), "the server stopped before an answer came");
    }
    tell_sinks();
    std::lock_guard lock{mutex_};
    more = !queue_.empty();
  }
}

// ---- The outside ------------------------------------------------------------------------------

HttpClient::HttpClient(HttpClientOptions options, const runtime::Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
HttpClient::~HttpClient() = default;

WrittenRequest HttpClient::written(HttpRequest request) const {
  return impl_->written(std::move(request));
}

void HttpClient::submit(std::vector<Submission> batch, std::shared_ptr<const HttpSink> sink) {
  impl_->submit(std::move(batch), std::move(sink));
}

void HttpClient::end_withdrawn() { impl_->end_withdrawn(); }

HttpClientStats HttpClient::stats() const { return impl_->stats(); }

}  // namespace cronally::net
