// What the receiver reads from a request, and what its path or mode asks it to do. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace cronally::support {

// The fields of a delivery that the receiver logs; views into the connection's buffer.
struct Incoming {
  std::string_view method, path;
  std::string_view run, job, job_name, scheduled_at, attempt, fence;
  std::string_view webhook_id, webhook_timestamp, webhook_signature;
  std::string_view body;
  bool keep_alive = true;
  std::size_t size = 0;  // of the whole request in the buffer
};

enum class Parsed : std::uint8_t { whole, more, malformed };

// Reads one request from the front of `buffer`. Content-Length only: deliveries send no chunks.
Parsed parse_incoming(std::string_view buffer, Incoming& out);

enum class Act : std::uint8_t {
  answer,           // with `status`, after `delay`
  read_then_close,  // reads the whole request, closes without an answer
  garbage,          // answers with bytes that are not HTTP, closes
  reset,            // reads, then resets the connection
  hang,             // reads, never answers
};

struct Behaviour {
  Act act = Act::answer;
  int status = 200;
  Duration delay{};
  int fail_first = 0;                  // so many requests per webhook-id get 500 first
  std::optional<int> retry_after_s{};  // sent with the answer
  bool verify = false;                 // 401 unless the signature is good
};

// "log", "verify", "slow", "read-then-close", "garbage", "reset", "hang", "status".
Result<Behaviour> behaviour_of_mode(std::string_view mode, int status, Duration delay,
                                    int fail_first);

// /slow/2s, /status/503, /read-then-close, /garbage, /reset, /hang, /fail-first/3/…,
// /retry-after/5, each with anything behind it; any other path: `otherwise`.
Behaviour behaviour_of_path(std::string_view path, const Behaviour& otherwise);

// One JSON line, with its newline. `sig` is "ok", "bad" or "none"; status 0: none was sent.
std::string log_line(const Incoming& request, Instant at, int status, std::string_view sig);

}  // namespace cronally::support
