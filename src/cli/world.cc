#include "cli/world.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#include "base/text.h"
#include "core/yaml_document.h"
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

bool is_manifest(const std::filesystem::path& path) {
  const std::string end = path.extension().string();
  return end == ".yaml" || end == ".yml" || end == ".json";
}

Result<std::vector<std::string>> manifest_paths(const std::string& path) {
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) return std::vector<std::string>{path};
  std::vector<std::string> paths;
  std::filesystem::directory_iterator entry(path, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed))
    if (is_manifest(entry->path()) && !entry->is_directory(failed))
      paths.push_back(entry->path().string());
  if (failed) return fail("file_error", "cannot list " + quote(path) + ": " + failed.message());
  std::ranges::sort(paths);
  return paths;
}

Result<std::vector<ManifestFile>> read_manifests(const std::string& path) {
  Result<std::vector<std::string>> paths = manifest_paths(path);
  if (!paths) return fail(std::move(paths.error()));
  std::vector<ManifestFile> files;
  for (std::string& each : *paths) {
    Result<std::string> text = runtime::read_file(each, core::yaml_file_bytes_max);
    if (!text) return fail(std::move(text.error()));
    files.push_back({std::move(each), std::move(*text)});
  }
  return files;
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
          read_manifests,
          runtime::default_data_dir().string()};
}

}  // namespace cronally::cli
