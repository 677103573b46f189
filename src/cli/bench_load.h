// The two loads of `cronally bench`: jobs made through the API of a server, delivered to a
// receiver, and what of them arrived when.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "cli/bench_figures.h"
#include "cli/bench_receiver.h"
#include "cli/bench_server.h"
#include "cli/world.h"

namespace cronally::cli {

struct BenchParts {
  World& world;
  const runtime::Clock& clock;
  BenchServer& server;
  // Waits so long; false when the user wants no more (Ctrl-C). Nothing here waits otherwise.
  std::function<bool(Duration length)> wait;
  std::function<void(const std::string& line)> say;
};

class BenchLoad {
 public:
  explicit BenchLoad(BenchParts parts) : parts_(std::move(parts)) {}

  // Until the server answers that it is ready, at most half a minute.
  Outcome<void> wait_ready();

  // `jobs` one-shots at one instant, far enough ahead for their creation.
  Outcome<HerdFigures> herd(std::int64_t jobs);

  // `jobs` jobs @every 1s with anchors spread over the second, watched for `length` after a few
  // seconds to settle.
  Outcome<SteadyFigures> steady(std::int64_t jobs, Duration length);

 private:
  using Body = std::function<boost::json::object(std::int64_t number)>;
  Outcome<boost::json::value> exchange(std::string method, const std::string& path,
                                       const boost::json::value& body) const;
  Outcome<void> create(std::int64_t jobs, const Body& body) const;
  Outcome<Duration> creation_time() const;
  Outcome<std::vector<Duration>> ledger(Instant from, Instant to) const;
  Outcome<void> pause(Duration length) const;

  BenchParts parts_;
};

}  // namespace cronally::cli
