// receiver: see receiver.h, and `receiver --help`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/text.h"
#include "receiver.h"

namespace cronally::support {
namespace {

struct Arguments {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string mode = "log";
  int status = 500;
  std::string delay = "2s";
  int fail_first = 0;
  std::string log;
  std::string secret;
};

Result<ReceiverOptions> options_of(const Arguments& arguments) {
  const auto delay = parse_duration(arguments.delay);
  if (!delay) return fail(delay.error());
  auto behaviour =
      behaviour_of_mode(arguments.mode, arguments.status, *delay, arguments.fail_first);
  if (!behaviour) return fail(behaviour.error());
  ReceiverOptions options{.address = arguments.address,
                          .port = arguments.port,
                          .behaviour = *behaviour,
                          .log_file = arguments.log};
  if (!arguments.secret.empty()) {
    auto key = core::parse_signing_secret(arguments.secret);
    if (!key) return fail(key.error());
    options.signing_key = std::move(*key);
  }
  if (behaviour->verify && !options.signing_key) {
    return fail("no_secret", "--mode verify needs --secret whsec_...");
  }
  return options;
}

int serve(const Arguments& arguments) {
  auto options = options_of(arguments);
  if (!options) {
    fmt::print(stderr, "receiver: {}\n", options.error().message);
    return 2;
  }
  auto receiver = Receiver::open(std::move(*options));
  if (!receiver) {
    fmt::print(stderr, "receiver: {}\n", receiver.error().message);
    return 1;
  }
  fmt::print("{}\n", (*receiver)->port());
  std::fflush(stdout);
  (*receiver)->run();
}

}  // namespace
}  // namespace cronally::support

int main(int argc, char** argv) {
  CLI::App app{
      "Receives deliveries and logs them, one JSON line each. Prints its port.\n"
      "A path may choose another behaviour: /slow/2s /status/503 /retry-after/5 /fail-first/3/x\n"
      "/read-then-close /garbage /reset /hang"};
  cronally::support::Arguments arguments;
  app.add_option("--address", arguments.address, "to listen on; 127.0.0.1 unless given");
  app.add_option("--port", arguments.port, "0 picks a free one");
  app.add_option("--mode", arguments.mode,
                 "log, verify, slow, read-then-close, garbage, reset, hang or status");
  app.add_option("--status", arguments.status, "the answer of --mode status")
      ->check(CLI::Range(200, 599));
  app.add_option("--delay", arguments.delay, "before the answer of --mode slow, for example 2s");
  app.add_option("--fail-first", arguments.fail_first, "so many 500 for each webhook-id first");
  app.add_option("--log", arguments.log, "file to append to, - for standard output");
  app.add_option("--secret", arguments.secret, "whsec_..., to judge signatures");
  CLI11_PARSE(app, argc, argv);
  return cronally::support::serve(arguments);
}
