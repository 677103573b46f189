#include "cli/serve.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "api/api.h"
#include "base/json_text.h"
#include "cli/exit_code.h"
#include "core/secret_context.h"
#include "delivery/http_deliverer.h"
#include "net/http_server.h"
#include "runtime/files.h"
#include "runtime/log.h"
#include "runtime/notify.h"
#include "runtime/random.h"
#include "runtime/supervise.h"
#include "runtime/token.h"
#include "scheduler/driver.h"
#include "scheduler/failure_notifier.h"
#include "scheduler/pruner.h"
#include "scheduler/span_counter.h"
#include "store/sqlite/open.h"

namespace cronally::cli {

namespace log = runtime::log;
namespace fs = std::filesystem;

namespace {

// How long the API may still answer after deliveries have drained.
constexpr Duration api_grace = std::chrono::seconds{2};

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

// The first account and the admin token, in the file that the command line reads. The token's
// file is written first: a crash between leaves a file that opens nothing, and the next start
// writes it anew.
Result<void> bootstrap(store::Database& database, const runtime::Vault& vault,
                       const fs::path& token_file) {
  auto token = runtime::make_token();
  store::Account account{.id = AccountId{runtime::random_uuid_v4()}, .name = "default"};
  account.sealed_signing_secret =
      vault.seal(core::account_context(account.id),
                 SecretText{core::format_signing_secret(runtime::random_bytes(32))});
  store::Token admin{.id = TokenId{runtime::random_uuid_v4()}, .name = "admin", .admin = true};
  if (auto written = runtime::write_file_atomically(token_file, token.reveal() + "\n"); !written) {
    return written;
  }
  auto digest = runtime::token_digest(token.reveal());
  database.accounts().bootstrap(account, admin, as_bytes(digest));
  log::info("serve", "first start: account and admin token made",
            {{"account", account.id}, {"token_file", token_file.string()}});
  return {};
}

// The key opens what is sealed, or the server does not start.
Result<void> verify_vault(store::Database& database, const runtime::Vault& vault) {
  for (const auto& account : database.accounts().all()) {
    auto opened = vault.open(core::account_context(account.id), account.sealed_signing_secret);
    if (!opened) return fail(opened.error());
  }
  return {};
}

Result<void> write_server_file(const fs::path& file, const std::string& url) {
  std::string body = "{\"url\":\"" + url + "\",\"pid\":" + std::to_string(getpid()) +
                     ",\"version\":\"" + std::string(CRONALLY_VERSION) + "\"}\n";
  return runtime::write_file_atomically(file, body);
}

// Blocks SIGTERM and SIGINT for this thread and all it starts; wait() takes the first.
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

 private:
  sigset_t set_{};
};

// Everything one server is made of; members end in the reverse order of their start.
class Server {
 public:
  explicit Server(const ServeOptions& options) : options_(options), dir_(options.data_dir) {}

  Result<void> start();
  void run_until_stopped();

 private:
  Result<void> open_data();
  Result<void> start_api();
  void start_scheduler();

  const ServeOptions options_;
  const fs::path dir_;
  const StopSignals signals_;
  runtime::SystemClock clock_;
  runtime::Health health_;
  runtime::Metrics metrics_;
  runtime::ZoneLoader zones_;
  std::optional<Connections> connections_;
  std::optional<runtime::FileLock> lock_;
  std::optional<runtime::Vault> vault_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<net::HttpClient> client_;
  std::unique_ptr<delivery::HttpDeliverer> deliverer_;
  std::unique_ptr<scheduler::JobCompiler> compiler_;
  std::unique_ptr<delivery::NoticeSender> sender_;
  std::unique_ptr<scheduler::FailureNotifier> notifier_;
  std::unique_ptr<scheduler::SpanCounter> counter_;
  std::unique_ptr<scheduler::Pruner> pruner_;
  std::unique_ptr<scheduler::Driver> driver_;
  std::unique_ptr<runtime::Supervisor> supervisor_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<net::HttpServer> http_;
};

Result<void> Server::start() {
  if (auto listen = parse_listen(options_.listen); !listen) return fail(listen.error());
  connections_.emplace(runtime::raise_open_files_limit());
  runtime::add_process_metrics(metrics_, CRONALLY_VERSION, clock_.wall());
  if (auto opened = open_data(); !opened) return opened;
  start_scheduler();
  return start_api();
}

Result<void> Server::open_data() {
  if (auto made = runtime::create_private_directory(dir_); !made) return made;
  auto lock = runtime::FileLock::try_acquire(dir_ / "lock");
  if (!lock) return fail(lock.error());
  lock_.emplace(std::move(*lock));

  const auto file = dir_ / "cronally.db";
  const auto missing = fs::exists(file) ? runtime::MissingKey::refuse : runtime::MissingKey::create;
  auto vault = runtime::Vault::open_or_create(dir_ / "master.key", missing);
  if (!vault) return fail(vault.error());
  vault_.emplace(std::move(*vault));

  auto database =
      store::open_sqlite({.file = file,
                          .clock = std::shared_ptr<const runtime::Clock>(&clock_, [](auto*) {}),
                          .ballast = dir_ / "ballast",
                          .health = &health_});
  if (!database) return fail(database.error());
  database_ = std::move(*database);
  if (database_->accounts().all().empty()) {
    if (auto made = bootstrap(*database_, *vault_, dir_ / "admin-token"); !made) return made;
  }
  return verify_vault(*database_, *vault_);
}

void Server::start_scheduler() {
  const std::string agent = "Cronally/" + std::string(CRONALLY_VERSION);
  client_ = std::make_unique<net::HttpClient>(
      net::HttpClientOptions{.user_agent = agent, .connections_max = connections_->deliveries},
      clock_);
  deliverer_ = std::make_unique<delivery::HttpDeliverer>(
      delivery::HttpDelivererOptions{.user_agent = agent}, *client_, clock_);
  compiler_ = std::make_unique<scheduler::JobCompiler>(zones_);
  sender_ = std::make_unique<delivery::NoticeSender>(*client_, clock_, agent);
  notifier_ = std::make_unique<scheduler::FailureNotifier>(scheduler::FailureNotifier::Parts{
      .notices = database_->notices(), .sender = *sender_, .vault = *vault_, .clock = clock_});
  counter_ = std::make_unique<scheduler::SpanCounter>(database_->spine(), *compiler_);
  pruner_ = std::make_unique<scheduler::Pruner>(
      database_->retention(),
      store::Keep{.runs_age = options_.runs_keep, .runs_max = options_.runs_max});
  core::PlannerOptions planner;
  planner.destination_concurrency = options_.destination_concurrency;
  driver_ = std::make_unique<scheduler::Driver>(
      scheduler::DriverOptions{.node = NodeId{runtime::random_uuid_v4()}, .planner = planner},
      scheduler::DriverParts{.database = *database_,
                             .deliverer = *deliverer_,
                             .compiler = *compiler_,
                             .vault = *vault_,
                             .clock = clock_,
                             .health = health_,
                             .metrics = metrics_});
  driver_->start();
  supervisor_ = std::make_unique<runtime::Supervisor>(health_, &metrics_);
  supervisor_->spawn("notifier", [this](std::stop_token stop) { notifier_->run(stop); });
  supervisor_->spawn("counter", [this](std::stop_token stop) { counter_->run(stop); });
  supervisor_->spawn("pruner", [this](std::stop_token stop) { pruner_->run(stop); });
}

Result<void> Server::start_api() {
  auto listen = parse_listen(options_.listen);
  api_ = std::make_unique<api::Api>(api::ApiDeps{.database = *database_,
                                                 .vault = *vault_,
                                                 .zones = zones_,
                                                 .clock = clock_,
                                                 .health = health_,
                                                 .metrics = metrics_,
                                                 .version = std::string(CRONALLY_VERSION),
                                                 .scratch = dir_});
  net::ServerOptions limits;
  limits.connections_max = connections_->api;
  limits.body_max = api::body_max;
  http_ = std::make_unique<net::HttpServer>(
      limits, [this](const net::Request& request) { return api_->handle(request); }, clock_);
  auto port = http_->listen(listen->host, listen->port);
  if (!port) return fail(port.error());
  bool v6 = listen->host.find(':') != std::string::npos;
  const std::string url =
      "http://" + (v6 ? "[" + listen->host + "]" : listen->host) + ":" + std::to_string(*port);
  if (auto written = write_server_file(dir_ / "server.json", url); !written) return written;
  if (!is_loopback(listen->host)) {
    log::warning("serve",
                 "the API is reachable from other machines without TLS; put a proxy that "
                 "ends TLS before it, or listen on 127.0.0.1",
                 {{"listen", options_.listen}});
  }
  log::info("serve", "serving",
            {{"url", url},
             {"data_dir", dir_.string()},
             {"version", CRONALLY_VERSION},
             {"tzdata", zones_.tzdata_version()}});
  runtime::notify_ready();
  return {};
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
  std::error_code ignored;
  fs::remove(dir_ / "server.json", ignored);
  log::info("serve", "stopped", {{"drained", complete}});
}

// A database that fails its first reads and writes refuses the start, like one that does not open.
Result<void> start_or_say_why(Server& server) {
  try {
    return server.start();
  } catch (const Unavailable& outage) {
    return fail(outage.code(), outage.what());
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  log::configure(level_of(options.log_level),
                 options.log_format == "json" ? log::Format::json : log::Format::text);
  Server server(options);
  auto started = start_or_say_why(server);
  if (!started) {
    std::fprintf(stderr, "cronally: %s\n", started.error().message.c_str());
    const std::string& code = started.error().code;
    if (code == "invalid_listen") return static_cast<int>(ExitCode::usage);
    return static_cast<int>(code == "already_running" ? ExitCode::conflict : ExitCode::failure);
  }
  server.run_until_stopped();
  return 0;
}

}  // namespace cronally::cli
