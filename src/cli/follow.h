// Following runs as they change: the long poll behind `run watch` and `job run --wait`.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/client.h"

namespace cronally::cli {

// Asks GET /v2/runs/changes again and again. A server that goes away after it answered once is
// asked again every second for a minute: its cursor outlives a restart.
class Follower {
 public:
  // `job`: name or id, or empty for all.
  Follower(Session& session, const Client& client, std::string job)
      : session_(session), client_(client), job_(std::move(job)) {}

  // Everything that changes from here on is followed.
  Outcome<void> start();

  // Waits up to about 10 s; each changed run once, as it is now, oldest change first. May be empty.
  Outcome<std::vector<boost::json::object>> changes();

  // Waits until the run has ended; start() came before the run did.
  Outcome<boost::json::object> until_ended(boost::json::object run);

 private:
  Outcome<boost::json::object> ask();
  Outcome<boost::json::object> ask_patiently();

  Session& session_;
  const Client& client_;
  std::string job_;
  std::string cursor_;
};

}  // namespace cronally::cli
