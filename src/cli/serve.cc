#include "cli/serve.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "api/api.h"
#include "api/standby.h"
#include "base/json_text.h"
#include "cli/doctor.h"
#include "cli/exit_code.h"
#include "cli/server_store.h"
#include "delivery/aws_credentials.h"
#include "delivery/aws_sources.h"
#include "delivery/http_deliverer.h"
#include "delivery/sns_deliverer.h"
#include "delivery/target_deliverer.h"
#include "net/http_server.h"
#include "runtime/files.h"
#include "runtime/log.h"
#include "runtime/notify.h"
#include "runtime/random.h"
#include "runtime/supervise.h"
#include "scheduler/driver.h"
#include "scheduler/failure_notifier.h"
#include "scheduler/journal.h"
#include "scheduler/overdue_watch.h"
#include "scheduler/pruner.h"
#include "scheduler/span_counter.h"

namespace cronally::cli {

namespace log = runtime::log;
namespace fs = std::filesystem;

namespace {

// How long the API may still answer after deliveries have drained.
constexpr Duration api_grace = std::chrono::seconds{2};
// How often a standby looks whether the data directory is free.
constexpr Duration standby_look_every = std::chrono::milliseconds{100};
// How often a database that is away is tried.
constexpr Duration database_look_every = std::chrono::milliseconds{500};

// Where several servers share a store:
// others judge a server by its cursors, so they move also where nothing is due;
constexpr Duration shared_cursor_age_max = std::chrono::seconds{2};
// work that an outage stopped goes on within a second of its end;
constexpr runtime::RestartPolicy shared_restart{.pause_min = std::chrono::milliseconds{100},
                                                .pause_max = std::chrono::seconds{1},
                                                .settle = std::chrono::seconds{2}};
// what a start says of the database, it says when it has its shards;
constexpr Duration examine_after = std::chrono::seconds{3};
// and a takeover, with what it has to send, may take so long beyond the lease's time to live.
constexpr Duration overdue_grace = std::chrono::seconds{5};

// How the process's file descriptors are shared out. Where there are many, neither bound is
// reached; where there are few (64), the API cannot take those that deliveries and the database
// need, and deliveries wait for one instead of failing.
struct Connections {
  explicit Connections(std::uint64_t files) {
    constexpr std::uint64_t own = 32;  // database, its readers, log, epoll, lock
    const std::uint64_t spare = std::max<std::uint64_t>(files, own + 8) - own;
    api = static_cast<std::size_t>(std::min<std::uint64_t>(spare / 2, 1024));
    if (spare < 16 * 1024) deliveries = static_cast<long>(spare / 4);
  }
  std::size_t api = 0;
  long deliveries = 0;  // 0: no bound
};

struct Listen {
  std::string host;
  std::uint16_t port = 0;
};

// "127.0.0.1:8787", "[::1]:0", "localhost:80".
Result<Listen> parse_listen(const std::string& text) {
  auto colon = text.rfind(':');
  Listen listen;
  if (colon != std::string::npos) {
    listen.host = text.substr(0, colon);
    if (listen.host.size() > 2 && listen.host.front() == '[' && listen.host.back() == ']') {
      listen.host = listen.host.substr(1, listen.host.size() - 2);
    }
    auto [end, error] =
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), listen.port);
    if (error == std::errc{} && end == text.data() + text.size() && !listen.host.empty()) {
      return listen;
    }
  }
  return fail("invalid_listen",
              "--listen takes ADDRESS:PORT, such as 127.0.0.1:8787, not '" + text + "'");
}

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "::1" || host == "localhost";
}

log::Level level_of(const std::string& word) {
  if (word == "debug") return log::Level::debug;
  if (word == "warning") return log::Level::warning;
  if (word == "error") return log::Level::error;
  return log::Level::info;
}

Result<void> write_server_file(const fs::path& file, const std::string& url) {
  std::string body = "{\"url\":\"" + url + "\",\"pid\":" + std::to_string(getpid()) +
                     ",\"version\":\"" + std::string(CRONALLY_VERSION) + "\"}\n";
  return runtime::write_file_atomically(file, body);
}

// Blocks SIGTERM and SIGINT for this thread and all it starts; the first is taken by a wait.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
  }
  int wait() const {
    int number = 0;
    while (sigwait(&set_, &number) != 0) {
    }
    return number;
  }
  bool came_within(Duration time) const {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    const timespec limit{seconds.count(), std::chrono::nanoseconds{time - seconds}.count()};
    return sigtimedwait(&set_, nullptr, &limit) > 0;
  }

 private:
  sigset_t set_{};
};

// Everything one server is made of; members end in the reverse order of their start.
class Server {
 public:
  explicit Server(const ServeOptions& options) : options_(options), dir_(options.data_dir) {}
  ~Server() {
    if (credentials_) credentials_->stop();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // False: it waited as a standby and was told to stop.
  Result<bool> start();
  void run_until_stopped();

 private:
  Result<bool> take_lock();
  Result<void> stand_by(Result<runtime::FileLock>& lock);
  Result<bool> bring_up();
  Result<void> try_bring_up();
  store::NodeAbout about() const;
  void start_deliveries();
  Result<void> open_journal();
  void start_scheduler();
  core::PlannerOptions planner_options() const;
  void start_background();
  Result<void> start_api();
  Result<void> announce();
  void withdraw() const;
  Result<void> listen();
  net::Reply answer(const net::Request& request);
  Error why_not_serving() const;
  runtime::RestartPolicy restart_policy() const {
    return shared() ? shared_restart : runtime::RestartPolicy{};
  }
  bool shared() const { return !options_.database.empty(); }

  const ServeOptions options_;
  const fs::path dir_;
  const StopSignals signals_;
  runtime::SystemClock clock_;
  runtime::Health health_;
  runtime::Metrics metrics_;
  runtime::ZoneLoader zones_;
  const NodeId node_{runtime::random_uuid_v4()};
  std::optional<Connections> connections_;
  std::optional<runtime::FileLock> lock_;
  std::optional<runtime::Vault> vault_;
  std::unique_ptr<store::Database> database_;
  core::AwsEndpoints endpoints_;
  std::unique_ptr<delivery::AwsSources> sources_;
  std::unique_ptr<delivery::AwsCredentialsStore> credentials_;
  std::unique_ptr<delivery::SnsDeliverer> sns_;  // outlives the results of the client
  std::unique_ptr<net::HttpClient> client_;
  std::unique_ptr<delivery::HttpDeliverer> http_deliverer_;
  std::unique_ptr<delivery::TargetDeliverer> deliverer_;
  std::unique_ptr<scheduler::JobCompiler> compiler_;
  std::unique_ptr<delivery::NoticeSender> sender_;
  std::unique_ptr<scheduler::FailureNotifier> notifier_;
  std::unique_ptr<scheduler::SpanCounter> counter_;
  std::unique_ptr<scheduler::Pruner> pruner_;
  std::unique_ptr<scheduler::OverdueWatch> overdue_;
  std::unique_ptr<scheduler::Journal> journal_;  // null: there is none
  std::unique_ptr<scheduler::Driver> driver_;
  std::unique_ptr<runtime::Supervisor> supervisor_;
  std::unique_ptr<api::Api> api_;
  std::atomic<api::Api*> serving_ = nullptr;  // null: answers of who waits
  bool announced_ = false;                    // listening, and named in server.json
  std::unique_ptr<net::HttpServer> http_;
  std::string url_;  // of http_
};

Result<bool> Server::start() {
  if (auto address = parse_listen(options_.listen); !address) return fail(address.error());
  auto endpoints = core::AwsEndpoints::of(delivery::aws_variables());
  if (!endpoints) return fail(endpoints.error());
  endpoints_ = std::move(*endpoints);
  connections_.emplace(runtime::raise_open_files_limit());
  runtime::add_process_metrics(metrics_, CRONALLY_VERSION, clock_.wall());
  if (auto taken = take_lock(); !taken || !*taken) return taken;
  start_deliveries();
  if (auto up = bring_up(); !up || !*up) return up;
  start_background();
  if (auto started = start_api(); !started) return fail(started.error());
  return true;
}

Result<bool> Server::take_lock() {
  if (auto made = runtime::create_private_directory(dir_); !made) return fail(made.error());
  auto lock = runtime::FileLock::try_acquire(dir_ / "lock");
  if (options_.standby) {
    if (auto waited = stand_by(lock); !waited) return fail(waited.error());
  }
  if (lock) lock_.emplace(std::move(*lock));
  const bool told_to_stop = !lock && options_.standby && lock.error().code == "already_running";
  if (!lock && !told_to_stop) return fail(lock.error());
  return !told_to_stop;
}

// Tries for the lock until it is free or cannot be had, or a signal comes. A process that is
// frozen keeps it: it may yet send what it has claimed.
Result<void> Server::stand_by(Result<runtime::FileLock>& lock) {
  const auto held = [&] { return !lock && lock.error().code == "already_running"; };
  if (!held()) return {};
  health_.failing("standby",
                  "another server holds the data directory; this one takes over when that ends");
  if (auto listening = listen(); !listening) return listening;
  log::info("serve", "standing by", {{"url", url_}, {"data_dir", dir_.string()}});
  runtime::notify_ready();
  while (held() && !signals_.came_within(standby_look_every)) {
    lock = runtime::FileLock::try_acquire(dir_ / "lock");
  }
  if (lock) log::warning("serve", "the server before has ended; this one takes over");
  return {};
}

// Opens the store and starts the scheduler over it. A database on a server that is away is waited
// for, while the API says so. False: told to stop.
Result<bool> Server::bring_up() {
  while (true) {
    const auto up = try_bring_up();
    if (up) return true;
    if (!may_come_back(up.error())) return fail(up.error());
    health_.failing("database", up.error().message);
    health_.failing("api", "it answers when the database is there and the scheduler has begun");
    if (!announced_) {
      if (auto announced = announce(); !announced) return fail(announced.error());
      log::info("serve", "waiting for the database", {{"url", url_}, {"data_dir", dir_.string()}});
    }
    if (signals_.came_within(database_look_every)) {
      withdraw();
      return false;
    }
  }
}

Result<void> Server::try_bring_up() {
  try {
    auto store = open_server_store({.dir = dir_,
                                    .database = options_.database,
                                    .clock = clock_,
                                    .health = health_,
                                    .about = [this] { return about(); }});
    if (!store) return fail(store.error());
    vault_.emplace(std::move(store->vault));
    database_ = std::move(store->database);
    if (auto opened = open_journal(); !opened) return opened;
    start_scheduler();
    return {};
  } catch (const Unavailable& outage) {
    if (!shared()) throw;
    driver_.reset();
    journal_.reset();
    database_.reset();
    return fail("database_unreachable", outage.what());
  }
}

// For the table of nodes; tzdata may be replaced while we run.
store::NodeAbout Server::about() const {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return {name.data(), std::string(CRONALLY_VERSION), zones_.tzdata_version()};
}

void Server::start_deliveries() {
  const std::string agent = "Cronally/" + std::string(CRONALLY_VERSION);
  client_ = std::make_unique<net::HttpClient>(
      net::HttpClientOptions{.user_agent = agent, .connections_max = connections_->deliveries},
      clock_);
  http_deliverer_ = std::make_unique<delivery::HttpDeliverer>(
      delivery::HttpDelivererOptions{.user_agent = agent}, *client_, clock_);
  sources_ = std::make_unique<delivery::AwsSources>(delivery::AwsSourcesParts{
      .variables = delivery::aws_variables(), .endpoints = endpoints_, .clock = clock_});
  credentials_ =
      std::make_unique<delivery::AwsCredentialsStore>([this] { return sources_->fetch(); }, clock_);
  sns_ = std::make_unique<delivery::SnsDeliverer>(delivery::SnsDelivererParts{
      .endpoints = endpoints_, .client = *client_, .credentials = *credentials_, .clock = clock_});
  deliverer_ = std::make_unique<delivery::TargetDeliverer>(*http_deliverer_, *sns_);
  sender_ = std::make_unique<delivery::NoticeSender>(*client_, clock_, agent);
}

// Of a database on a server: what is committed there may be forgotten.
Result<void> Server::open_journal() {
  if (!shared() || !options_.journal) return {};
  journal_ = std::make_unique<scheduler::Journal>(
      node_, runtime::AppendLogOptions{.directory = dir_ / "journal"},
      scheduler::Journal::Parts{
          .spine = database_->spine(), .clock = clock_, .health = health_, .metrics = metrics_});
  return journal_->open();
}

void Server::start_scheduler() {
  compiler_ = std::make_unique<scheduler::JobCompiler>(zones_, endpoints_);
  scheduler::DriverOptions options{.node = node_, .planner = planner_options()};
  options.lease_ttl = options_.lease_ttl;
  options.restart = restart_policy();
  driver_ = std::make_unique<scheduler::Driver>(options,
                                                scheduler::DriverParts{.database = *database_,
                                                                       .deliverer = *deliverer_,
                                                                       .compiler = *compiler_,
                                                                       .vault = *vault_,
                                                                       .clock = clock_,
                                                                       .health = health_,
                                                                       .metrics = metrics_,
                                                                       .journal = journal_.get()});
  driver_->start();
}

core::PlannerOptions Server::planner_options() const {
  core::PlannerOptions options;
  options.destination_concurrency = options_.destination_concurrency;
  if (shared()) options.cursor_age_max = shared_cursor_age_max;
  return options;
}

// What one of the servers does for all.
void Server::start_background() {
  const auto leads = [this] { return driver_->leads(); };
  notifier_ = std::make_unique<scheduler::FailureNotifier>(
      scheduler::FailureNotifier::Parts{.notices = database_->notices(),
                                        .sender = *sender_,
                                        .vault = *vault_,
                                        .clock = clock_,
                                        .leads = leads});
  counter_ = std::make_unique<scheduler::SpanCounter>(database_->spine(), *compiler_, leads);
  pruner_ = std::make_unique<scheduler::Pruner>(
      database_->retention(),
      store::Keep{.runs_age = options_.runs_keep, .runs_max = options_.runs_max}, leads);
  overdue_ = std::make_unique<scheduler::OverdueWatch>(
      scheduler::OverdueWatch::Parts{.spine = database_->spine(),
                                     .health = health_,
                                     .metrics = metrics_,
                                     .cursor_age_max = planner_options().cursor_age_max,
                                     .behind_max = options_.lease_ttl + overdue_grace,
                                     .overlooked = [this] { driver_->look_again(); }});
  supervisor_ = std::make_unique<runtime::Supervisor>(health_, &metrics_, restart_policy());
  supervisor_->spawn("notifier", [this](std::stop_token stop) { notifier_->run(stop); });
  supervisor_->spawn("counter", [this](std::stop_token stop) { counter_->run(stop); });
  supervisor_->spawn("pruner", [this](std::stop_token stop) { pruner_->run(stop); });
  supervisor_->spawn("watcher", [this](std::stop_token stop) { overdue_->run(stop); });
  if (!shared()) return;
  supervisor_->spawn("doctor", [this](std::stop_token stop) {
    if (!runtime::wait_or_stop(stop, examine_after)) return;
    log_findings(examine_postgres(options_.database, dir_));
  });
}

Result<void> Server::start_api() {
  api_ = std::make_unique<api::Api>(api::ApiDeps{.database = *database_,
                                                 .vault = *vault_,
                                                 .zones = zones_,
                                                 .clock = clock_,
                                                 .health = health_,
                                                 .metrics = metrics_,
                                                 .version = std::string(CRONALLY_VERSION),
                                                 .scratch = dir_,
                                                 .v1 = options_.v1});
  serving_ = api_.get();
  health_.remove("standby");
  health_.remove("api");
  if (auto announced = announce(); !announced) return announced;
  log::info("serve", "serving",
            {{"url", url_},
             {"data_dir", dir_.string()},
             {"store", database_->engine()},
             {"node", node_},
             {"version", CRONALLY_VERSION},
             {"tzdata", zones_.tzdata_version()}});
  return {};
}

// Listens, and says where in server.json, for the command line.
Result<void> Server::announce() {
  if (std::exchange(announced_, true)) return {};
  if (!http_) {
    if (auto listening = listen(); !listening) return listening;
  }
  if (auto written = write_server_file(dir_ / "server.json", url_); !written) return written;
  runtime::notify_ready();
  return {};
}

void Server::withdraw() const {
  std::error_code ignored;
  fs::remove(dir_ / "server.json", ignored);
}

Result<void> Server::listen() {
  const auto address = parse_listen(options_.listen);
  net::ServerOptions limits;
  limits.connections_max = connections_->api;
  limits.body_max = api::body_max;
  http_ = std::make_unique<net::HttpServer>(
      limits, [this](const net::Request& request) { return answer(request); }, clock_);
  auto port = http_->listen(address->host, address->port);
  if (!port) return fail(port.error());
  const bool v6 = address->host.find(':') != std::string::npos;
  url_ = "http://" + (v6 ? "[" + address->host + "]" : address->host) + ":" + std::to_string(*port);
  if (!is_loopback(address->host)) {
    log::warning("serve",
                 "the API is reachable from other machines without TLS; put a proxy that "
                 "ends TLS before it, or listen on 127.0.0.1",
                 {{"listen", options_.listen}});
  }
  return {};
}

net::Reply Server::answer(const net::Request& request) {
  if (api::Api* const api = serving_) return api->handle(request);
  return api::answer_as_standby(request, options_.v1, health_, metrics_, why_not_serving());
}

Error Server::why_not_serving() const {
  for (const auto& item : health_.readiness().items) {
    if (item.name == "database" && !item.ok) return {"unavailable", item.reason};
  }
  return api::standing_by();
}

void Server::run_until_stopped() {
  int number = signals_.wait();
  log::info("serve", "stopping", {{"signal", number}});
  runtime::notify_stopping();
  bool complete = driver_->drain(options_.drain_timeout);
  if (!complete) {
    log::warning("serve",
                 "requests were still under way at the drain time-out; the next start "
                 "takes their runs over");
  }
  api_->stop();
  http_->stop(api_grace);
  supervisor_->stop_and_join();
  driver_->stop();
  withdraw();
  log::info("serve", "stopped", {{"drained", complete}});
}

// A database that fails its first reads and writes refuses the start, like one that does not open.
Result<bool> start_or_say_why(Server& server) {
  try {
    return server.start();
  } catch (const Unavailable& outage) {
    return fail(outage.code(), outage.what());
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  // glibc gives threads arenas of their own, each of which keeps what bulk requests have freed, and
  // lets ever larger blocks into them (mallopt(3), M_MMAP_THRESHOLD). So there are two, and what is
  // large goes back to the system at once.
  constexpr int large = 256 << 10;
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, large);
  log::configure(level_of(options.log_level),
                 options.log_format == "json" ? log::Format::json : log::Format::text);
  Server server(options);
  auto started = start_or_say_why(server);
  if (!started) {
    std::fprintf(stderr, "cronally: %s\n", started.error().message.c_str());
    const std::string& code = started.error().code;
    if (code == "invalid_listen" || code == "invalid_endpoint" || code == "database_address")
      return static_cast<int>(ExitCode::usage);
    return static_cast<int>(code == "already_running" ? ExitCode::conflict : ExitCode::failure);
  }
  if (*started) server.run_until_stopped();
  return 0;
}

}  // namespace cronally::cli
