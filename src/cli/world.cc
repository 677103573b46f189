#include "cli/world.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>

#include "runtime/clock.h"
#include "runtime/files.h"
#include "runtime/zone_loader.h"

namespace cronally::cli {
namespace {

constexpr std::size_t file_max = 1 << 20;  // bodies end at 256 KiB; the server judges

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

World real_world() {
  auto clock = std::make_shared<runtime::SystemClock>();
  auto zones = std::make_shared<runtime::ZoneLoader>();
  return {Streams{std::cin, std::cout, std::cerr, isatty(STDIN_FILENO) != 0,
                  isatty(STDOUT_FILENO) != 0, isatty(STDERR_FILENO) != 0},
          variable,
          [clock] { return clock->wall(); },
          [zones](std::string_view name) { return zones->load(name); },
          [](const std::string& path) { return runtime::read_file(path, file_max); },
          [](const net::Call& call) { return net::call(call); },
          [](const net::Call& call, const std::string& file) { return net::download(call, file); },
          [](Duration length) { std::this_thread::sleep_for(length); },
          runtime::default_data_dir().string()};
}

}  // namespace cronally::cli
