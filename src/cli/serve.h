// The server: one process over one data directory, and over a database that other servers may
// share, until SIGTERM or SIGINT.
#pragma once

#include <cstdint>
#include <string>

#include "api/api.h"
#include "base/time.h"
#include "core/lease.h"

namespace cronally::cli {

struct ServeOptions {
  std::string listen = "127.0.0.1:8787";  // ADDRESS:PORT; port 0: a free one
  std::string data_dir;
  // An address of PostgreSQL, which several servers may share; empty: SQLite in the data directory.
  std::string database;
  // There, how long a server's shards stay its own when nothing is heard of it.
  Duration lease_ttl = core::lease_ttl_default;
  // There, whether what may have been sent is kept in the data directory too, for a database that
  // forgets (docs/design/journal.md).
  bool journal = true;
  std::string log_level = "info";   // debug, info, warning, error
  std::string log_format = "text";  // text, json
  // How long a stop waits for requests that are under way.
  Duration drain_timeout = std::chrono::seconds{25};
  // Requests at the same time to one scheme, host and port.
  std::int32_t destination_concurrency = 64;
  // How long ended runs are kept, and how many runs at most; the oldest ended ones go first.
  Duration runs_keep = std::chrono::days{30};
  std::int64_t runs_max = 10'000'000;
  // While another server holds the data directory, wait for its end and take over; answer 503
  // until then. Without it, a second server ends at once.
  bool standby = false;
  // API v1, and signatures of its kind.
  api::V1Options v1;
};

// Runs until it is told to stop; returns the process's exit code (0 after an orderly stop).
// Complaints go to stderr with what to do next.
int serve(const ServeOptions& options);

}  // namespace cronally::cli
