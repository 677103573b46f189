// aws_fake: see aws_fake.h, and `aws_fake --help`.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "aws_fake.h"
#include "base/text.h"

namespace cronally::support {
namespace {

// Slow answers hold a thread each.
constexpr int workers = 96;

struct Arguments {
  std::uint16_t port = 0;
  std::string delay = "2s", lifetime = "1h", early_end = "0s", clock_ahead = "0s";
  std::string clock_behind = "0s";
  std::string imds = "v2";
  AwsFakeOptions options;
};

bool read_durations(Arguments& arguments) {
  Duration behind{};
  const std::pair<const std::string*, Duration*> all[] = {
      {&arguments.delay, &arguments.options.delay},
      {&arguments.lifetime, &arguments.options.lifetime},
      {&arguments.early_end, &arguments.options.early_end},
      {&arguments.clock_ahead, &arguments.options.clock_ahead},
      {&arguments.clock_behind, &behind}};
  for (const auto& [text, into] : all) {
    const auto length = parse_duration(*text);
    if (!length) {
      fmt::print(stderr, "aws_fake: {}\n", length.error().message);
      return false;
    }
    *into = *length;
  }
  arguments.options.clock_ahead -= behind;
  return true;
}

int serve(Arguments& arguments) {
  if (!read_durations(arguments)) return 2;
  arguments.options.imds = arguments.imds == "v2"   ? Imds::v2
                           : arguments.imds == "v1" ? Imds::v1
                                                    : Imds::off;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const runtime::SystemClock clock;
  AwsFake fake(arguments.options, clock);
  net::ServerOptions options;
  options.workers = workers;
  options.connections_max = 4096;
  net::HttpServer server(
      options, [&](const net::Request& request) { return fake.handle(request); }, clock);
  const auto port = server.listen("127.0.0.1", arguments.port);
  if (!port) {
    fmt::print(stderr, "aws_fake: {}\n", port.error().message);
    return 1;
  }
  fmt::print("{}\n", *port);
  std::fflush(stdout);
  int number = 0;
  sigwait(&signals, &number);
  return 0;
}

}  // namespace
}  // namespace cronally::support

int main(int argc, char** argv) {
  CLI::App app{
      "Stands in for AWS on 127.0.0.1: SNS Publish, STS, container and instance credentials.\n"
      "Verifies what it is sent, logs one JSON line a request, and prints its port."};
  cronally::support::Arguments arguments;
  auto& options = arguments.options;
  app.add_option("--port", arguments.port, "0 picks a free one");
  app.add_option("--log", options.log_file, "file to append to");
  app.add_option("--access-key-id", options.access_key_id, "a long-lived key");
  app.add_option("--secret-access-key", options.secret_access_key, "its secret");
  app.add_option("--throttle-every", options.throttle_every, "each n-th publish: Throttling");
  app.add_option("--fail-every", options.fail_every, "each n-th publish: InternalError");
  app.add_option("--slow-every", options.slow_every, "each n-th publish: after --delay");
  app.add_option("--delay", arguments.delay, "of slow answers");
  app.add_option("--lifetime", arguments.lifetime, "of the credentials it gives");
  app.add_option("--early-end", arguments.early_end, "it refuses them so long before their end");
  app.add_option("--clock-ahead", arguments.clock_ahead, "of its clock");
  app.add_option("--clock-behind", arguments.clock_behind, "of its clock");
  app.add_option("--container-token", options.container_token, "what Authorization must hold");
  app.add_option("--web-identity-token", options.web_identity_token, "the token it knows");
  app.add_option("--external-id", options.external_id, "what AssumeRole must bring");
  app.add_option("--imds", arguments.imds, "v2, v1 or off")
      ->check(CLI::IsMember({"v2", "v1", "off"}));
  CLI11_PARSE(app, argc, argv);
  return cronally::support::serve(arguments);
}
