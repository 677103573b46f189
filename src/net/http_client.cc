#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "net/http_transfer.h"
#include "runtime/clock.h"

namespace cronally::net {
namespace {

// Handles kept for the next requests; one holds about 30 KiB.
constexpr std::size_t idle_transfers_max = 1024;

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(started == CURLE_OK, "curl_global_init failed");
}

struct Queued {
  std::vector<Submission> batch;
  std::shared_ptr<const HttpSink> sink;
};

}  // namespace

class HttpClient::Impl {
 public:
  Impl(HttpClientOptions options, const runtime::Clock& clock);
  ~Impl();

  void submit(std::vector<Submission> batch, std::shared_ptr<const HttpSink> sink);
  HttpClientStats stats() const;

 private:
  using Sink = std::shared_ptr<const HttpSink>;

  void set_up_multi();
  void run();
  void turn(int timeout_ms);
  int wait_ms() const;
  void watch(curl_socket_t fd, int what);
  void act(curl_socket_t fd, int mask);
  std::vector<Queued> take_queue();
  bool queue_is_empty();
  void begin(Queued queued);
  void collect();
  void retire(Transfer* transfer, CURLcode code);
  void tell_sinks();
  void abandon_all();

  const HttpClientOptions options_;
  const runtime::Clock& clock_;
  // Time-outs are real even where the wall is a test's.
  const runtime::SystemClock timer_clock_{runtime::SystemClock::Hooks::ignore};
  TransferCounters counters_;
  std::atomic<std::uint64_t> submitted_{0}, finished_{0};

  // The client's thread only.
  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  std::vector<std::uint32_t> watched_;  // by file descriptor: what epoll has, 0 for nothing
  std::optional<SteadyInstant> timer_;  // when libcurl wants to be called
  std::vector<std::unique_ptr<Transfer>> idle_;
  std::unordered_set<Transfer*> active_;
  std::vector<std::pair<Sink, std::vector<Finished>>> told_;  // of this turn, by sink

  std::mutex mutex_;
  std::vector<Queued> queue_;
  bool stopping_ = false;
  int wake_ = -1;  // eventfd
  std::thread thread_;
};

HttpClient::Impl::Impl(HttpClientOptions options, const runtime::Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  start_curl();
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(epoll_ >= 0 && wake_ >= 0, "no epoll or eventfd: out of file descriptors");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  set_up_multi();
  thread_ = std::thread{[this] { run(); }};
}

HttpClient::Impl::~Impl() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  ::eventfd_write(wake_, 1);
  thread_.join();
  idle_.clear();
  curl_multi_cleanup(multi_);
  ::close(epoll_);
  ::close(wake_);
}

void HttpClient::Impl::set_up_multi() {
  multi_ = curl_multi_init();
  CHECK(multi_ != nullptr, "curl_multi_init failed");
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options_.idle_connections_max);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, options_.connections_max);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(
      multi_, CURLMOPT_SOCKETFUNCTION,
      +[](CURL*, curl_socket_t fd, int what, void* self, void*) -> int {
        static_cast<Impl*>(self)->watch(fd, what);
        return 0;
      });
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(
      multi_, CURLMOPT_TIMERFUNCTION, +[](CURLM*, long ms, void* data) -> int {
        auto* self = static_cast<Impl*>(data);
        self->timer_.reset();
        if (ms >= 0) self->timer_ = self->timer_clock_.steady() + std::chrono::milliseconds{ms};
        return 0;
      });
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
  if (first) ::eventfd_write(wake_, 1);
}

HttpClientStats HttpClient::Impl::stats() const {
  return {submitted_.load(), finished_.load(), counters_.connections.load(),
          counters_.repeats_prevented.load()};
}

// ---- The loop ---------------------------------------------------------------------------------

void HttpClient::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "http-client");
  sigset_t pipe;  // OpenSSL writes with write(2)
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    turn(wait_ms());
    std::lock_guard lock{mutex_};
    if (stopping_) break;
  }
  abandon_all();
}

int HttpClient::Impl::wait_ms() const {
  if (!timer_) return -1;
  const Duration left = *timer_ - timer_clock_.steady();
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

void HttpClient::Impl::turn(int timeout_ms) {
  std::array<epoll_event, 512> events;
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_) {
      eventfd_t ignored = 0;
      ::eventfd_read(wake_, &ignored);
      continue;
    }
    int mask = 0;
    if (event.events & EPOLLIN) mask |= CURL_CSELECT_IN;
    if (event.events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
    if (event.events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
    act(event.data.fd, mask);
  }
  for (Queued& queued : take_queue()) begin(std::move(queued));
  if (timer_ && timer_clock_.steady() >= *timer_) {
    timer_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  collect();
  tell_sinks();
}

void HttpClient::Impl::act(curl_socket_t fd, int mask) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, mask, &running);
}

// libcurl says what it waits for on a socket.
void HttpClient::Impl::watch(curl_socket_t fd, int what) {
  const auto at = static_cast<std::size_t>(fd);
  if (at >= watched_.size()) watched_.resize(at + 64, 0);
  std::uint32_t wanted = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) wanted |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) wanted |= EPOLLOUT;
  if (wanted == watched_[at]) return;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = fd;
  if (wanted == 0) {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &event);
  } else {
    const int operation = watched_[at] == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    ::epoll_ctl(epoll_, operation, fd, &event);
  }
  watched_[at] = wanted;
}

bool HttpClient::Impl::queue_is_empty() {
  std::lock_guard lock{mutex_};
  return queue_.empty();
}

std::vector<Queued> HttpClient::Impl::take_queue() {
  std::lock_guard lock{mutex_};
  return std::exchange(queue_, {});
}

void HttpClient::Impl::begin(Queued queued) {
  for (Submission& submission : queued.batch) {
    std::unique_ptr<Transfer> transfer;
    if (idle_.empty()) {
      transfer = std::make_unique<Transfer>(options_, clock_, counters_);
    } else {
      transfer = std::move(idle_.back());
      idle_.pop_back();
    }
    Transfer* const started = transfer.release();
    active_.insert(started);
    if (!started->begin(std::move(submission), queued.sink)) {
      retire(started, CURLE_BAD_FUNCTION_ARGUMENT);
      continue;
    }
    const CURLMcode code = curl_multi_add_handle(multi_, started->easy());
    CHECK(code == CURLM_OK, "curl_multi_add_handle failed");
  }
}

void HttpClient::Impl::collect() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;  // before the handle is removed: it is freed then
    curl_multi_remove_handle(multi_, easy);
    retire(&Transfer::of(easy), code);
  }
}

void HttpClient::Impl::retire(Transfer* transfer, CURLcode code) {
  active_.erase(transfer);
  std::unique_ptr<Transfer> owned{transfer};
  const Sink sink = owned->sink();
  if (told_.empty() || told_.back().first != sink) told_.push_back({sink, {}});
  told_.back().second.push_back(owned->finish(code));
  if (owned->reusable() && idle_.size() < idle_transfers_max) idle_.push_back(std::move(owned));
}

void HttpClient::Impl::tell_sinks() {
  for (auto& [sink, batch] : std::exchange(told_, {})) {
    finished_ += batch.size();
    (*sink)(std::move(batch));
  }
}

void HttpClient::Impl::abandon_all() {
  do {  // a sink may have submitted once more
    for (Queued& queued : take_queue()) begin(std::move(queued));
    while (!active_.empty()) {
      Transfer* const transfer = *active_.begin();
      curl_multi_remove_handle(multi_, transfer->easy());
      retire(transfer, CURLE_ABORTED_BY_CALLBACK);
    }
    tell_sinks();
  } while (!queue_is_empty());
}

// ---- The outside ------------------------------------------------------------------------------

HttpClient::HttpClient(HttpClientOptions options, const runtime::Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
HttpClient::~HttpClient() = default;

void HttpClient::submit(std::vector<Submission> batch, std::shared_ptr<const HttpSink> sink) {
  impl_->submit(std::move(batch), std::move(sink));
}

HttpClientStats HttpClient::stats() const { return impl_->stats(); }

}  // namespace cronally::net
