// What the command line touches of the machine it runs on, as values and functions, so that tests
// run whole commands against a made-up server, clock and terminal.
#pragma once

#include <cctz/time_zone.h>

#include <functional>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/http_call.h"

namespace cronally::cli {

struct Streams {
  std::istream& in;
  std::ostream& out;  // the result
  std::ostream& err;  // everything said about it
  bool in_terminal = false;
  bool out_terminal = false;
  bool err_terminal = false;
};

// A file of declarations, whole.
struct ManifestFile {
  std::string path;  // as messages name it
  std::string text;
};

struct World {
  Streams streams;
  // An environment variable; nullopt when it is not set.
  std::function<std::optional<std::string>(const std::string& name)> env;
  std::function<Instant()> now;
  // A time zone by its IANA name; code "invalid_zone".
  std::function<Result<cctz::time_zone>(std::string_view name)> zone;
  // A file's content; code "file_missing" or "file_error".
  std::function<Result<std::string>(const std::string& path)> read_file;
  std::function<Result<net::CallAnswer>(const net::Call& call)> call;
  std::function<Result<net::CallAnswer>(const net::Call& call, const std::string& file)> download;
  // Waits before a lost server is asked again.
  std::function<void(Duration length)> pause;
  // The file at a path, or, where that is a directory, each *.yaml, *.yml and *.json in it (not
  // below it) in the order of their names; at most 64 MiB each. Codes as read_file.
  std::function<Result<std::vector<ManifestFile>>(const std::string& path)> read_manifests;
  // The default data directory of this user; --data-dir and CRONALLY_DATA_DIR stand over it.
  std::string data_dir_default;
};

// The real machine. Call it once, from main.
World real_world();

}  // namespace cronally::cli
